// Package program makes the hub stream "program": the unbroken stream that every
// output follows, whatever happens to the mixer behind it.
//
// Downstream never sees a seam: decode time only grows, audio stays on its frame
// grid, and a splice happens on a key frame with that source's parameter sets.
// Rungs of the ladder, best first: the mixer's output, the backup feeds, the held
// picture.
package program

import (
	"context"
	"log/slog"
	"time"

	"obvan/hub"
	"obvan/mixer"
)

// State is what is on air and why.
type State struct {
	OnAir   string    `json:"onAir"`             // the hub stream that is on air now; "" while the last picture is held
	Target  string    `json:"target"`            // the stream that should be: the mixer's output
	Pending string    `json:"pending,omitempty"` // a stream that waits for its key frame
	Since   time.Time `json:"since"`             // of this OnAir
	Rung    string    `json:"rung"`              // "mixer", "backup", "held", or "none" before the first picture
	Why     string    `json:"why,omitempty"`     // in words, when it is not the mixer's output
	Hold    bool      `json:"hold,omitempty"`    // the operator keeps this rung
	Backups []string  `json:"backups,omitempty"` // feeds to fall to, in order
	Splices uint64    `json:"splices"`           // changes of source so far
}

// Program writes the program. Its methods are safe for concurrent use.
type Program struct{}

// New claims the stream "program" in h.
func New(h *hub.Hub, log *slog.Logger) (*Program, error) { panic("not built yet") }

// Run keeps the program going until ctx is done. changed gets each new state.
func (p *Program) Run(ctx context.Context, changed func(State)) error { panic("not built yet") }

// Follow makes stream the program's source, from its next possible splice on.
// done, when not nil, is called once with what became of it: nil on air.
func (p *Program) Follow(stream string, when mixer.When) { panic("not built yet") }

// OnAir is the stream on air, and a channel that closes when that changes.
func (p *Program) OnAir() (stream string, changed <-chan struct{}) { panic("not built yet") }
