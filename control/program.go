package control

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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

// FallsArgs is what program.falls takes.
type FallsArgs struct {
	On []program.Ill `json:"on" example:"[\"freeze\"]"` // "freeze", "black", "mute", "bitrate", "keys"; empty: only for silence
}

// BudgetArgs is what program.budget takes.
type BudgetArgs struct {
	Ms   int    `json:"ms" example:"500"`               // 250 to 10000; 0 with a rung: as the others
	Rung string `json:"rung,omitempty" example:"mixer"` // "mixer", or the id of a backup feed; "" for all that have no budget of their own
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

		command("program.falls", Director, "Choose what a stream falls for beside silence, where a backup is well. All of it is guessed from coded sizes, and warns in any case.",
			func(ctx context.Context, s *Studio, args FallsArgs) (nothing, error) {
				return nothing{}, s.setFalls(ctx, args.On)
			}, program.ErrNoIll),

		command("program.budget", Director, "Say how many milliseconds a stream may send no picture before it falls.",
			func(ctx context.Context, s *Studio, args BudgetArgs) (nothing, error) {
				return nothing{}, s.setBudget(ctx, args)
			}, program.ErrBudget, program.ErrNoRung),
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
		s.keepBackups(k, slices.Clone(feeds))
		return nil
	}); err != nil {
		return err
	}
	s.did(ctx, "set the program's backups to %s", or(strings.Join(feeds, ", "), "none"))
	return nil
}

// keepBackups hands the program its backups; the budget of one that is none any more is
// forgotten.
func (s *Studio) keepBackups(k *kept, feeds []string) {
	k.Backups, k.Budgets = feeds, maps.Clone(k.Budgets)
	maps.DeleteFunc(k.Budgets, func(rung string, _ int) bool { return rung != program.RungMixer && !slices.Contains(feeds, rung) })
	s.rooms.Program.SetBackups(feeds)
}

func (s *Studio) setFalls(ctx context.Context, on []program.Ill) error {
	on = slices.Compact(slices.Sorted(slices.Values(on)))
	if err := s.rooms.Program.SetFalls(on); err != nil {
		return err
	}
	if err := s.edit(ctx, func(k *kept, _ *secrets) error { k.Falls = on; return nil }); err != nil {
		return err
	}
	words := []string{"silence"}
	for _, ill := range on {
		words = append(words, string(ill))
	}
	s.did(ctx, "has streams fall for %s", strings.Join(words, ", "))
	return nil
}

func (s *Studio) setBudget(ctx context.Context, args BudgetArgs) error {
	if args.Ms < 0 || args.Ms > int(program.MaxBudget.Milliseconds()) { // before it is multiplied
		return fmt.Errorf("budget: %w", program.ErrBudget)
	}
	if err := s.rooms.Program.SetBudget(args.Rung, time.Duration(args.Ms)*time.Millisecond); err != nil {
		return err
	}
	if err := s.edit(ctx, func(k *kept, _ *secrets) error { k.budget(args); return nil }); err != nil {
		return err
	}
	switch {
	case args.Rung == "":
		s.did(ctx, "has streams fall after %d ms without a picture", args.Ms)
	case args.Ms == 0:
		s.did(ctx, "has %s fall when the others do", s.called(args.Rung))
	default:
		s.did(ctx, "has %s fall after %d ms without a picture", s.called(args.Rung), args.Ms)
	}
	return nil
}

func (k *kept) budget(args BudgetArgs) {
	if args.Rung == "" {
		k.BudgetMs = args.Ms
		return
	}
	own := map[string]int{}
	maps.Copy(own, k.Budgets)
	if own[args.Rung] = args.Ms; args.Ms == 0 {
		delete(own, args.Rung)
	}
	k.Budgets = own
}

// restoreLadder hands the program what was kept of its ladder. What a newer studio kept
// and this one does not know is left out.
func (s *Studio) restoreLadder(k *kept) {
	s.rooms.Program.SetBackups(k.Backups)
	if len(k.Falls) > 0 {
		if err := s.rooms.Program.SetFalls(k.Falls); err != nil {
			s.note(Error, "What streams fall for is not restored: %v.", err)
		}
	}
	budgets := maps.Clone(k.Budgets)
	if k.BudgetMs > 0 {
		if budgets == nil {
			budgets = map[string]int{}
		}
		budgets[""] = k.BudgetMs
	}
	for _, rung := range slices.Sorted(maps.Keys(budgets)) {
		if err := s.rooms.Program.SetBudget(rung, time.Duration(budgets[rung])*time.Millisecond); err != nil {
			s.note(Error, "The program's budget is not restored: %v.", err)
		}
	}
}
