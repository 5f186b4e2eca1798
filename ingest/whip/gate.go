package whip

import (
	"sync"
	"time"

	"obvan/ingest"
	"obvan/media"
)

// patience is how long pictures are left out after a loss. Then they are let through
// as they are: an encoder that makes no key pictures must not go black.
const patience = 3 * time.Second

// gate stands between the packets and the feed. After a loss it lets no picture
// through until the next key picture: the others refer to what never came, and would
// smear on every screen. It also knows when a key picture is wanted.
type gate struct {
	mu      sync.Mutex
	feed    *ingest.Feed
	closed  bool
	readers sync.WaitGroup // of the tracks that were claimed

	picture, sound bool      // have been claimed
	ssrc           uint32    // of the picture
	broken         time.Time // since when pictures are left out; zero while they are whole
	key            time.Time // when the last key picture came
}

func newGate(feed *ingest.Feed) *gate { return &gate{feed: feed} }

// claim gives out the one picture and the one sound.
func (g *gate) claim(picture bool, ssrc uint32) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	taken := &g.sound
	if picture {
		taken = &g.picture
	}
	if *taken || g.closed {
		return false
	}
	*taken = true
	g.readers.Add(1)
	if picture {
		g.ssrc = ssrc
	}
	return true
}

// SetTracks implements rtp.Sink.
func (g *gate) SetTracks(tracks media.Tracks) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.feed.SetTracks(tracks)
	}
}

// Aligned implements rtp.Sink.
func (g *gate) Aligned() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.feed.Aligned()
	}
}

// Write implements rtp.Sink.
func (g *gate) Write(au media.AccessUnit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	if tracks := g.feed.Tracks(); tracks.Video() == au.Track {
		if au.Key {
			g.key, g.broken = au.Arrived, time.Time{}
		}
		if !g.broken.IsZero() && au.Arrived.Sub(g.broken) < patience {
			return
		}
	}
	g.feed.Write(au)
}

// lost is told that packets are missing for good.
func (g *gate) lost(picture bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if picture && g.broken.IsZero() {
		g.broken = time.Now()
	}
}

// wantsKey says whether the camera should be asked for a key picture.
func (g *gate) wantsKey(now time.Time) (ssrc uint32, want bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ssrc, g.picture && (!g.broken.IsZero() || now.Sub(g.key) > keyEvery)
}

// close frees the feed's name, once.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.readers.Wait()
	g.feed.Close()
}
