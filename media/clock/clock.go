// Package clock repairs the timestamps of a stream: whatever a device sends, its
// timeline leaves here growing, and what had to be mended is counted.
package clock

import (
	"sync/atomic"

	"obvan/media"
)

// Counts is what was mended, by kind. It is safe for concurrent use.
type Counts struct {
	Jumps, Backwards, Composition atomic.Uint64
}

// Map is the counts by name, without those that are zero.
func (c *Counts) Map() map[string]uint64 {
	m := map[string]uint64{}
	for name, n := range map[string]*atomic.Uint64{"jumps": &c.Jumps, "backwards": &c.Backwards, "composition": &c.Composition} {
		if v := n.Load(); v > 0 {
			m[name] = v
		}
	}
	return m
}

// Repairer mends one stream. It is for one goroutine; Counts is not.
type Repairer struct {
	Counts Counts
}

// Reset is told of each new generation of tracks.
func (r *Repairer) Reset(tracks media.Tracks) {}

// Fix mends au's times in place.
func (r *Repairer) Fix(au *media.AccessUnit) {}
