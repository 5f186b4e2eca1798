package ingest

import (
	"context"
	"net/url"
	"time"
)

// PullState is how a camera that we dial fares.
type PullState struct {
	State   string    // "connecting", "live", "retrying"
	Problem string    // the last error, in words, without credentials
	NextTry time.Time // while retrying
}

// Pulls dials the cameras that do not dial us, and dials them again when they
// fail. Its methods are safe for concurrent use.
type Pulls struct{}

// NewPulls pulls over ways, by URL scheme.
func NewPulls(env Env, ways Protocols) *Pulls { panic("not built yet") }

// Run keeps the pulls going until ctx is done. changed is called after each
// change of a PullState; it must not block.
func (p *Pulls) Run(ctx context.Context, changed func()) error { panic("not built yet") }

// Put pulls feed from u, in place of what it was pulled from before.
func (p *Pulls) Put(feed string, u *url.URL) error { panic("not built yet") }

// Remove stops pulling feed.
func (p *Pulls) Remove(feed string) { panic("not built yet") }

// State is how feed's pull fares; false when it is not pulled.
func (p *Pulls) State(feed string) (PullState, bool) { panic("not built yet") }
