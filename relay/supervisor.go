package relay

import (
	"context"
	"log/slog"

	"obvan/hub"
)

// Relay supervises the destinations. Its methods are safe for concurrent use.
type Relay struct{}

// New makes a relay of h's program over outputs, by URL scheme.
func New(h *hub.Hub, outputs Protocols, log *slog.Logger) *Relay { panic("not built yet") }

// Run keeps the started destinations going until ctx is done and each has
// unpublished. changed gets all statuses whenever one changed, and once a second
// while one is started; it must not block.
func (r *Relay) Run(ctx context.Context, changed func([]Status)) error { panic("not built yet") }

// Put adds a destination or replaces the one with its ID. One that is started and
// whose address or key changed reconnects. ErrUnsupported for an unknown scheme.
func (r *Relay) Put(d Destination, key string) error { panic("not built yet") }

// Remove stops a destination and forgets it. ErrUnknown.
func (r *Relay) Remove(id string) error { panic("not built yet") }

// Start connects a destination, or retries now when it waits. ErrUnknown.
func (r *Relay) Start(id string) error { panic("not built yet") }

// Stop ends it with a proper unpublish. ErrUnknown.
func (r *Relay) Stop(id string) error { panic("not built yet") }

// Statuses is how all destinations fare, in the order they were added.
func (r *Relay) Statuses() []Status { panic("not built yet") }
