package whip

import (
	"sync"
	"time"

	"obvan/ingest"
	"obvan/media"
)

// maxHold is how long video frames are dropped after a loss. Then they pass even if
// damaged: a camera whose encoder makes no keyframes must not go black.
const maxHold = 3 * time.Second

// keyframeGate is between the packets and the feed. After a loss it drops video frames
// until the next keyframe: they refer to lost ones, and would show as smears. It also
// knows when a keyframe is needed.
type keyframeGate struct {
	mu      sync.Mutex
	feed    *ingest.Feed
	closed  bool
	readers sync.WaitGroup // of the claimed tracks

	video, audio    bool      // claimed
	ssrc            uint32    // of the video
	incompleteSince time.Time // since when frames are dropped; zero while nothing is missing
	lastKeyframe    time.Time // when the last keyframe arrived
}

func newKeyframeGate(feed *ingest.Feed) *keyframeGate { return &keyframeGate{feed: feed} }

// claim admits one video track and one audio track.
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

// noteLoss notes that packets are lost for good.
func (g *keyframeGate) noteLoss(video bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if video && g.incompleteSince.IsZero() {
		g.incompleteSince = time.Now()
	}
}

// needsKeyframe reports whether a keyframe should be requested from the camera.
func (g *keyframeGate) needsKeyframe(now time.Time) (ssrc uint32, needed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ssrc, g.video && (!g.incompleteSince.IsZero() || now.Sub(g.lastKeyframe) > keyframeEvery)
}

// close frees the feed's name; called once.
func (g *keyframeGate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.readers.Wait()
	g.feed.Close()
}
