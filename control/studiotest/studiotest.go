// Package studiotest is a studio on fakes that remember what they were asked, for tests
// of the studio and of what serves it.
package studiotest

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"obvan/control"
	"obvan/control/studio"
	"obvan/graphics"
	"obvan/hub"
	"obvan/ingest"
	"obvan/internal/testkit"
	"obvan/mixer"
	"obvan/mixer/program"
	"obvan/relay"
)

// Fakes are a mixer, a program, a relay, pulls and a monitor that remember what they
// were asked, for tests of the studio around them.
type Fakes struct {
	mu      sync.Mutex
	asked   []string
	sources []string
	started map[string]bool

	Hang    chan struct{} // the mixer does not answer before it closes
	Dests   []relay.Destination
	Keys    map[string]string // by destination
	Pulls   map[string]string // by feed
	Backups []string
	Feeds   []string // as the mixer was told
}

// Ask notes what was asked.
func (d *Fakes) Ask(format string, args ...any) {
	d.mu.Lock()
	d.asked = append(d.asked, fmt.Sprintf(format, args...))
	d.mu.Unlock()
}

// Asked is what was asked so far.
func (d *Fakes) Asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}

// Mixer is the fake mixer.
type Mixer struct{ *Fakes }

func (m Mixer) Run(ctx context.Context, _ func(mixer.State)) error { return nil }

func (m Mixer) Preview(ctx context.Context, source string) error { return m.bus("preview", source) }

func (m Mixer) Cut(ctx context.Context, source string, when mixer.When) error {
	if m.Hang != nil {
		select {
		case <-m.Hang:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return m.bus("cut", source)
}

func (m Mixer) Take(ctx context.Context, t mixer.Transition) error {
	m.Ask("take %s %d", t.Kind, t.DurationMs)
	return mixer.ErrNoPreview
}

func (m Mixer) SetFeeds(feeds []string) {
	m.mu.Lock()
	m.Feeds = slices.Clone(feeds)
	m.mu.Unlock()
}

func (m Mixer) bus(what, source string) error {
	if !slices.Contains(m.sources, source) {
		return fmt.Errorf("%s: %w", source, mixer.ErrNoSource)
	}
	m.Ask("%s %s", what, source)
	return nil
}

type fakeProgram struct{ *Fakes }

func (p fakeProgram) SetFailover(on bool) { p.Ask("failover %v", on) }

func (p fakeProgram) Lock(level string) error {
	if level == "nowhere" {
		return fmt.Errorf("lock: %w", program.ErrNoLevel)
	}
	p.Ask("lock %s", level)
	return nil
}

func (p fakeProgram) SetBackups(feeds []string) {
	p.mu.Lock()
	p.Backups = slices.Clone(feeds)
	p.mu.Unlock()
}

func (p fakeProgram) SetTriggers(faults []program.Fault) error {
	p.Ask("triggers %v", faults)
	return nil
}

func (p fakeProgram) SetTimeout(level string, timeout time.Duration) error {
	p.Ask("timeout %s %v", level, timeout)
	return nil
}

type fakeRelay struct{ *Fakes }

func (r fakeRelay) Put(d relay.Destination, key string) error {
	u, err := url.Parse(d.URL)
	if err != nil || u.Scheme != "rtmp" && u.Scheme != "rtmps" && u.Scheme != "https" {
		return relay.ErrAddress
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Keys[d.ID] = key
	if i := r.find(d.ID); i >= 0 {
		r.Dests[i] = d
		return nil
	}
	r.Dests = append(r.Dests, d)
	return nil
}

func (r fakeRelay) find(id string) int {
	return slices.IndexFunc(r.Dests, func(d relay.Destination) bool { return d.ID == id })
}

func (r fakeRelay) Remove(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.find(id)
	if i < 0 {
		return relay.ErrUnknown
	}
	r.Dests = slices.Delete(r.Dests, i, i+1)
	delete(r.started, id)
	return nil
}

func (r fakeRelay) Start(id string) error { return r.set(id, true) }
func (r fakeRelay) Stop(id string) error  { return r.set(id, false) }

func (r fakeRelay) set(id string, on bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.find(id) < 0 {
		return relay.ErrUnknown
	}
	r.started[id] = on
	return nil
}

// Running is the destinations that were started.
func (d *Fakes) Running() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var ids []string
	for id, on := range d.started {
		if on {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

type fakePulls struct{ *Fakes }

func (p fakePulls) Put(feed string, u *url.URL) error {
	if u.Scheme != "rtsp" {
		return fmt.Errorf("pull %s: %w", feed, ingest.ErrScheme)
	}
	p.mu.Lock()
	p.Pulls[feed] = u.String()
	p.mu.Unlock()
	return nil
}

func (p fakePulls) Remove(feed string) {
	p.mu.Lock()
	delete(p.Pulls, feed)
	p.mu.Unlock()
}

func (p fakePulls) State(feed string) (ingest.PullState, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.Pulls[feed]
	return ingest.PullState{State: "retrying", Problem: "no answer from " + u}, ok
}

// Monitor is the fake monitor.
type Monitor struct{}

func (Monitor) End(string)          {}
func (Monitor) Watching(string) int { return 3 }
func (Monitor) ServeViewer(w http.ResponseWriter, r *http.Request, who string) {
	w.WriteHeader(http.StatusCreated)
}
func (Monitor) Watch(string) (bool, string) { return true, "" }
func (Monitor) Clock(stream string) (uint32, time.Time, bool) {
	return 7, time.UnixMilli(1000), stream == "cam1"
}

// House is a studio with fakes for all that it controls.
type House struct {
	*studio.Studio
	Fakes *Fakes
	Hub   *hub.Hub
	Dir   string
}

// AdminToken is the one of the -token flag in tests.
const AdminToken = "an-admin-token-for-tests-that-nobody-guesses"

// Quiet is a log that is discarded.
func Quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// NewFakes makes fakes of a mixer with the sources cam1 and cam2.
func NewFakes() *Fakes {
	return &Fakes{sources: []string{"cam1", "cam2"}, Keys: map[string]string{}, started: map[string]bool{}, Pulls: map[string]string{}}
}

// Build makes a studio on dir that does not run yet. change may change what it controls.
func Build(t testing.TB, dir string, d *Fakes, opts studio.Options, log *slog.Logger, change ...func(*studio.Deps)) *House {
	t.Helper()
	h := &House{Fakes: d, Hub: hub.New(), Dir: dir}
	opts.DataDir = dir
	deps := studio.Deps{
		Hub: h.Hub, Mixer: Mixer{d}, Program: fakeProgram{d}, Relay: fakeRelay{d}, Pulls: fakePulls{d}, Monitor: Monitor{},
		Logos: graphics.NewLogos(filepath.Join(dir, "logos")),
	}
	for _, c := range change {
		c(&deps)
	}
	var err error
	if h.Studio, err = studio.New(deps, opts, log); err != nil {
		t.Fatal(err)
	}
	return h
}

// On has the studio control another mixer.
func On(m mixer.Mixer) func(*studio.Deps) { return func(d *studio.Deps) { d.Mixer = m } }

// Start runs the studio until the test ends, or stop is called.
func (h *House) Start(t testing.TB) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	testkit.Eventually(t, 5*time.Second, h.Ready, "the show is restored")
	return stop
}

// Open is a studio that runs.
func Open(t testing.TB) *House {
	t.Helper()
	h := Build(t, t.TempDir(), NewFakes(), studio.Options{Token: AdminToken}, Quiet())
	h.Start(t)
	return h
}

// As is a caller with a role.
func As(role control.Role) control.Caller {
	return control.Caller{You: control.You{Name: "test", Role: role}, Remote: "127.0.0.1:1", Kind: control.Script}
}

// Do gives a command that must work.
func (h *House) Do(t testing.TB, name, args string) any {
	t.Helper()
	result, err := h.Execute(t.Context(), As(control.Admin), name, []byte(args))
	if err != nil {
		t.Fatalf("%s %s: %v", name, args, err)
	}
	return result
}

// Fails gives a command that must fail with want.
func (h *House) Fails(t testing.TB, name, args string, want control.ErrorCode) {
	t.Helper()
	_, err := h.Execute(t.Context(), As(control.Admin), name, []byte(args))
	if code, _ := control.Code(err); err == nil || code != want {
		t.Errorf("%s %s: %v (%s), want %s", name, args, err, code, want)
	}
}

// Now is a copy of the state.
func (h *House) Now() (st control.State) {
	h.Store().Read(func(s *control.State) { st = *s; st.Log = slices.Clone(s.Log) })
	return st
}

// Await waits for a fact of the state.
func (h *House) Await(t testing.TB, what string, fact func(st *control.State) bool) {
	t.Helper()
	testkit.Eventually(t, 10*time.Second, func() bool { st := h.Now(); return fact(&st) }, "%s", what)
}

// Logged reports whether the event log has a line.
func (h *House) Logged(text string) bool {
	return slices.ContainsFunc(h.Now().Log, func(e control.LogEntry) bool { return e.Text == text })
}

// Feed is a feed of the state; the zero Feed when it is not there.
func (h *House) Feed(id string) control.Feed {
	for _, f := range h.Now().Feeds {
		if f.ID == id {
			return f
		}
	}
	return control.Feed{}
}

// DataFile is what a file of the data directory holds.
func DataFile(t testing.TB, dir, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
