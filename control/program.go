package control

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"obvan/ingest"
	"obvan/mixer/program"
)

// HoldArgs is what program.hold takes.
type HoldArgs struct {
	On bool `json:"on" example:"true"` // true keeps what is on air, false lets the ladder climb again
}

// RungArgs is what program.rung takes.
type RungArgs struct {
	Rung string `json:"rung" example:"held"` // "mixer", "held", or the id of a backup feed; "" lets the program choose again
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
				s.rooms.Program.Hold(args.On)
				if args.On {
					s.did(ctx, "holds the program where it is")
				} else {
					s.did(ctx, "lets the program follow its ladder")
				}
				return nothing{}, nil
			}),

		command("program.rung", Operator, "Put the program on a rung of its ladder and keep it there.",
			func(ctx context.Context, s *Studio, args RungArgs) (nothing, error) {
				if err := s.rooms.Program.Force(args.Rung); err != nil {
					return nothing{}, err
				}
				if args.Rung == "" {
					s.did(ctx, "lets the program choose its rung")
				} else {
					s.did(ctx, "put the program on %s", s.called(args.Rung))
				}
				return nothing{}, nil
			}, program.ErrNoRung),

		command("program.backups", Director, "Choose the feeds that take over when the mixer's output dies.",
			func(ctx context.Context, s *Studio, args BackupsArgs) (nothing, error) {
				return nothing{}, s.setBackups(ctx, args.Feeds)
			}, ingest.ErrBadName),
	}
}

// setBackups keeps the program's backup feeds and hands them to it.
func (s *Studio) setBackups(ctx context.Context, feeds []string) error {
	if len(feeds) > mostBackups {
		return badf("the argument feeds may name at most %d", mostBackups)
	}
	for _, id := range feeds {
		if err := ingest.CheckName(id); err != nil {
			return fmt.Errorf("backup %s: %w", quote(id), err)
		}
	}
	if err := s.edit(ctx, func(k *kept, _ *secrets) error {
		k.Backups = slices.Clone(feeds)
		s.rooms.Program.SetBackups(k.Backups)
		return nil
	}); err != nil {
		return err
	}
	s.did(ctx, "set the program's backups to %s", or(strings.Join(feeds, ", "), "none"))
	return nil
}
