package rtmp_test

import (
	"context"
	"crypto/tls"
	"log/slog"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/relay"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
	"obvan/relay/testserver"
)

// liveDestination is a program on its way to one destination.
type liveDestination struct {
	status  func() relay.Status    // of the destination
	written func(by time.Time) int // the newest frame's number at an instant
	silent  atomic.Bool            // the program pauses
}

// startLive runs a relay to one destination until it is live, and feeds it until the test
// ends.
func startLive(t *testing.T, server *testserver.Server) *liveDestination {
	t.Helper()
	return startLiveWith(t, server, 1000, rtmp.New(nil)) // 200 kbit/s: kernels buffer a minute of it
}

// startLiveWith is startLive with frames of that size.
func startLiveWith(t *testing.T, server *testserver.Server, size int, out *rtmp.Output) *liveDestination {
	t.Helper()
	p := relaytest.NewProgram(t, size)
	var mu sync.Mutex
	var times []time.Time
	s := &liveDestination{written: func(by time.Time) (n int) {
		mu.Lock()
		defer mu.Unlock()
		return sort.Search(len(times), func(i int) bool { return times[i].After(by) }) - 1
	}}
	r := relay.New(p.Hub, relay.Protocols{"rtmp": {Push: out.Push}, "rtmps": {Push: out.Push}}, slog.New(slog.DiscardHandler))
	if err := r.Put(relay.Destination{ID: "dest", Name: "Dest", URL: server.URL()}, "key"); err != nil {
		t.Fatal(err)
	}
	_ = r.Start("dest")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{}, 2)
	go func() { _ = r.Run(ctx, func([]relay.Status) {}); ended <- struct{}{} }()
	go func() {
		defer func() { ended <- struct{}{} }()
		for tick := time.NewTicker(40 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			if s.silent.Load() {
				continue
			}
			mu.Lock()
			times = append(times, time.Now())
			mu.Unlock()
			p.WriteFrames(1)
		}
	}()
	t.Cleanup(func() { cancel(); <-ended; <-ended })
	s.status = func() relay.Status { return r.Statuses()[0] }
	testkit.Eventually(t, 10*time.Second, func() bool { return s.status().State == relay.Live }, "live")
	return s
}

func TestAFrozenServerIsNotCalledLiveTwoSecondsLater(t *testing.T) {
	t.Parallel()
	server := startServer(t, nil)
	const freezes = 5 * time.Second
	server.Behave(func(string) testserver.Behaviour { return testserver.Behaviour{StallAfter: freezes, NoAcks: true} })
	s := startLive(t, server)
	testkit.Eventually(t, freezes+5*time.Second, func() bool { return s.status().State == relay.Retrying }, "not live")
	st, units := s.status(), server.Last("key").Units()
	testkit.Measure(t, "relay rtmp: frozen server, until it is not called live", testkit.Milliseconds(st.Since.Sub(units[len(units)-1].Arrived)), "ms", testkit.AtMost(2200))
	if !strings.HasPrefix(st.Reason, "Dest stopped responding ") || st.Attempt != 1 {
		t.Errorf("%q, attempt %d", st.Reason, st.Attempt)
	}
}

// Nothing is sent while nothing is on air, and still a frozen server is detected.
func TestAServerThatFreezesWhileTheProgramIsSilentIsNotCalledLive(t *testing.T) {
	t.Parallel()
	server, roots := testkit.Certificate(t, "127.0.0.1")
	for name, config := range map[string]*tls.Config{"rtmp": nil, "rtmps": server} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startServer(t, config)
			const freezes = 6 * time.Second
			server.Behave(func(string) testserver.Behaviour { return testserver.Behaviour{StallAfter: freezes} })
			s := startLiveWith(t, server, 1000, rtmp.New(&tls.Config{RootCAs: roots}))
			testkit.Eventually(t, freezes, func() bool { return server.Last("key").Counts().Frames > 3*relaytest.FrameRate }, "it answered pings")
			s.silent.Store(true)
			testkit.Eventually(t, freezes+5*time.Second, func() bool { return s.status().State == relay.Retrying }, "not live")
			if st := s.status(); !strings.HasPrefix(st.Reason, "Dest stopped responding ") || st.Attempt != 1 {
				t.Errorf("%q, attempt %d", st.Reason, st.Attempt)
			}
		})
	}
}

// staysLive fails the test when it is not live until this many frames arrived in the
// newest session.
func (s *liveDestination) staysLive(t *testing.T, server *testserver.Server, frames int) {
	t.Helper()
	testkit.Eventually(t, 20*time.Second, func() bool {
		if st := s.status(); st.State != relay.Live {
			t.Fatalf("%s: %s", st.State, st.Reason)
		}
		return server.Last("key").Counts().Frames > frames
	}, "%d frames arrive", frames)
}

func TestAServerThatIgnoresPingsStaysLive(t *testing.T) {
	t.Parallel()
	server := startServer(t, nil)
	server.Behave(func(string) testserver.Behaviour {
		return testserver.Behaviour{OnPing: testserver.IgnorePings, NoAcks: true}
	})
	startLive(t, server).staysLive(t, server, 6*relaytest.FrameRate)
}

func TestAServerThatClosesAtAPingIsNotPingedAgain(t *testing.T) {
	t.Parallel()
	server := startServer(t, nil)
	server.Behave(func(string) testserver.Behaviour { return testserver.Behaviour{OnPing: testserver.CloseOnPing} })
	s := startLive(t, server)
	s.staysLive(t, server, 4*relaytest.FrameRate)
	if st := s.status(); st.Attempt != 2 {
		t.Errorf("%d attempts", st.Attempt)
	}
}
