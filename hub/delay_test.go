package hub_test

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
)

func TestADelayedReaderStartsAtAKeyframeAndStaysBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const delay = 40 * time.Second
		h := hub.New()
		p := publish(t, h, "program")
		n := 0
		write := func(d time.Duration) {
			for range int(d * 30 / time.Second) {
				p.Write(videoFrame(n, n%60 == 0))
				n++
				time.Sleep(time.Second / 30)
			}
		}
		h.Keep("program", delay+hub.DefaultKeep)
		write(10 * time.Second)
		s := subscribe(t, h, "program")
		if left, ready := s.Delay(delay); ready || left < 29*time.Second || left > 31*time.Second {
			t.Fatalf("ready %v, %v left", ready, left)
		}
		if _, err := s.TryNext(); !errors.Is(err, hub.ErrNotYet) {
			t.Fatalf("err = %v before the delay is full", err)
		}
		write(51 * time.Second) // 61 s in all: 21 s are due
		if _, ready := s.Delay(delay); !ready {
			t.Fatal("not ready")
		}
		for want := 600; want < 620; want++ {
			if au, err := s.TryNext(); err != nil || number(au) != want {
				t.Fatalf("got %d %v, want %d", number(au), err, want)
			}
		}
		if skipped := s.SkipToKeyframe(); skipped != 0 {
			t.Errorf("skipped %d: the next keyframe is not due", skipped)
		}
		for range 300 { // ten seconds: each unit is read when it is due, no sooner, no later
			write(time.Second / 30)
			longest := 2 * time.Second // until it has caught up
			if n > 1850 {
				longest = time.Second / 20
			}
			readsWhatIsDue(t, s, delay, longest)
		}
		if s.Lost() != 0 || s.Latency() > time.Second/10 {
			t.Errorf("lost %d, %v behind", s.Lost(), s.Latency())
		}
		p.Close()
		if _, err := s.TryNext(); !errors.Is(err, io.EOF) {
			t.Errorf("err = %v after the end", err)
		}
	})
}

// readsWhatIsDue reads all due units and checks that each is at least delay old, and late by at most longest.
func readsWhatIsDue(t *testing.T, s *hub.Subscriber, delay, longest time.Duration) {
	t.Helper()
	for {
		au, err := s.TryNext()
		if err != nil {
			break
		}
		if late := time.Since(au.Arrived) - delay; late < 0 || late > longest {
			t.Fatalf("unit %d is %v late", number(au), late)
		}
	}
	select {
	case <-s.Ready():
		if _, err := s.TryNext(); err != nil {
			t.Fatal("woken with nothing to read")
		}
	default:
	}
}
