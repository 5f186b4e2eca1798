package control

import (
	"context"

	"obvan/mixer"
)

// PreviewArgs is what mixer.preview takes.
type PreviewArgs struct {
	Source string `json:"source" example:"cam2"` // a name of the mixer's sources
}

// CutArgs is what mixer.cut takes.
type CutArgs struct {
	Source string     `json:"source,omitempty" example:"cam2"` // a name of the mixer's sources; left out: what is in preview
	When   mixer.When `json:"when,omitempty"`                  // "keyframe" waits for the source's next key frame; left out: at once
}

// TakeArgs is what mixer.take takes.
type TakeArgs struct {
	Kind       string `json:"kind,omitempty" example:"Fade"`      // a name of the mixer's transitions; left out: the current one
	DurationMs int    `json:"durationMs,omitempty" example:"500"` // left out: the current duration
}

const longestTransition = 60_000 // ms

func mixerCommands() []Command {
	return []Command{
		command("mixer.preview", Operator, "Put a source in preview.",
			func(ctx context.Context, s *Studio, args PreviewArgs) (nothing, error) {
				if err := s.rooms.Mixer.Preview(ctx, args.Source); err != nil {
					return nothing{}, err
				}
				s.did(ctx, "put %s in preview", s.called(args.Source))
				return nothing{}, nil
			}, mixer.ErrNoSource, mixer.ErrOffline, mixer.ErrBusy),

		command("mixer.cut", Operator, "Put a source on air without a transition; without a source, what is in preview.",
			func(ctx context.Context, s *Studio, args CutArgs) (nothing, error) {
				if args.When != mixer.Instant && args.When != mixer.Keyframe {
					return nothing{}, badf("the argument when must be %q or left out", mixer.Keyframe)
				}
				if err := s.rooms.Mixer.Cut(ctx, args.Source, args.When); err != nil {
					return nothing{}, err
				}
				s.did(ctx, "cut to %s", or(s.called(args.Source), "preview"))
				return nothing{}, nil
			}, mixer.ErrNoSource, mixer.ErrNoPreview, mixer.ErrOffline, mixer.ErrBusy),

		command("mixer.take", Operator, "Bring preview on air with a transition.",
			func(ctx context.Context, s *Studio, args TakeArgs) (nothing, error) {
				if args.DurationMs < 0 || args.DurationMs > longestTransition {
					return nothing{}, badf("the argument durationMs must be 0 to %d", longestTransition)
				}
				if err := s.rooms.Mixer.Take(ctx, mixer.Transition(args)); err != nil {
					return nothing{}, err
				}
				s.did(ctx, "took preview with %s", or(args.Kind, "the current transition"))
				return nothing{}, nil
			}, mixer.ErrNoPreview, mixer.ErrNoTransition, mixer.ErrOffline, mixer.ErrBusy),
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
