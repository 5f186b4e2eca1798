package studio

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"obvan/control"
	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/demo"
	"obvan/relay/selftest"
)

const (
	defaultSelfTest = 20 * time.Second
	selfTestHealthy = 2 // destinations that the faulty ones must not affect
)

// SelfTestArgs is what selftest.run takes.
type SelfTestArgs struct {
	Seconds int `json:"seconds,omitempty" example:"30"` // default: 20; at least 15, at most 600
}

// selfTesting is the self-test that is running, or none.
type selfTesting struct {
	running atomic.Bool        // from its command until its report
	start   chan time.Duration // holds the one that runs until it is started
}

func selfTestCommands() []Command {
	return []Command{
		command("selftest.run", control.Director, "Test how failing destinations are handled: healthy destinations run alongside one of each faulty kind, fed by a test program. The report is in the state; the show and its destinations are not affected.",
			func(ctx context.Context, s *Studio, args SelfTestArgs) (none, error) {
				return none{}, s.startSelfTest(ctx, args)
			}, control.ErrRefused),
	}
}

// startSelfTest starts a self-test, one at a time.
func (s *Studio) startSelfTest(ctx context.Context, args SelfTestArgs) error {
	span := time.Duration(args.Seconds) * time.Second
	if args.Seconds == 0 {
		span = defaultSelfTest
	}
	if span < selftest.Shortest || span > selftest.Longest {
		return control.Invalidf("the argument seconds must be %d to %d", int(selftest.Shortest.Seconds()), int(selftest.Longest.Seconds()))
	}
	if !s.areas.selfTest.running.CompareAndSwap(false, true) {
		return fmt.Errorf("%w: a self-test is already running", control.ErrRefused)
	}
	s.areas.selfTest.start <- span // there is room: no other is running
	s.logAction(ctx, "started a self-test of %d s", int(span.Seconds()))
	return nil
}

// runSelfTests runs the self-tests that are started until ctx is done.
func (s *Studio) runSelfTests(ctx context.Context) {
	for {
		select {
		case span := <-s.areas.selfTest.start:
			s.runSelfTest(ctx, span)
		case <-ctx.Done():
			return
		}
	}
}

// runSelfTest runs one on a hub of its own.
func (s *Studio) runSelfTest(ctx context.Context, span time.Duration) {
	until := time.Now().UTC().Add(span)
	s.store.Update(func(st *control.State) { st.SelfTest = control.SelfTestState{Running: true, Until: &until} })
	within, stop := context.WithCancel(ctx)
	inside := hub.New()
	var camera sync.WaitGroup
	camera.Go(func() {
		u := &url.URL{Scheme: "demo", Host: demo.Cameras[0]}
		if err := demo.Pull(within, u, ingest.Env{Hub: inside, Log: s.log}, hub.Program, func() {}); err != nil {
			s.log.Error("no video for the self-test", "err", err)
		}
	})
	report, err := selftest.Run(within, inside, selfTestHealthy, span)
	stop()
	camera.Wait()
	s.areas.selfTest.running.Store(false) // before the report: whoever sees it may start the next
	if err != nil {
		s.store.Update(func(st *control.State) { st.SelfTest = control.SelfTestState{Problem: "The self-test was cancelled."} })
		return
	}
	s.store.Update(func(st *control.State) { st.SelfTest = control.SelfTestState{Report: &report} })
	level := control.Info
	if !report.OK {
		level = control.Error
	}
	s.logEvent(level, "%s", report.Summary)
}
