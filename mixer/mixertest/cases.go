package mixertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"obvan/mixer"
)

func stateIsWhole(t *testing.T, d *runningMixer) {
	d.given(Cam1, Cam2)
	s := d.now()
	if !s.StudioMode || !hasSource(s, Cam1) || !hasSource(s, Cam2) || s.Problem != "" {
		t.Fatalf("state = %+v", s)
	}
	if s.Output == "" {
		t.Fatal("the state does not say which stream carries the program")
	}
}

func previewIsNotOnAir(t *testing.T, d *runningMixer) {
	d.given(Cam1, Cam2)
	d.do("preview", func(ctx context.Context) error { return d.m.Preview(ctx, Cam1) })
	d.inPreview(Cam1)
	d.do("preview", func(ctx context.Context) error { return d.m.Preview(ctx, Cam2) })
	d.inPreview(Cam2)
	if s := d.now(); s.Program != Cam1 || s.Pending != "" {
		t.Fatalf("state = %+v", s)
	}
}

func cutGoesOnAir(t *testing.T, d *runningMixer) {
	d.given(Cam1, Cam2)
	for _, cam := range []string{Cam2, Cam1, Cam2} {
		d.do("cut", func(ctx context.Context) error { return d.m.Cut(ctx, cam, mixer.Instant) })
		d.onAir(cam)
	}
}

func cutBringsPreview(t *testing.T, d *runningMixer) {
	d.given(Cam1, Cam2)
	d.do("cut", func(ctx context.Context) error { return d.m.Cut(ctx, "", mixer.Instant) })
	d.onAir(Cam2)
	d.inPreview(Cam1)
}

func cutWaitsForKeyframe(t *testing.T, d *runningMixer) {
	d.given(Cam1, Cam2)
	d.do("cut", func(ctx context.Context) error { return d.m.Cut(ctx, Cam2, mixer.Keyframe) })
	d.onAir(Cam2)
}

func takeSwaps(t *testing.T, d *runningMixer) {
	d.given(Cam1, Cam2)
	d.do("take", func(ctx context.Context) error { return d.m.Take(ctx, mixer.Transition{}) })
	d.onAir(Cam2)
	d.inPreview(Cam1)
}

func takesGoBackAndForth(t *testing.T, d *runningMixer) {
	d.given(Cam1, Cam2)
	kinds := d.now().Transitions
	if len(kinds) == 0 {
		t.Fatal("the state lists no transition, but a take needs one")
	}
	for _, next := range []string{Cam2, Cam1, Cam2} {
		d.do("take", func(ctx context.Context) error {
			return d.m.Take(ctx, mixer.Transition{Kind: kinds[0], DurationMs: 50})
		})
		d.onAir(next)
	}
	d.inPreview(Cam1)
}

func unknownSourceIsRefused(t *testing.T, d *runningMixer) {
	d.given(Cam1, Cam2)
	if err := d.m.Preview(shortContext(t), "no such camera"); !errors.Is(err, mixer.ErrNoSource) {
		t.Errorf("preview: err = %v", err)
	}
	if err := d.m.Preview(shortContext(t), ""); !errors.Is(err, mixer.ErrNoSource) {
		t.Errorf("preview of nothing: err = %v", err)
	}
	if err := d.m.Cut(shortContext(t), "no such camera", mixer.Instant); !errors.Is(err, mixer.ErrNoSource) {
		t.Errorf("cut: err = %v", err)
	}
	if s := d.now(); s.Program != Cam1 || s.Preview != Cam2 || s.Pending != "" {
		t.Errorf("a refused command changed the buses: %+v", s)
	}
}

func unknownTransitionIsRefused(t *testing.T, d *runningMixer) {
	d.given(Cam1, Cam2)
	if err := d.m.Take(shortContext(t), mixer.Transition{Kind: "no such transition"}); !errors.Is(err, mixer.ErrNoTransition) {
		t.Errorf("err = %v", err)
	}
	if s := d.now(); s.Program != Cam1 || s.Preview != Cam2 || s.InTransition {
		t.Errorf("a refused take changed the buses: %+v", s)
	}
}

// previewAloneIsTaken checks that a take with an empty preview bus is refused. OBS always
// has something in preview; its bus is empty once studio mode is off. A mixer whose bus
// can't be emptied must put exactly what its state names on air.
func previewAloneIsTaken(t *testing.T, d *runningMixer) {
	m, leaves := d.m.(mixer.StudioModer)
	switch in := d.now().Preview; {
	case in == "":
	case leaves:
		d.do("studio mode off", func(ctx context.Context) error { return m.SetStudioMode(ctx, false) })
		d.await("no preview", func(s mixer.State) bool { return !s.StudioMode && s.Preview == "" && len(s.OnPreview) == 0 })
	default:
		d.do("take", func(ctx context.Context) error { return d.m.Take(ctx, mixer.Transition{}) })
		d.onAir(in)
		return
	}
	if err := d.m.Take(shortContext(t), mixer.Transition{}); !errors.Is(err, mixer.ErrNoPreview) {
		t.Errorf("take: err = %v", err)
	}
	if err := d.m.Cut(shortContext(t), "", mixer.Instant); !errors.Is(err, mixer.ErrNoPreview) {
		t.Errorf("cut: err = %v", err)
	}
	if leaves {
		d.do("studio mode on", func(ctx context.Context) error { return m.SetStudioMode(ctx, true) })
		d.await("preview again", func(s mixer.State) bool { return s.StudioMode && s.Preview != "" })
	}
}

func cutToItself(t *testing.T, d *runningMixer) {
	d.given(Cam1, Cam2)
	d.do("cut", func(ctx context.Context) error { return d.m.Cut(ctx, Cam1, mixer.Instant) })
	d.onAir(Cam1)
}

func concurrentCuts(t *testing.T, d *runningMixer) {
	d.given(Cam1, Cam2)
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			err := d.m.Cut(shortContext(t), []string{Cam1, Cam2}[n%2], mixer.Instant)
			if err != nil && !errors.Is(err, mixer.ErrBusy) {
				t.Errorf("cut: %v", err)
			}
		})
	}
	all.Wait()
	d.await("one of the two on air, nothing pending", func(s mixer.State) bool {
		return (s.Program == Cam1 || s.Program == Cam2) && s.Pending == "" && !s.InTransition
	})
	d.given(Cam2, Cam1) // it still carries out commands, and the state agrees
}

func doneContext(t *testing.T, d *runningMixer) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	came := make(chan struct{})
	go func() {
		defer close(came)
		_ = d.m.Preview(ctx, Cam1) // done or refused: both are allowed
	}()
	select {
	case <-came:
	case <-time.After(maxWait):
		t.Error("the command never returned")
	}
	d.given(Cam1, Cam2)
}
