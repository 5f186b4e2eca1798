package studio

import (
	"context"

	"obvan/control"
	"obvan/mixer"
)

// OutputArgs names what the mixer sends or writes by itself.
type OutputArgs struct {
	Output string `json:"output" example:"stream"` // a name of the mixer's outputs: stream, record, replay, virtualcam
}

func outputCommands() []Command {
	byName := func(name, doc, did string, do func(mixer.OutputSwitch, context.Context, string) error) Command {
		return command(name, control.Director, doc, func(ctx context.Context, s *Studio, args OutputArgs) (none, error) {
			outputs, err := capability[mixer.OutputSwitch](s, "send or write anything by itself")
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
		byName("output.start", "Start what the mixer sends or writes by itself. One that is on stays on.", "started", mixer.OutputSwitch.StartOutput),
		byName("output.stop", "Stop what the mixer sends or writes by itself.", "stopped", mixer.OutputSwitch.StopOutput),
	}
}
