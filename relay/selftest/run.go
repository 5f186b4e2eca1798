package selftest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"obvan/hub"
	"obvan/internal/retry"
	"obvan/media"
	"obvan/relay"
	"obvan/relay/rtmp"
	"obvan/relay/testserver"
)

// Bounds of a self-test.
const (
	Shortest = 15 * time.Second // the slow destination needs that to fall behind
	Longest  = 10 * time.Minute

	aloneFor   = 4 * time.Second // the healthy ones, before the faulty ones start
	slowFactor = 4               // times too slow: enough to fall behind within the self-test
	settleTime = time.Second     // what was written just before the end may still be on its way
)

// Run sends the program of h, which must be playing already, to healthy destinations
// beside one of each faulty kind for that long. It starts a relay of its own; h should be
// a hub of its own too. It fails when ctx is done earlier.
func Run(ctx context.Context, h *hub.Hub, healthy int, span time.Duration) (Report, error) {
	span = min(max(span, Shortest), Longest)
	r := &run{hub: h, rtmp: rtmp.New(nil).Push, servers: map[string]*testserver.Server{}, states: map[string]*Faulty{}}
	if err := r.watch(ctx, healthy, span); err != nil {
		return Report{}, err
	}
	report := Report{At: r.began, Seconds: span.Seconds()}
	report.Frames, report.Healthy = r.healthy(healthy)
	for _, kind := range faultyKinds {
		report.Faulty = append(report.Faulty, *r.states[kind])
	}
	report.assess()
	return report, nil
}

// faultyKinds are the kinds beside the healthy ones.
var faultyKinds = [...]string{Refuse, Stall, Slow, Reset, Close, Silent}

// run is a self-test under way.
type run struct {
	hub  *hub.Hub
	rtmp relay.Push

	mu      sync.Mutex
	began   time.Time // the faulty destinations started
	ended   time.Time
	servers map[string]*testserver.Server // of the healthy ones, by name
	states  map[string]*Faulty
	frames  []writtenFrame // of the program
}

// writtenFrame is a frame of the program.
type writtenFrame struct {
	dts     time.Duration
	arrived time.Time
	key     []byte // a keyframe's data
}

func healthyName(n int) string { return fmt.Sprintf("healthy-%d", n+1) }

// push is what Over makes, but it remembers where the healthy ones' frames went.
func (r *run) push(ctx context.Context, u *url.URL, sub *hub.Subscriber, link *relay.Link) error {
	how, err := behaviour(u)
	if err != nil {
		return err
	}
	a := attempt{rtmp: r.rtmp, how: how}
	if a.how.CountOnly = u.Hostname() != OK; !a.how.CountOnly {
		a.how.TimesOnly, a.started = true, func(s *testserver.Server) { r.remember(strings.Trim(u.Path, "/"), s) }
	}
	return a.push(ctx, u, sub, link)
}

// remember stores the first server of a healthy one: a second connection means missed
// frames.
func (r *run) remember(id string, s *testserver.Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.servers[id] == nil {
		r.servers[id] = s
	}
}

// watch runs the relay and starts the faulty ones after a while.
func (r *run) watch(ctx context.Context, healthy int, span time.Duration) error {
	outputs := relay.Protocols{"selftest": {Push: r.push}}
	out := relay.New(r.hub, outputs, slog.New(slog.DiscardHandler))
	for n := range healthy {
		if err := start(out, healthyName(n), "selftest://"+OK+"/"+healthyName(n)); err != nil {
			return err
		}
	}
	for _, kind := range faultyKinds {
		r.states[kind] = &Faulty{Kind: kind}
	}
	within, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() { _ = out.Run(within, r.recordStates) }) // it returns nil once told to end
	all.Go(func() { r.recordProgram(within) })
	if err := retry.Sleep(ctx, aloneFor); err != nil {
		return err
	}
	r.mark(&r.began)
	for _, kind := range faultyKinds {
		address := "selftest://" + kind
		if kind == Slow {
			address += fmt.Sprintf("?kbps=%d", r.kbps()/slowFactor+1)
		}
		if err := start(out, kind, address); err != nil {
			return err
		}
	}
	err := retry.Sleep(ctx, span)
	r.mark(&r.ended)
	return err
}

func (r *run) mark(at *time.Time) {
	r.mu.Lock()
	*at = time.Now()
	r.mu.Unlock()
}

// kbps is the program's approximate bitrate.
func (r *run) kbps() int {
	st, ok := r.hub.Stream(hub.Program)
	if !ok {
		return slowKbps
	}
	return int(float64(st.Bytes) * 8 / 1000 / time.Since(st.Since).Seconds())
}

func start(out *relay.Relay, id, address string) error {
	if err := out.Put(relay.Destination{ID: id, Name: id, URL: address}, "selftest-key"); err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	if err := out.Start(id); err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	return nil
}

// recordStates follows the states of the faulty ones.
func (r *run) recordStates(all []relay.Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, st := range all {
		b := r.states[st.ID]
		if b == nil || st.State == relay.Off || !r.ended.IsZero() {
			continue
		}
		if !slices.Contains(b.States, st.State) {
			b.States = append(b.States, st.State)
		}
		if b.Attempt, b.FramesDropped = st.Attempt, st.FramesDropped; st.Reason != "" {
			b.Reason = st.Reason
		}
	}
}

// recordProgram notes the program's frames.
func (r *run) recordProgram(ctx context.Context) {
	sub, err := r.hub.Await(ctx, hub.Program)
	if err != nil {
		return
	}
	defer sub.Close()
	for {
		au, err := sub.Next(ctx)
		if err != nil {
			return
		}
		if au.Video() {
			r.add(&au)
		}
	}
}

func (r *run) add(au *media.AccessUnit) {
	w := writtenFrame{dts: au.DTS, arrived: au.Arrived}
	if au.Key {
		w.key = au.Data
	}
	r.mu.Lock()
	r.frames = append(r.frames, w)
	r.mu.Unlock()
}

// healthy is how many frames the program had, and the results of the healthy ones.
func (r *run) healthy(n int) (frames int, all []Healthy) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.frames {
		if r.duringTest(w) {
			frames++
		}
	}
	for i := range n {
		g := Healthy{Name: healthyName(i)}
		if s := r.servers[g.Name]; s != nil && len(s.Sessions()) > 0 {
			r.compare(&g, s.Sessions()[0].Units())
		}
		all = append(all, g)
	}
	return frames, all
}

// duringTest reports whether a frame was written while the faulty ones were there.
func (r *run) duringTest(w writtenFrame) bool {
	return w.arrived.After(r.began) && w.arrived.Before(r.ended.Add(-settleTime))
}

// compare finds each frame of the program among those that arrived.
func (r *run) compare(g *Healthy, units []testserver.Unit) {
	if len(units) == 0 {
		return
	}
	base, ok := r.base(&units[0])
	if !ok {
		return
	}
	arrived := map[int64]time.Time{} // by decode time, in milliseconds as RTMP has them
	for _, u := range units {
		if u.Video {
			arrived[u.DTS.Milliseconds()] = u.Arrived
		}
	}
	var alone, beside []time.Duration
	for _, w := range r.frames {
		at, ok := arrived[(w.dts - base).Milliseconds()]
		switch {
		case w.dts < base:
		case r.duringTest(w) && !ok:
			g.MissedFrames++
		case r.duringTest(w):
			beside = append(beside, at.Sub(w.arrived))
		case ok && w.arrived.Before(r.began) && w.arrived.After(r.began.Add(-aloneFor/2)): // not the first burst
			alone = append(alone, at.Sub(w.arrived))
		}
	}
	g.P99Ms, g.AloneMs = p99(beside), p99(alone)
}

// base is the program's decode time at which a session began.
func (r *run) base(first *testserver.Unit) (time.Duration, bool) {
	for _, w := range slices.Backward(r.frames) {
		if !w.arrived.After(first.Arrived) && w.key != nil && bytes.Equal(w.key, first.Data) {
			return w.dts - first.DTS, true
		}
	}
	return 0, false
}

func p99(all []time.Duration) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return float64(all[(len(all)*99)/100].Microseconds()) / 1000
}
