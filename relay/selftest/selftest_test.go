package selftest_test

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/relay"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
	"obvan/relay/selftest"
	"obvan/relay/selftest/reporttest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// play writes a program in real time until the test ends.
func play(t *testing.T) *relaytest.Program {
	p := relaytest.NewProgram(t, 8000) // 1.6 Mbit/s, and a keyframe every second
	p.WriteFrames(5)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second / relaytest.FrameRate)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.WriteFrame()
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	return p
}

func TestOneOfEachFaultyKindAffectsNoHealthyDestination(t *testing.T) {
	report, err := selftest.Run(t.Context(), play(t).Hub, 2, selftest.Shortest)
	if err != nil {
		t.Fatal(err)
	}
	reporttest.Check(t, &report, 2)
}

func TestASelfTestCanBeStopped(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := selftest.Run(ctx, play(t).Hub, 1, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("err = %v", err)
	}
}

func TestUnknownSelfTestsAreRefused(t *testing.T) {
	p := play(t)
	for _, address := range []string{"selftest://nothing", "selftest://slow?kbps=fast", "selftest://reset?every=now"} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		sub, err := p.Hub.Subscribe("program")
		if err != nil {
			t.Fatal(err)
		}
		if err := selftest.Over(rtmp.New(nil).Push)(t.Context(), u, sub, relay.NewLink(nil)); !errors.Is(err, relay.ErrRefused) {
			t.Errorf("%s: err = %v", address, err)
		}
		sub.Close()
	}
}
