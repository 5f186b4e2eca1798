package rtmp_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/relay"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
	"obvan/relay/sink"
)

// live runs a relay to one destination until it is live, and feeds it until the test
// ends; state is how it fares.
func live(t *testing.T, far *sink.Server) (state func() relay.Status) {
	t.Helper()
	state, _ = liveWith(t, far, 1000) // 200 kbit/s: kernels hold a minute of it
	return state
}

// liveWith is live with pictures of that size; written is when a picture was.
func liveWith(t *testing.T, far *sink.Server, size int) (state func() relay.Status, written func(picture int) time.Time) {
	t.Helper()
	p := relaytest.NewProgram(t, size)
	var mu sync.Mutex
	var times []time.Time
	written = func(picture int) time.Time { mu.Lock(); defer mu.Unlock(); return times[picture] }
	r := relay.New(p.Hub, relay.Protocols{"rtmp": rtmp.New(nil).Push}, slog.New(slog.DiscardHandler))
	if err := r.Put(relay.Destination{ID: "far", Name: "Far", URL: far.URL()}, "key"); err != nil {
		t.Fatal(err)
	}
	_ = r.Start("far")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{}, 2)
	go func() { _ = r.Run(ctx, func([]relay.Status) {}); ended <- struct{}{} }()
	go func() {
		defer func() { ended <- struct{}{} }()
		for tick := time.NewTicker(40 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			mu.Lock()
			times = append(times, time.Now())
			mu.Unlock()
			p.Pictures(1)
		}
	}()
	t.Cleanup(func() { cancel(); <-ended; <-ended })
	state = func() relay.Status { return r.Statuses()[0] }
	testkit.Eventually(t, 10*time.Second, func() bool { return state().State == relay.Live }, "live")
	return state, written
}

func TestAServerThatFreezesIsNotCalledLiveTwoSecondsLater(t *testing.T) {
	t.Parallel()
	far := farEnd(t, nil)
	const freezes = 5 * time.Second
	began := time.Now()
	far.Behave(func(string) sink.Behaviour { return sink.Behaviour{StallAfter: freezes, NoAcks: true} })
	state := live(t, far)
	testkit.Eventually(t, freezes+5*time.Second, func() bool { return state().State == relay.Retrying }, "not live")
	st := state()
	if late := time.Since(began) - freezes; late > 2200*time.Millisecond {
		t.Errorf("called live for %v", late)
	}
	if st.Reason != "Far stopped answering 1 s ago" || st.Attempt != 1 {
		t.Errorf("%q, attempt %d", st.Reason, st.Attempt)
	}
}

// stays fails the test when it is not live until so many pictures arrived in the
// newest session.
func stays(t *testing.T, far *sink.Server, state func() relay.Status, pictures int) {
	t.Helper()
	testkit.Eventually(t, 20*time.Second, func() bool {
		if st := state(); st.State != relay.Live {
			t.Fatalf("%s: %s", st.State, st.Reason)
		}
		return far.Last("key").Tally().Pictures > pictures
	}, "%d pictures arrive", pictures)
}

func TestAServerThatDoesNotKnowPingsStaysLive(t *testing.T) {
	t.Parallel()
	far := farEnd(t, nil)
	far.Behave(func(string) sink.Behaviour { return sink.Behaviour{Pinged: sink.Ignores, NoAcks: true} })
	stays(t, far, live(t, far), 6*relaytest.FrameRate)
}

func TestAServerThatHangsUpAtAPingIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	far := farEnd(t, nil)
	far.Behave(func(string) sink.Behaviour { return sink.Behaviour{Pinged: sink.HangsUp} })
	state := live(t, far)
	stays(t, far, state, 4*relaytest.FrameRate)
	if st := state(); st.Attempt != 2 {
		t.Errorf("%d attempts", st.Attempt)
	}
}
