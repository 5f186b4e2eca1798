package studio

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"obvan/control"
	"obvan/mixer"
)

// PreviewArgs is what mixer.preview takes.
type PreviewArgs struct {
	Source string `json:"source" example:"cam2"` // a name of the mixer's sources
}

// CutArgs is what mixer.cut takes.
type CutArgs struct {
	Source string     `json:"source,omitempty" example:"cam2"` // a name of the mixer's sources; default: what is in preview
	When   mixer.When `json:"when,omitempty"`                  // "keyframe" waits for the source's next keyframe; default: cut at once
}

// TakeArgs is what mixer.take takes.
type TakeArgs struct {
	Kind       string `json:"kind,omitempty" example:"Fade"`      // a name of the mixer's transitions; default: the current one
	DurationMs int    `json:"durationMs,omitempty" example:"500"` // default: the current duration
}

// StudioModeArgs is what mixer.studioMode takes.
type StudioModeArgs struct {
	On bool `json:"on" example:"true"`
}

// TransitionArgs is what mixer.transition takes.
type TransitionArgs struct {
	Kind       string `json:"kind,omitempty" example:"Fade"`      // a name of the mixer's transitions; default: unchanged
	DurationMs int    `json:"durationMs,omitempty" example:"500"` // default: unchanged
}

// TBarArgs is what mixer.tbar takes.
type TBarArgs struct {
	Position float64 `json:"position" example:"0.5"` // 0 to 1
	Done     bool    `json:"done,omitempty"`         // the T-bar was released: the transition completes, or goes back, automatically
}

const maxTransition = 60_000 // ms

func mixerCommands() []Command {
	return []Command{
		command("mixer.preview", control.Operator, "Put a source in preview.",
			func(ctx context.Context, s *Studio, args PreviewArgs) (none, error) {
				if err := s.deps.Mixer.Preview(ctx, args.Source); err != nil {
					return none{}, err
				}
				s.logAction(ctx, "put %s in preview", s.nameOf(args.Source))
				return none{}, nil
			}, mixer.ErrNoSource, mixer.ErrOffline, mixer.ErrBusy),

		command("mixer.cut", control.Operator, "Cut to a source, or to what is in preview if no source is given.",
			func(ctx context.Context, s *Studio, args CutArgs) (none, error) {
				if args.When != mixer.Instant && args.When != mixer.Keyframe {
					return none{}, control.Invalidf("the argument when must be %q or omitted", mixer.Keyframe)
				}
				source := cmp.Or(args.Source, s.inPreview())
				if err := s.deps.Mixer.Cut(ctx, args.Source, args.When); err != nil {
					return none{}, err
				}
				s.logAction(ctx, "cut to %s", cmp.Or(s.nameOf(source), "preview"))
				return none{}, nil
			}, mixer.ErrNoSource, mixer.ErrNoPreview, mixer.ErrOffline, mixer.ErrBusy),

		command("mixer.take", control.Operator, "Take preview to program with a transition.",
			func(ctx context.Context, s *Studio, args TakeArgs) (none, error) {
				if args.DurationMs < 0 || args.DurationMs > maxTransition {
					return none{}, control.Invalidf("the argument durationMs must be 0 to %d", maxTransition)
				}
				if err := s.deps.Mixer.Take(ctx, mixer.Transition(args)); err != nil {
					return none{}, err
				}
				s.logAction(ctx, "took preview to program (%s)", cmp.Or(args.Kind, "current transition"))
				return none{}, nil
			}, mixer.ErrNoPreview, mixer.ErrNoTransition, mixer.ErrOffline, mixer.ErrBusy),

		command("mixer.studioMode", control.Operator, "Switch the mixer's preview bus on or off.",
			func(ctx context.Context, s *Studio, args StudioModeArgs) (none, error) {
				return none{}, s.studioMode(ctx, args.On)
			}, mixer.ErrOffline, mixer.ErrNotNow, control.ErrUnsupported),
		command("mixer.transition", control.Operator, "Choose the transition used by a take that names none.",
			func(ctx context.Context, s *Studio, args TransitionArgs) (none, error) {
				return none{}, s.chooseTransition(ctx, mixer.Transition(args))
			}, mixer.ErrNoTransition, mixer.ErrOffline, mixer.ErrNotNow, control.ErrUnsupported),
		command("mixer.tbar", control.Operator, "Move the T-bar.",
			func(ctx context.Context, s *Studio, args TBarArgs) (none, error) {
				return none{}, s.moveTBar(ctx, args)
			},
			mixer.ErrOffline, mixer.ErrNotNow, control.ErrUnsupported),
	}
}

// inPreview is the source on the mixer's preview bus.
func (s *Studio) inPreview() (source string) {
	s.store.Read(func(st *control.State) { source = st.Mixer.Preview })
	return source
}

func (s *Studio) studioMode(ctx context.Context, on bool) error {
	m, err := capability[mixer.StudioModer](s, "switching the preview bus")
	if err != nil {
		return err
	}
	if err := m.SetStudioMode(ctx, on); err != nil {
		return err
	}
	s.logAction(ctx, "switched studio mode %s", map[bool]string{true: "on", false: "off"}[on])
	return nil
}

func (s *Studio) chooseTransition(ctx context.Context, t mixer.Transition) error {
	if t.DurationMs < 0 || t.DurationMs > maxTransition {
		return control.Invalidf("the argument durationMs must be 0 to %d", maxTransition)
	}
	if t == (mixer.Transition{}) {
		return control.Invalidf("give the argument kind, durationMs, or both")
	}
	m, err := capability[mixer.StudioModer](s, "selecting a transition")
	if err != nil {
		return err
	}
	if err := m.SetTransition(ctx, t); err != nil {
		return err
	}
	s.logAction(ctx, "selected the transition %s", strings.TrimSpace(t.Kind+" "+duration(t.DurationMs)))
	return nil
}

func duration(ms int) string {
	if ms == 0 {
		return ""
	}
	return fmt.Sprintf("(%d ms)", ms)
}

func (s *Studio) moveTBar(ctx context.Context, args TBarArgs) error {
	if args.Position < 0 || args.Position > 1 {
		return control.Invalidf("the argument position must be 0 to 1")
	}
	m, err := capability[mixer.TBarMover](s, "a T-bar")
	if err != nil {
		return err
	}
	if err := m.MoveTBar(ctx, args.Position, args.Done); err != nil {
		return err
	}
	if args.Done { // one pull is a hundred moves
		s.logAction(ctx, "moved the T-bar")
	}
	return nil
}
