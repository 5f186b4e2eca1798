package studio

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"obvan/control"
	"obvan/control/showfile"
	"obvan/ingest"
	"obvan/internal/text"
	"obvan/mixer/program"
)

// FailoverArgs is what program.failover takes.
type FailoverArgs struct {
	On bool `json:"on" example:"false"` // false keeps the program on its present source, whatever happens to it
}

// LockArgs is what program.lock takes.
type LockArgs struct {
	Level string `json:"level" example:"freeze"` // "mixer", "freeze" (repeat the last frame), or the id of a backup feed; "" unlocks
}

// BackupsArgs is what program.backups takes.
type BackupsArgs struct {
	Feeds []string `json:"feeds" example:"[\"cam3\"]"` // feeds' ids, the first choice first; empty for none
}

// TriggersArgs is what program.triggers takes.
type TriggersArgs struct {
	On []program.Fault `json:"on" example:"[\"freeze\"]"` // "freeze", "black", "silence", "bitrate", "keyframes"; empty: only loss of signal
}

// TimeoutArgs is what program.timeout takes.
type TimeoutArgs struct {
	Ms    int    `json:"ms" example:"500"`                // 250 to 10000; 0 with a level: the same as the others
	Level string `json:"level,omitempty" example:"mixer"` // "mixer", or the id of a backup feed; "" for all that have no timeout of their own
}

const maxBackups = 16

func programCommands() []Command {
	return []Command{
		command("program.failover", control.Operator, "Turn automatic failover of the program on or off.",
			func(ctx context.Context, s *Studio, args FailoverArgs) (none, error) {
				s.deps.Program.SetFailover(args.On)
				if args.On {
					s.logAction(ctx, "enabled automatic failover")
				} else {
					s.logAction(ctx, "disabled automatic failover")
				}
				return none{}, nil
			}),

		command("program.lock", control.Operator, "Lock the program to one source of its failover chain, or unlock it.",
			func(ctx context.Context, s *Studio, args LockArgs) (none, error) {
				if err := s.deps.Program.Lock(args.Level); err != nil {
					return none{}, err
				}
				if args.Level == "" {
					s.logAction(ctx, "unlocked the program")
				} else {
					s.logAction(ctx, "locked the program to %s", s.nameOf(args.Level))
				}
				return none{}, nil
			}, program.ErrNoLevel),

		command("program.backups", control.Director, "Choose the feeds that take over when the program source fails.",
			func(ctx context.Context, s *Studio, args BackupsArgs) (none, error) {
				return none{}, s.setBackups(ctx, args.Feeds)
			}, ingest.ErrBadName),

		command("program.triggers", control.Director, "Choose which faults, besides loss of signal, make the program fail over if a backup is healthy. They are detected from encoded frame sizes, with ffmpeg also from decoded video, and always shown as warnings.",
			func(ctx context.Context, s *Studio, args TriggersArgs) (none, error) {
				return none{}, s.setTriggers(ctx, args.On)
			}, program.ErrNoFault),

		command("program.timeout", control.Director, "Set the signal-loss timeout: how many milliseconds a source may send no video before the program fails over.",
			func(ctx context.Context, s *Studio, args TimeoutArgs) (none, error) {
				return none{}, s.setTimeout(ctx, args)
			}, program.ErrTimeout, program.ErrNoLevel),
	}
}

// setBackups stores the program's backup feeds and hands them to it.
func (s *Studio) setBackups(ctx context.Context, feeds []string) error {
	if len(feeds) > maxBackups {
		return control.Invalidf("the argument feeds may name at most %d", maxBackups)
	}
	for _, id := range feeds {
		if err := ingest.CheckName(id); err != nil {
			return fmt.Errorf("backup %s: %w", text.Quote(id), err)
		}
	}
	if err := s.edit(ctx, func(k *showfile.Show, _ *showfile.Secrets) error {
		s.saveBackups(k, slices.Clone(feeds))
		return nil
	}); err != nil {
		return err
	}
	s.logAction(ctx, "set the program's backups to %s", cmp.Or(strings.Join(feeds, ", "), "none"))
	return nil
}

// saveBackups hands the program its backups; the signal-loss timeout of one that no longer is
// a backup is forgotten.
func (s *Studio) saveBackups(k *showfile.Show, feeds []string) {
	k.Backups, k.Timeouts = feeds, maps.Clone(k.Timeouts)
	maps.DeleteFunc(k.Timeouts, func(level string, _ int) bool { return level != program.LevelMixer && !slices.Contains(feeds, level) })
	s.deps.Program.SetBackups(feeds)
}

func (s *Studio) setTriggers(ctx context.Context, on []program.Fault) error {
	on = slices.Compact(slices.Sorted(slices.Values(on)))
	if err := s.deps.Program.SetTriggers(on); err != nil {
		return err
	}
	if err := s.edit(ctx, func(k *showfile.Show, _ *showfile.Secrets) error { k.Triggers = on; return nil }); err != nil {
		return err
	}
	triggers := []string{"loss of signal"}
	for _, fault := range on {
		triggers = append(triggers, string(fault))
	}
	s.logAction(ctx, "set failover triggers: %s", strings.Join(triggers, ", "))
	return nil
}

func (s *Studio) setTimeout(ctx context.Context, args TimeoutArgs) error {
	if args.Ms < 0 || args.Ms > int(program.MaxTimeout.Milliseconds()) { // before it is multiplied
		return fmt.Errorf("%w: %v to %v", program.ErrTimeout, program.MinTimeout, program.MaxTimeout)
	}
	if err := s.deps.Program.SetTimeout(args.Level, time.Duration(args.Ms)*time.Millisecond); err != nil {
		return err
	}
	if err := s.edit(ctx, func(k *showfile.Show, _ *showfile.Secrets) error { setTimeout(k, args); return nil }); err != nil {
		return err
	}
	switch {
	case args.Level == "":
		s.logAction(ctx, "set the signal-loss timeout to %d ms", args.Ms)
	case args.Ms == 0:
		s.logAction(ctx, "set the signal-loss timeout of %s to the default", s.nameOf(args.Level))
	default:
		s.logAction(ctx, "set the signal-loss timeout of %s to %d ms", s.nameOf(args.Level), args.Ms)
	}
	return nil
}

func setTimeout(k *showfile.Show, args TimeoutArgs) {
	if args.Level == "" {
		k.TimeoutMs = args.Ms
		return
	}
	own := map[string]int{}
	maps.Copy(own, k.Timeouts)
	if own[args.Level] = args.Ms; args.Ms == 0 {
		delete(own, args.Level)
	}
	k.Timeouts = own
}
