package studio

import (
	"context"
	"strings"
	"time"

	"obvan/control"
	"obvan/control/showfile"
)

// RenameArgs is what show.rename takes.
type RenameArgs struct {
	Name string `json:"name" example:"Cup final"`
}

// WentLive is what show.live answers.
type WentLive struct {
	Started []string `json:"started" example:"[\"main-channel\"]"` // ids of the destinations that were started
}

func showCommands() []Command {
	return []Command{
		command("show.live", control.Director, "Go live: start every enabled destination.",
			func(ctx context.Context, s *Studio, _ none) (WentLive, error) { return s.goLive(ctx) }),
		command("show.end", control.Director, "End the show: stop every destination.",
			func(ctx context.Context, s *Studio, _ none) (none, error) { return none{}, s.endShow(ctx) }),
		command("show.rename", control.Director, "Rename the show.",
			func(ctx context.Context, s *Studio, args RenameArgs) (none, error) {
				return none{}, s.renameShow(ctx, args.Name)
			}),
	}
}

// goLive starts every enabled destination. One that can't be started does not affect the
// others: its state says why.
func (s *Studio) goLive(ctx context.Context) (WentLive, error) {
	live := WentLive{Started: []string{}}
	var failed []string
	err := s.edit(ctx, func(k *showfile.Show, _ *showfile.Secrets) error {
		if !k.Live {
			now := time.Now().UTC()
			k.Live, k.Since = true, &now
		}
		for i := range k.Destinations {
			d := &k.Destinations[i]
			if !d.Enabled {
				continue
			}
			if err := s.deps.Relay.Start(d.ID); err != nil {
				failed = append(failed, d.Name)
				continue
			}
			d.Started = true
			live.Started = append(live.Started, d.ID)
		}
		return nil
	})
	if err != nil {
		return WentLive{}, err
	}
	s.logAction(ctx, "went live")
	if len(failed) > 0 {
		s.logEvent(control.Error, "Could not start: %s.", strings.Join(failed, ", "))
	}
	return live, nil
}

// endShow stops every destination.
func (s *Studio) endShow(ctx context.Context) error {
	err := s.edit(ctx, func(k *showfile.Show, _ *showfile.Secrets) error {
		k.Live, k.Since = false, nil
		for i := range k.Destinations {
			k.Destinations[i].Started = false
			if err := s.deps.Relay.Stop(k.Destinations[i].ID); err != nil {
				s.log.Warn("can't stop a destination", "dest", k.Destinations[i].ID, "err", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.logAction(ctx, "ended the show")
	return nil
}

func (s *Studio) renameShow(ctx context.Context, name string) error {
	name, err := checkName(name)
	if err != nil {
		return err
	}
	if err := s.edit(ctx, func(k *showfile.Show, _ *showfile.Secrets) error { k.Name = name; return nil }); err != nil {
		return err
	}
	s.logAction(ctx, "renamed the show to %s", name)
	return nil
}
