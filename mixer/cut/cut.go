// Package cut is the built-in vision mixer: it cuts between feeds and decodes
// nothing.
package cut

import (
	"log/slog"

	"obvan/hub"
	"obvan/mixer"
)

// Program is what the mixer needs of the program stream; program.Program is one.
type Program interface {
	Follow(stream string, when mixer.When)
	OnAir() (stream string, changed <-chan struct{})
}

// New makes a cut mixer over the feeds that are live in h. Its sources are all
// feeds of h (every stream but hub.Program and ingest.Mixer), plus those that
// SetFeeds names, which may be away.
func New(h *hub.Hub, p Program, log *slog.Logger) *Mixer { panic("not built yet") }

// Mixer is the cut mixer.
type Mixer struct{}
