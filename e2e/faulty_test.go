package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"obvan/control"
	"obvan/hub"
	"obvan/relay"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
	"obvan/relay/selftest/reporttest"
	"obvan/relay/testserver"
)

const (
	healthyCount   = 8
	frameSize      = 12_000 // bytes: 2.6 Mbit/s
	longestTransit = 2 * time.Second
)

// faultyURLs is a destination with each fault that platforms and networks produce.
var faultyURLs = [...]string{
	"selftest://refuse", "selftest://stall?after=2s", "selftest://slow?kbps=300", "selftest://reset?every=5s", "selftest://close", "selftest://silent",
}

func faultyID(address string) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(address, "selftest://"), "?")
	return "faulty-" + kind
}

// matrix is healthy destinations, whose frames are counted one by one, beside faulty ones.
type matrix struct {
	t      *testing.T
	s      *studio
	dest   *testserver.Server
	camera *numbered
}

// numbered is a camera whose frames are numbered. It sends by RTMP.
type numbered struct {
	mu      sync.Mutex
	written map[int]time.Time
}

func startMatrix(t *testing.T, s *studio) *matrix {
	dest, err := testserver.Listen("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	dest.Behave(func(string) testserver.Behaviour { return testserver.Behaviour{TimesOnly: true} })
	m := &matrix{t: t, s: s, dest: dest, camera: &numbered{written: map[int]time.Time{}}}
	m.background(dest.Run)
	m.startCamera()
	return m
}

// background runs something until the test ends.
func (m *matrix) background(do func(ctx context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := do(ctx); err != nil {
			m.t.Error(err)
		}
	}()
	m.t.Cleanup(func() { stop(); <-done })
}

// startCamera sends the camera to the studio as the feed "numbered".
func (m *matrix) startCamera() {
	p := relaytest.NewProgram(m.t, frameSize)
	p.WriteFrames(1)
	sub, err := p.Hub.Subscribe(hub.Program)
	if err != nil {
		m.t.Fatal(err)
	}
	to := &url.URL{Scheme: "rtmp", Host: m.s.listen["rtmp"], Path: "/live", Fragment: "numbered"}
	out := rtmp.New(nil)
	out.Merge = 0
	m.background(func(ctx context.Context) error {
		defer sub.Close()
		return out.Push(ctx, to, sub, relay.NewLink(nil))
	})
	m.background(func(ctx context.Context) error {
		tick := time.NewTicker(time.Second / relaytest.FrameRate)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				m.camera.note(p)
			case <-ctx.Done():
				return nil
			}
		}
	})
}

// note writes a frame.
func (c *numbered) note(p *relaytest.Program) {
	p.WriteFrame()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, au := range p.Sent {
		if au.Track == 0 {
			c.written[relaytest.FrameNumber(au.Data)] = au.Arrived
		}
	}
	p.Sent = p.Sent[:0]
}

func healthyID(n int) string { return fmt.Sprintf("healthy-%d", n+1) }

// begin sends the program to the healthy ones.
func (m *matrix) begin() {
	m.s.live(20*time.Second, "numbered")
	m.s.cut("numbered")
	for n := range healthyCount {
		m.add(healthyID(n), m.dest.URL())
	}
	for n := range healthyCount {
		m.s.destinationLive(20*time.Second, healthyID(n))
	}
}

func (m *matrix) add(id, url string) {
	m.s.do("destination.add", map[string]any{"id": id, "name": id, "url": url, "key": "key-" + id})
	m.s.do("destination.start", map[string]any{"id": id})
}

// addFaulty adds the faulty ones.
func (m *matrix) addFaulty() {
	for _, address := range faultyURLs {
		m.add(faultyID(address), address)
	}
}

// window is the frames that the camera wrote in a span of time, and how long each took to
// a destination.
type window struct {
	from, to time.Time
	missed   int
	took     []time.Duration
}

func (w *window) add(written, arrived time.Time) {
	if written.Before(w.from) || written.After(w.to.Add(-longestTransit)) {
		return
	}
	if arrived.IsZero() {
		w.missed++
		return
	}
	w.took = append(w.took, arrived.Sub(written))
}

// quantile is in milliseconds.
func (w *window) quantile(q float64) float64 {
	if len(w.took) == 0 {
		return 0
	}
	slices.Sort(w.took)
	return float64(w.took[int(float64(len(w.took)-1)*q)].Microseconds()) / 1000
}

// compare fills windows with what one healthy destination received. Its frames are found
// by their times: only the first was kept whole.
func (m *matrix) compare(id string, windows ...*window) {
	units := m.dest.Last("key-" + id).Units()
	first := units[0]
	number, arrived := relaytest.FrameNumber(first.Data), map[int]time.Time{}
	for _, u := range units {
		if u.Video {
			const frame = time.Second / relaytest.FrameRate
			arrived[number+int((u.DTS-first.DTS+frame/2)/frame)] = u.Arrived
		}
	}
	m.camera.mu.Lock()
	defer m.camera.mu.Unlock()
	for n, written := range m.camera.written {
		for _, w := range windows {
			w.add(written, arrived[n])
		}
	}
}

// report compares the healthy ones with and without the faulty ones, as a table.
func (m *matrix) report(alone, beside window) {
	m.t.Logf("%-7s %9s %7s %21s %21s %13s", "", "frames", "missed", "alone p50/p99 ms", "beside p50/p99 ms", "ratio p50/p99")
	all := [2]window{alone, beside}
	line := func(id string, a, b *window) {
		m.t.Logf("%-7s %9d %7d %12.1f %8.1f %12.1f %8.1f %7.2f %5.2f", id, len(a.took)+len(b.took), a.missed+b.missed,
			a.quantile(.5), a.quantile(.99), b.quantile(.5), b.quantile(.99), b.quantile(.5)/a.quantile(.5), b.quantile(.99)/a.quantile(.99))
	}
	for n := range healthyCount {
		a, b := alone, beside
		m.compare(healthyID(n), &a, &b)
		line(healthyID(n), &a, &b)
		if a.missed+b.missed > 0 || len(a.took) == 0 || len(b.took) == 0 {
			m.t.Errorf("%s missed %d frames alone and %d beside the faulty ones", healthyID(n), a.missed, b.missed)
		}
		all[0].took, all[1].took = append(all[0].took, a.took...), append(all[1].took, b.took...)
	}
	line("all", &all[0], &all[1])
}

// check requires the healthy ones to be on their first connection.
func (m *matrix) check() {
	st := m.s.state()
	for _, d := range st.Destinations {
		m.t.Logf("%-11s %-10s %3d attempts, %5d frames dropped; %s", d.ID, d.State, d.Attempt, d.FramesDropped, d.Reason)
	}
	for n := range healthyCount {
		if d := destination(st, healthyID(n)); d.State != relay.Live || d.Attempt != 1 || d.FramesDropped > 0 {
			m.t.Errorf("%s: %+v", healthyID(n), d)
		}
	}
	if n := len(m.dest.Sessions()); n != healthyCount {
		m.t.Errorf("%d connections of %d healthy destinations", n, healthyCount)
	}
}

func TestFaultyDestinationsOfEachKindAffectNoOther(t *testing.T) {
	parallel(t, heavy)
	faultyDestinations(t, scaled(12*time.Second, 18*time.Second))
}

func TestSoakFaultyDestinations(t *testing.T) {
	faultyDestinations(t, min(soakSpan(t), 5*time.Minute))
}

// faultyDestinations demands only what is no matter of the machine's load; the latencies
// are for reading.
func faultyDestinations(t *testing.T, span time.Duration) {
	soaked := span > time.Minute
	before := max(3*time.Second, span/5)
	s := start(t)
	m := startMatrix(t, s)
	m.begin()
	pause(t, 2*time.Second) // the first burst
	alone := window{from: time.Now()}
	pause(t, before)
	alone.to = time.Now()
	first := s.measure()
	var samples []sample
	m.addFaulty()
	if !soaked { // and the self-test, which adds more of the same
		s.do("selftest.run", map[string]any{"seconds": 15})
	}
	beside := window{from: time.Now()}
	for range 18 {
		pause(t, span/18)
		samples = append(samples, s.measure())
	}
	beside.to = time.Now()
	m.check()
	pause(t, longestTransit)
	m.report(alone, beside)
	t.Logf("before the faulty ones and at the end: %+v %+v", first, samples[len(samples)-1])
	checkFlat(t, samples[:6], samples[12:])
	if soaked {
		return
	}
	st := s.await(30*time.Second, "the self-test's report", func(st control.State) bool { return st.SelfTest.Report != nil })
	reporttest.Check(t, st.SelfTest.Report, 2)
}

// soakSpan is the duration in OBVAN_SOAK; without it, a soak test skips.
func soakSpan(t *testing.T) time.Duration {
	t.Helper()
	span, err := time.ParseDuration(os.Getenv("OBVAN_SOAK"))
	if err != nil || span <= 0 {
		t.Skip("run make soak, which sets OBVAN_SOAK")
	}
	return span
}

func TestSelfTestCamerasReportTheirFaults(t *testing.T) {
	parallel(t, light)
	s := start(t)
	for _, kind := range []string{"jump", "freeze", "die"} {
		s.do("feed.add", map[string]any{"id": kind, "name": kind, "url": "selftest://" + kind + "?every=3s&for=5s"}) // reported after 3 s
	}
	s.live(10*time.Second, "jump", "freeze", "die")
	feed := func(st control.State, id string) control.Feed {
		for _, f := range st.Feeds {
			if f.ID == id {
				return f
			}
		}
		return control.Feed{}
	}
	s.await(15*time.Second, "the jumps are counted", func(st control.State) bool { return len(feed(st, "jump").Corrections) > 0 })
	s.await(15*time.Second, "the frozen one is reported", func(st control.State) bool { return feed(st, "freeze").State == control.FeedStalled })
	s.await(15*time.Second, "the lost one is retried", func(st control.State) bool { return feed(st, "die").State == control.FeedRetrying })
}
