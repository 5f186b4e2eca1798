package control

import "context"

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
		command("show.live", Director, "Go live: start every enabled destination.",
			func(ctx context.Context, s *Studio, _ nothing) (WentLive, error) { return s.goLive(ctx) }),
		command("show.end", Director, "End the show: stop every destination.",
			func(ctx context.Context, s *Studio, _ nothing) (nothing, error) { return nothing{}, s.endShow(ctx) }),
		command("show.rename", Director, "Give the show another name.",
			func(ctx context.Context, s *Studio, args RenameArgs) (nothing, error) {
				return nothing{}, s.renameShow(ctx, args.Name)
			}),
	}
}
