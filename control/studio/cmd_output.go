package studio

import (
	"context"

	"obvan/control"
	"obvan/mixer"
)

// OutputArgs names an output of the mixer's own.
type OutputArgs struct {
	Output string `json:"output" example:"stream"` // a name of the mixer's outputs: stream, record, replay, virtualcam
}

func outputCommands() []Command {
	byName := func(name, doc, did string, do func(mixer.OutputSwitch, context.Context, string) error) Command {
		return command(name, control.Director, doc, func(ctx context.Context, s *Studio, args OutputArgs) (none, error) {
			outputs, err := capability[mixer.OutputSwitch](s, "controlling outputs")
			if err != nil {
				return none{}, err
			}
			if err := do(outputs, ctx, args.Output); err != nil {
				return none{}, err
			}
			s.logAction(ctx, "%s the mixer's %s", did, args.Output)
			return none{}, nil
		}, mixer.ErrNoOutput, mixer.ErrOffline, mixer.ErrBusy, mixer.ErrNotNow, control.ErrUnsupported)
	}
	return []Command{
		byName("output.start", "Start one of the mixer's own outputs, such as its stream or recording. One that is already running is not affected.", "started", mixer.OutputSwitch.StartOutput),
		byName("output.stop", "Stop one of the mixer's own outputs.", "stopped", mixer.OutputSwitch.StopOutput),
	}
}
