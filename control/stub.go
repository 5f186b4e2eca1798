package control

import (
	"context"
	"obvan/mixer"
)

type Studio struct{ rooms Rooms }
type Rooms struct {
	Mixer   mixer.Mixer
	Program Program
}
type Program interface {
	Hold(bool) error
	Force(string) error
	SetBackups([]string) error
}

func (s *Studio) did(ctx context.Context, format string, args ...any)                 {}
func (s *Studio) setBackups(ctx context.Context, feeds []string) error                { panic(1) }
func (s *Studio) addFeed(ctx context.Context, a FeedAddArgs) (FeedAdded, error)       { panic(1) }
func (s *Studio) updateFeed(ctx context.Context, a FeedUpdateArgs) (FeedAdded, error) { panic(1) }
func (s *Studio) removeFeed(ctx context.Context, id string) error                     { panic(1) }
func (s *Studio) feedKey(ctx context.Context, id string) (FeedKey, error)             { panic(1) }
func (s *Studio) addDestination(ctx context.Context, a DestinationAddArgs) (DestinationAdded, error) {
	panic(1)
}
func (s *Studio) updateDestination(ctx context.Context, a DestinationUpdateArgs) error     { panic(1) }
func (s *Studio) removeDestination(ctx context.Context, id string) error                   { panic(1) }
func (s *Studio) startDestination(ctx context.Context, id string) error                    { panic(1) }
func (s *Studio) stopDestination(ctx context.Context, id string) error                     { panic(1) }
func (s *Studio) retryDestination(ctx context.Context, id string) error                    { panic(1) }
func (s *Studio) goLive(ctx context.Context) (WentLive, error)                             { panic(1) }
func (s *Studio) endShow(ctx context.Context) error                                        { panic(1) }
func (s *Studio) renameShow(ctx context.Context, n string) error                           { panic(1) }
func (s *Studio) createToken(ctx context.Context, a TokenCreateArgs) (TokenCreated, error) { panic(1) }
func (s *Studio) revokeToken(ctx context.Context, n string) error                          { panic(1) }
func (s *Studio) listTokens() []TokenInfo                                                  { panic(1) }
