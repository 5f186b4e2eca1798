package control

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"obvan/ingest"
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
				ladder, ok := s.rooms.Program.(Ladder)
				if !ok {
					return nothing{}, errNoLadder()
				}
				ladder.Hold(args.On)
				if args.On {
					s.did(ctx, "holds the program where it is")
				} else {
					s.did(ctx, "lets the program follow its ladder")
				}
				return nothing{}, nil
			}, ErrRefused),

		command("program.rung", Operator, "Put the program on a rung of its ladder.",
			func(ctx context.Context, s *Studio, args RungArgs) (nothing, error) {
				ladder, ok := s.rooms.Program.(Ladder)
				if !ok {
					return nothing{}, errNoLadder()
				}
				if err := ladder.Force(args.Rung); err != nil {
					return nothing{}, fmt.Errorf("rung %s: %w", quote(args.Rung), err)
				}
				s.did(ctx, "put the program on %s", args.Rung)
				return nothing{}, nil
			}, ErrNotFound, ErrRefused),

		command("program.backups", Director, "Choose the feeds that take over when the mixer's output dies.",
			func(ctx context.Context, s *Studio, args BackupsArgs) (nothing, error) {
				return nothing{}, s.setBackups(ctx, args.Feeds)
			}, ingest.ErrBadName, ErrRefused),
	}
}

func errNoLadder() error { return fmt.Errorf("%w: this program has no ladder", ErrRefused) }

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
	ladder, ok := s.rooms.Program.(Ladder)
	if !ok {
		return errNoLadder()
	}
	if err := s.edit(ctx, func(k *kept, _ *secrets) error {
		k.Backups = slices.Clone(feeds)
		ladder.SetBackups(k.Backups)
		return nil
	}); err != nil {
		return err
	}
	s.did(ctx, "set the program's backups to %s", or(strings.Join(feeds, ", "), "none"))
	return nil
}
