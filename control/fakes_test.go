package control

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"obvan/graphics"
	"obvan/hub"
	"obvan/ingest"
	"obvan/internal/testkit"
	"obvan/mixer"
	"obvan/mixer/program"
	"obvan/relay"
)

// desk is a mixer, a program, a relay, pulls and a monitor that remember what they
// were asked, for tests of the studio around them.
type desk struct {
	mu       sync.Mutex
	asked    []string
	sources  []string
	hang     chan struct{} // the mixer does not answer before it closes
	dests    []relay.Destination
	keys     map[string]string
	started  map[string]bool
	pulls    map[string]string
	backups  []string
	setFeeds []string
}

func (d *desk) ask(format string, args ...any) {
	d.mu.Lock()
	d.asked = append(d.asked, fmt.Sprintf(format, args...))
	d.mu.Unlock()
}

func (d *desk) list() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}

type fakeMixer struct{ *desk }

func (m fakeMixer) Run(ctx context.Context, _ func(mixer.State)) error { return nil }

func (m fakeMixer) Preview(ctx context.Context, source string) error { return m.bus("preview", source) }

func (m fakeMixer) Cut(ctx context.Context, source string, when mixer.When) error {
	if m.hang != nil {
		select {
		case <-m.hang:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return m.bus("cut", source)
}

func (m fakeMixer) Take(ctx context.Context, t mixer.Transition) error {
	m.ask("take %s %d", t.Kind, t.DurationMs)
	return mixer.ErrNoPreview
}

func (m fakeMixer) SetFeeds(feeds []string) {
	m.mu.Lock()
	m.setFeeds = slices.Clone(feeds)
	m.mu.Unlock()
}

func (m fakeMixer) bus(what, source string) error {
	if !slices.Contains(m.sources, source) {
		return fmt.Errorf("%s: %w", source, mixer.ErrNoSource)
	}
	m.ask("%s %s", what, source)
	return nil
}

type fakeProgram struct{ *desk }

func (p fakeProgram) SetFailover(on bool) { p.ask("failover %v", on) }

func (p fakeProgram) Lock(level string) error {
	if level == "nowhere" {
		return fmt.Errorf("lock: %w", program.ErrNoLevel)
	}
	p.ask("lock %s", level)
	return nil
}

func (p fakeProgram) SetBackups(feeds []string) {
	p.mu.Lock()
	p.backups = slices.Clone(feeds)
	p.mu.Unlock()
}

func (p fakeProgram) SetTriggers(ills []program.Fault) error {
	p.ask("triggers %v", ills)
	return nil
}

func (p fakeProgram) SetTimeout(level string, timeout time.Duration) error {
	p.ask("timeout %s %v", level, timeout)
	return nil
}

type fakeRelay struct{ *desk }

func (r fakeRelay) Put(d relay.Destination, key string) error {
	u, err := url.Parse(d.URL)
	if err != nil || u.Scheme != "rtmp" && u.Scheme != "rtmps" && u.Scheme != "https" {
		return relay.ErrAddress
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys[d.ID] = key
	if i := r.find(d.ID); i >= 0 {
		r.dests[i] = d
		return nil
	}
	r.dests = append(r.dests, d)
	return nil
}

func (r fakeRelay) find(id string) int {
	return slices.IndexFunc(r.dests, func(d relay.Destination) bool { return d.ID == id })
}

func (r fakeRelay) Remove(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.find(id)
	if i < 0 {
		return relay.ErrUnknown
	}
	r.dests = slices.Delete(r.dests, i, i+1)
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

func (d *desk) running() []string {
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

type fakePulls struct{ *desk }

func (p fakePulls) Put(feed string, u *url.URL) error {
	if u.Scheme != "rtsp" {
		return fmt.Errorf("pull %s: %w", feed, ingest.ErrScheme)
	}
	p.mu.Lock()
	p.pulls[feed] = u.String()
	p.mu.Unlock()
	return nil
}

func (p fakePulls) Remove(feed string) {
	p.mu.Lock()
	delete(p.pulls, feed)
	p.mu.Unlock()
}

func (p fakePulls) State(feed string) (ingest.PullState, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := p.pulls[feed]
	return ingest.PullState{State: "retrying", Problem: "nobody answers at " + u}, ok
}

type fakeMonitor struct{}

func (fakeMonitor) End(string)          {}
func (fakeMonitor) Watching(string) int { return 3 }
func (fakeMonitor) ServeViewer(w http.ResponseWriter, r *http.Request, who string) {
	w.WriteHeader(http.StatusCreated)
}
func (fakeMonitor) Watch(string) (bool, string) { return true, "" }
func (fakeMonitor) Clock(stream string) (uint32, time.Time, bool) {
	return 7, time.UnixMilli(1000), stream == "cam1"
}

// house is a studio with fakes for rooms, and its panel's address.
type house struct {
	*Studio
	desk *desk
	hub  *hub.Hub
	dir  string
	url  string
}

const adminToken = "an-admin-token-for-tests-that-nobody-guesses"

func newDesk() *desk {
	return &desk{sources: []string{"cam1", "cam2"}, keys: map[string]string{}, started: map[string]bool{}, pulls: map[string]string{}}
}

// build makes a studio on dir that does not run yet.
func build(t testing.TB, dir string, d *desk, opts Options, log *slog.Logger) *house {
	t.Helper()
	return buildOn(t, dir, d, fakeMixer{d}, opts, log)
}

// buildOn is build on another mixer.
func buildOn(t testing.TB, dir string, d *desk, m mixer.Mixer, opts Options, log *slog.Logger) *house {
	t.Helper()
	h := &house{desk: d, hub: hub.New(), dir: dir}
	opts.DataDir = dir
	panel := fstest.MapFS{
		"index.html":      {Data: []byte("<title>panel</title>")},
		"tally.html":      {Data: []byte("<title>tally</title>")},
		"assets/app.1.js": {Data: []byte("1")},
	}
	var err error
	h.Studio, err = New(Rooms{
		Hub: h.hub, Mixer: m, Program: fakeProgram{d}, Relay: fakeRelay{d}, Pulls: fakePulls{d}, Monitor: fakeMonitor{}, Panel: panel,
		Logos: graphics.NewLogos(filepath.Join(dir, "logos")),
	}, opts, log)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// start runs the studio and serves it until the test ends, or stop is called.
func (h *house) start(t testing.TB) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	server := httptest.NewUnstartedServer(nil)
	server.Config = h.Server()
	server.Start()
	h.url = server.URL
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			server.CloseClientConnections()
			server.Close()
			http.DefaultClient.CloseIdleConnections()
		})
	}
	t.Cleanup(stop)
	testkit.Eventually(t, 5*time.Second, h.doors.serving.Load, "the show is restored")
	return stop
}

// open is a studio that runs, with the admin's token of the tests.
func open(t testing.TB) *house {
	t.Helper()
	h := build(t, t.TempDir(), newDesk(), Options{Token: adminToken}, quiet())
	h.start(t)
	return h
}

// as is a context in which somebody with role gives commands.
func as(role Role) caller { return caller{You: You{"test", role}, remote: "127.0.0.1:1", kind: Script} }

// do gives a command that must work.
func (h *house) do(t testing.TB, name, args string) any {
	t.Helper()
	result, err := h.run(t.Context(), as(Admin), name, []byte(args))
	if err != nil {
		t.Fatalf("%s %s: %v", name, args, err)
	}
	return result
}

// now is a copy of the state.
func (h *house) now() (st State) {
	h.store.Read(func(s *State) { st = *s; st.Log = slices.Clone(s.Log) })
	return st
}

// logged reports whether the event log has a line with all of words.
func (h *house) logged(text string) bool {
	return slices.ContainsFunc(h.now().Log, func(e LogEntry) bool { return e.Text == text })
}
