// Package mixertest is the contract of a vision mixer: every mixer, and every
// fake of one, passes it.
//
//	func TestContract(t *testing.T) {
//		mixertest.Test(t, func(t *testing.T) mixer.Mixer { ... })
//	}
package mixertest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/mixer"
)

// The sources that the mixer under test must have.
const (
	Cam1 = "cam1"
	Cam2 = "cam2"
)

// maxWait is how long a real mixer on a busy machine may take to carry out a command.
// Nothing waits this long when all is well.
const maxWait = 20 * time.Second

// Test runs the contract. start makes a mixer that has the sources "cam1" and
// "cam2", both sending video, and registers its own clean-up; Test calls Run. It may have
// more sources, and anything may be on its buses.
func Test(t *testing.T, start func(t *testing.T) mixer.Mixer) {
	for name, test := range map[string]func(t *testing.T, d *runningMixer){
		"the state names the sources and the buses":   stateIsWhole,
		"a source in preview is not on air":           previewIsNotOnAir,
		"a cut puts the source on air":                cutGoesOnAir,
		"a cut without a source puts preview on air":  cutBringsPreview,
		"a cut may wait for a keyframe":               cutWaitsForKeyframe,
		"a take swaps preview and program":            takeSwaps,
		"takes in a row go back and forth":            takesGoBackAndForth,
		"an unknown source is refused":                unknownSourceIsRefused,
		"an unknown transition is refused":            unknownTransitionIsRefused,
		"a take with an empty preview bus is refused": previewAloneIsTaken,
		"a cut to the source on air succeeds":         cutToItself,
		"concurrent cuts end in a requested state":    concurrentCuts,
		"a cancelled context ends a command":          doneContext,
	} {
		t.Run(name, func(t *testing.T) { test(t, run(t, start(t))) })
	}
	t.Run("a cancelled run ends without an error and sends no more states", func(t *testing.T) {
		d := run(t, start(t))
		d.stop()
		sent := d.count()
		_ = d.m.Preview(shortContext(t), Cam2) // whatever the result, it must return
		if n := d.count(); n != sent {
			t.Fatalf("%d states were sent after Run had returned", n-sent)
		}
	})
	t.Run("a command before the run returns", func(t *testing.T) {
		m := start(t)
		_ = m.Preview(shortContext(t), Cam1)
		_ = m.Cut(shortContext(t), Cam1, mixer.Instant)
		run(t, m)
	})
}

// runningMixer is a mixer that runs, and the states it sent.
type runningMixer struct {
	t      *testing.T
	m      mixer.Mixer
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // Run's, once ended is closed

	mu    sync.Mutex
	state mixer.State
	sent  int
}

func run(t *testing.T, m mixer.Mixer) *runningMixer {
	ctx, cancel := context.WithCancel(context.Background())
	d := &runningMixer{t: t, m: m, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(d.ended)
		d.err = m.Run(ctx, d.changed)
	}()
	t.Cleanup(d.stop)
	d.await("a state at once at the start", func(mixer.State) bool { return d.count() > 0 })
	d.await("connected, with both sources", func(s mixer.State) bool {
		return s.Connected && hasSource(s, Cam1) && hasSource(s, Cam2)
	})
	return d
}

func (d *runningMixer) changed(s mixer.State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state = s
	d.sent++
	switch {
	case s.Kind == "":
		d.t.Error("a state does not say what kind of mixer it is from")
	case s.Sources == nil || s.OnAir == nil || s.OnPreview == nil:
		d.t.Errorf("a list in the state is nil; an empty one is [] in JSON: %+v", s)
	}
}

func (d *runningMixer) stop() {
	d.cancel()
	select {
	case <-d.ended:
		if d.err != nil {
			d.t.Errorf("Run returned %v after cancel", d.err)
		}
	case <-time.After(maxWait):
		d.t.Error("Run did not return after cancel")
	}
}

func (d *runningMixer) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sent
}

func (d *runningMixer) now() mixer.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

// await polls the state, so that the message can show the last one.
func (d *runningMixer) await(what string, fact func(mixer.State) bool) {
	d.t.Helper()
	for deadline := time.Now().Add(maxWait); !fact(d.now()); {
		select {
		case <-time.After(2 * time.Millisecond):
		case <-d.t.Context().Done():
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("the state was never: %s; it is %+v", what, d.now())
		}
	}
}

func (d *runningMixer) onAir(source string) {
	d.t.Helper()
	d.await(source+" on air", func(s mixer.State) bool {
		return s.Program == source && s.Pending == "" && !s.InTransition
	})
}

func (d *runningMixer) inPreview(source string) {
	d.t.Helper()
	d.await(source+" in preview", func(s mixer.State) bool { return s.Preview == source && !s.InTransition })
}

// given brings the mixer to a known state: program on air, preview in preview.
func (d *runningMixer) given(program, preview string) {
	d.t.Helper()
	d.do("cut", func(ctx context.Context) error { return d.m.Cut(ctx, program, mixer.Instant) })
	d.onAir(program)
	d.do("preview", func(ctx context.Context) error { return d.m.Preview(ctx, preview) })
	d.inPreview(preview)
}

// do repeats the command until the mixer is no longer busy.
func (d *runningMixer) do(what string, command func(ctx context.Context) error) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), maxWait)
	defer cancel()
	var err error
	testkit.Eventually(d.t, maxWait, func() bool {
		err = command(ctx)
		return !errors.Is(err, mixer.ErrBusy)
	}, "%s: still busy", what)
	if err != nil {
		d.t.Fatalf("%s: %v", what, err)
	}
}

func shortContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Allow(2*time.Second))
	t.Cleanup(cancel)
	return ctx
}

func hasSource(s mixer.State, name string) bool {
	return slices.ContainsFunc(s.Sources, func(src mixer.Source) bool { return src.Name == name })
}
