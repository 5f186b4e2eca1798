package whip

import (
	"sync"
	"time"

	"obvan/ingest"
	"obvan/media"
)

// patience is how long pictures are left out after a loss. Then they are let through
// as they are: an encoder that makes no key pictures must not go black.
const maxHold = 3 * time.Second

// gate stands between the packets and the feed. After a loss it lets no picture
// through until the next key picture: the others refer to what never came, and would
// smear on every screen. It also knows when a key picture is wanted.
type keyframeGate struct {
	mu      sync.Mutex
	feed    *ingest.Feed
	closed  bool
	readers sync.WaitGroup // of the tracks that were claimed

	video, audio    bool      // have been claimed
	ssrc            uint32    // of the picture
	incompleteSince time.Time // since when pictures are left out; zero while they are whole
	lastKeyframe    time.Time // when the last key picture came
}

func newKeyframeGate(feed *ingest.Feed) *keyframeGate { return &keyframeGate{feed: feed} }

// claim gives out the one picture and the one sound.
func (g *keyframeGate) claim(video bool, ssrc uint32) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	taken := &g.audio
	if video {
		taken = &g.video
	}
	if *taken || g.closed {
		return false
	}
	*taken = true
	g.readers.Add(1)
	if video {
		g.ssrc = ssrc
	}
	return true
}

// SetTracks implements rtp.Sink.
func (g *keyframeGate) SetTracks(tracks media.Tracks) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.feed.SetTracks(tracks)
	}
}

// Aligned implements rtp.Sink.
func (g *keyframeGate) Aligned() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.feed.Aligned()
	}
}

// Write implements rtp.Sink.
func (g *keyframeGate) Write(au media.AccessUnit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	if tracks := g.feed.Tracks(); tracks.Video() == au.Track {
		if au.Key {
			g.lastKeyframe, g.incompleteSince = au.Arrived, time.Time{}
		}
		if !g.incompleteSince.IsZero() && au.Arrived.Sub(g.incompleteSince) < maxHold {
			return
		}
	}
	g.feed.Write(au)
}

// lost is told that packets are missing for good.
func (g *keyframeGate) noteLoss(video bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if video && g.incompleteSince.IsZero() {
		g.incompleteSince = time.Now()
	}
}

// wantsKey says whether the camera should be asked for a key picture.
func (g *keyframeGate) needsKeyframe(now time.Time) (ssrc uint32, needed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ssrc, g.video && (!g.incompleteSince.IsZero() || now.Sub(g.lastKeyframe) > keyframeEvery)
}

// close frees the feed's name, once.
func (g *keyframeGate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.readers.Wait()
	g.feed.Close()
}
