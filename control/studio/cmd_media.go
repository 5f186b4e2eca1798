package studio

import (
	"context"

	"obvan/control"
	"obvan/mixer"
)

// MediaArgs names a clip player of the mixer.
type MediaArgs struct {
	Input string `json:"input" example:"Opener"` // a name of the mixer's media inputs
}

func mediaCommands() []Command {
	byInput := func(name, doc, did string, do func(mixer.MediaPlayer, context.Context, string) error) Command {
		return command(name, control.Operator, doc, func(ctx context.Context, s *Studio, args MediaArgs) (none, error) {
			player, err := capability[mixer.MediaPlayer](s, "clip players")
			if err != nil {
				return none{}, err
			}
			if err := do(player, ctx, args.Input); err != nil {
				return none{}, err
			}
			s.logAction(ctx, "%s %s", did, args.Input)
			return none{}, nil
		}, mixer.ErrNoInput, mixer.ErrOffline, mixer.ErrNotNow, control.ErrUnsupported)
	}
	return []Command{
		byInput("media.play", "Resume a clip.", "resumed", mixer.MediaPlayer.PlayMedia),
		byInput("media.pause", "Pause a clip.", "paused", mixer.MediaPlayer.PauseMedia),
		byInput("media.restart", "Play a clip from its start.", "restarted", mixer.MediaPlayer.RestartMedia),
		byInput("media.stop", "Stop a clip.", "stopped", mixer.MediaPlayer.StopMedia),
	}
}
