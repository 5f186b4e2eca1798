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
			outputs, err := capability[mixer.OutputSwitch](s, "outputs of its own")
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
		byName("output.start", "Start an output of the mixer's own: a stream, a recording. One that is running keeps running.", "started", mixer.OutputSwitch.StartOutput),
		byName("output.stop", "Stop an output of the mixer's own.", "stopped", mixer.OutputSwitch.StopOutput),
	}
}
