package studio

import (
	"context"

	"obvan/control"
	"obvan/ingest"
)

// FeedAddArgs is what feed.add takes.
type FeedAddArgs struct {
	ID   string `json:"id" example:"cam1"`                                // what devices publish to; letters, digits, '.', '_' and '-'
	Name string `json:"name" example:"Camera 1"`                          // what people call it
	URL  string `json:"url,omitempty" example:"rtsp://10.0.0.20/stream1"` // where to pull it from; left out: a device pushes it
	Key  string `json:"key,omitempty" secret:"true"`                      // needed to publish it, from everywhere; left out: one is made that is needed only from off this machine
}

// FeedAdded is what feed.add answers.
type FeedAdded struct {
	ID  string `json:"id" example:"cam1"`
	Key string `json:"key,omitempty" secret:"true" example:"k3yk3yk3yk3yk3yk3yk3yk"` // the key that was made; feed.key shows it again
}

// FeedUpdateArgs is what feed.update takes; what is left out stays.
type FeedUpdateArgs struct {
	ID   string  `json:"id" example:"cam1"`
	Name *string `json:"name,omitempty" example:"Goal camera"`
	URL  *string `json:"url,omitempty"`               // "" ends the pull; credentials written as *** stay what they were
	Key  *string `json:"key,omitempty" secret:"true"` // "" makes a new one that is needed only from off this machine
}

// FeedArgs names a feed.
type FeedArgs struct {
	ID string `json:"id" example:"cam1"`
}

// FeedKey is what feed.key answers.
type FeedKey struct {
	Key string `json:"key" secret:"true" example:"k3yk3yk3yk3yk3yk3yk3yk"` // "" for a feed that is pulled
}

func feedCommands() []Command {
	return []Command{
		command("feed.add", control.Operator, "Add a camera: one that pushes to us, or one that we pull.",
			func(ctx context.Context, s *Studio, args FeedAddArgs) (FeedAdded, error) { return s.addFeed(ctx, args) },
			control.ErrExists, ingest.ErrBadName, ingest.ErrReserved),
		command("feed.update", control.Operator, "Change a camera's name, address or key.",
			func(ctx context.Context, s *Studio, args FeedUpdateArgs) (FeedAdded, error) {
				return s.updateFeed(ctx, args)
			},
			control.ErrNotFound),
		command("feed.remove", control.Operator, "Forget a camera. One that is publishing stays until it leaves.",
			func(ctx context.Context, s *Studio, args FeedArgs) (none, error) {
				return none{}, s.removeFeed(ctx, args.ID)
			}, control.ErrNotFound),
		command("feed.key", control.Operator, "Show the key a camera publishes with.",
			func(ctx context.Context, s *Studio, args FeedArgs) (FeedKey, error) { return s.feedKey(ctx, args.ID) },
			control.ErrNotFound),
	}
}
