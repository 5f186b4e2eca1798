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
	selfTestHealthy = 2 // destinations that the bad ones may not hurt
)

// SelfTestArgs is what selftest.run takes.
type SelfTestArgs struct {
	Seconds int `json:"seconds,omitempty" example:"30"` // left out: 20; at least 15, at most 600
}

// drilling is the drill that is on, or none.
type selfTesting struct {
	running atomic.Bool        // from its order until its report
	start   chan time.Duration // holds the one that is on until it is begun
}

func selfTestCommands() []Command {
	return []Command{
		command("selftest.run", control.Director, "Practise failures of destinations: good ones beside one of each bad kind, on a program of its own. The report comes in the state; the show and its destinations notice nothing.",
			func(ctx context.Context, s *Studio, args SelfTestArgs) (none, error) {
				return none{}, s.startSelfTest(ctx, args)
			}, control.ErrRefused),
	}
}

// orderDrill starts a drill, one at a time.
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
	s.areas.selfTest.start <- span // there is room: no other is on
	s.logAction(ctx, "started a self-test of %d s", int(span.Seconds()))
	return nil
}

// runDrills runs the drills that are ordered until ctx is done.
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

// drill runs one on a hub of its own.
func (s *Studio) runSelfTest(ctx context.Context, span time.Duration) {
	until := time.Now().UTC().Add(span)
	s.store.Update(func(st *control.State) { st.SelfTest = control.SelfTestState{Running: true, Until: &until} })
	within, stop := context.WithCancel(ctx)
	inside := hub.New()
	var camera sync.WaitGroup
	camera.Go(func() {
		u := &url.URL{Scheme: "demo", Host: demo.Cameras[0]}
		if err := demo.Pull(within, u, ingest.Env{Hub: inside, Log: s.log}, hub.Program, func() {}); err != nil {
			s.log.Error("no pictures for the drill", "err", err)
		}
	})
	report, err := selftest.Run(within, inside, selfTestHealthy, span)
	stop()
	camera.Wait()
	s.areas.selfTest.running.Store(false) // before it is said: whoever sees the report may order the next
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
