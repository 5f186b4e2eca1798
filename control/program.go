package control

import (
	"context"
	"fmt"
)

// HoldArgs is what program.hold takes.
type HoldArgs struct {
	On bool `json:"on" example:"true"` // true keeps what is on air, false lets the ladder climb again
}

// RungArgs is what program.rung takes.
type RungArgs struct {
	Rung string `json:"rung" example:"held"` // "mixer", "held", or the id of a backup feed
}

// BackupsArgs is what program.backups takes.
type BackupsArgs struct {
	Feeds []string `json:"feeds" example:"[\"cam3\"]"` // feeds' ids, the first choice first; empty for none
}

const mostBackups = 16

func programCommands() []Command {
	return []Command{
		command("program.hold", Operator, "Keep the program on its rung of the ladder, or let it climb and fall by itself again.",
			func(ctx context.Context, s *Studio, args HoldArgs) (nothing, error) {
				if err := s.rooms.Program.Hold(args.On); err != nil {
					return nothing{}, fmt.Errorf("hold: %w", err)
				}
				if args.On {
					s.did(ctx, "holds the program where it is")
				} else {
					s.did(ctx, "lets the program follow the ladder")
				}
				return nothing{}, nil
			}),

		command("program.rung", Operator, "Put the program on a rung of its ladder.",
			func(ctx context.Context, s *Studio, args RungArgs) (nothing, error) {
				if err := s.rooms.Program.Force(args.Rung); err != nil {
					return nothing{}, fmt.Errorf("rung %s: %w", quote(args.Rung), err)
				}
				s.did(ctx, "put the program on %s", args.Rung)
				return nothing{}, nil
			}, ErrNotFound),

		command("program.backups", Director, "Choose the feeds that take over when the mixer's output dies.",
			func(ctx context.Context, s *Studio, args BackupsArgs) (nothing, error) {
				return nothing{}, s.setBackups(ctx, args.Feeds)
			}),
	}
}
