package studio

import (
	"context"

	"obvan/control"
	"obvan/relay"
)

// DestinationAddArgs is what destination.add takes.
type DestinationAddArgs struct {
	ID         string `json:"id,omitempty"`                                         // left out: made from the name
	Name       string `json:"name" example:"Main channel"`                          // what people call it
	URL        string `json:"url" example:"rtmp://a.rtmp.youtube.com/live2"`        // without the key; of WHIP (https://) the path may be one, and is never shown again
	Key        string `json:"key,omitempty" secret:"true" example:"abcd-efgh-ijkl"` // the platform's stream key, of WHIP the bearer token; it is never shown again
	BackupURL  string `json:"backupUrl,omitempty"`                                  // tried in turn with url, or see twins
	SendToBoth bool   `json:"sendToBoth,omitempty"`                                 // to url and backupUrl at once: for platforms whose preset says so
	Platform   string `json:"platform,omitempty" example:"youtube"`                 // a preset's name
	Enabled    *bool  `json:"enabled,omitempty"`                                    // show.live starts it; left out: true
	DelayMs    int64  `json:"delayMs,omitempty"`                                    // how far it stays behind the program, at most 60000
	MaxKbps    int    `json:"maxKbps,omitempty"`                                    // pictures are left out above it, on average over seconds; 0 is no limit
}

// DestinationAdded is what destination.add answers.
type DestinationAdded struct {
	ID string `json:"id" example:"main-channel"`
}

// DestinationUpdateArgs is what destination.update takes; what is left out stays.
type DestinationUpdateArgs struct {
	ID         string  `json:"id" example:"main-channel"`
	Name       *string `json:"name,omitempty"`
	URL        *string `json:"url,omitempty"`                                        // secrets written as *** stay what they were; another host needs the key again
	Key        *string `json:"key,omitempty" secret:"true" example:"mnop-qrst-uvwx"` // "" takes it away
	BackupURL  *string `json:"backupUrl,omitempty"`
	SendToBoth *bool   `json:"sendToBoth,omitempty"` // on air, only the connection concerned is begun or ended
	Platform   *string `json:"platform,omitempty"`
	Enabled    *bool   `json:"enabled,omitempty"`
	DelayMs    *int64  `json:"delayMs,omitempty"`
	MaxKbps    *int    `json:"maxKbps,omitempty"` // on air, it counts at once
}

// DestinationArgs names a destination.
type DestinationArgs struct {
	ID string `json:"id" example:"main-channel"`
}

func destinationCommands() []Command {
	byID := func(name, doc string, do func(*Studio, context.Context, string) error) Command {
		return command(name, control.Director, doc, func(ctx context.Context, s *Studio, args DestinationArgs) (none, error) {
			return none{}, do(s, ctx, args.ID)
		}, relay.ErrUnknown)
	}
	return []Command{
		command("destination.add", control.Director, "Add a destination. It is not started.",
			func(ctx context.Context, s *Studio, args DestinationAddArgs) (DestinationAdded, error) {
				return s.addDestination(ctx, args)
			}, relay.ErrExists, relay.ErrAddress),
		command("destination.update", control.Director, "Change a destination. One that is on air reconnects when its address, key or delay changed.",
			func(ctx context.Context, s *Studio, args DestinationUpdateArgs) (none, error) {
				return none{}, s.updateDestination(ctx, args)
			}, relay.ErrUnknown, relay.ErrAddress),
		byID("destination.remove", "Stop a destination and forget it and its key.", (*Studio).removeDestination),
		byID("destination.start", "Send the program to a destination.", (*Studio).startDestination),
		byID("destination.stop", "Stop sending to a destination.", (*Studio).stopDestination),
		byID("destination.retry", "Try a destination again now, also one that refused.", (*Studio).retryDestination),
	}
}
