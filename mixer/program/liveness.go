package program

import (
	"time"

	"obvan/hub"
)

// liveness is whether a stream delivers video, as its counters show it.
type liveness struct {
	published      bool // it has a publisher
	hasVideo       bool // it has a video track
	frames         uint64
	keyframes      uint64
	lastFrame      time.Time     // when a video frame last arrived; zero when none ever did
	healthySince   time.Time     // zero when it is not healthy
	timeout        time.Duration // how long it may send no video
	fault          Fault         // the failover trigger it has, "" for none
	awaitsKeyframe bool          // it has to send a keyframe before it can come on air
}

// update reads the stream's counters. They, and not the times in them, say whether
// frames arrive: a wall clock that is set does not make a stream lose its signal.
func (p *liveness) update(h *hub.Hub, name string, now time.Time) {
	st, ok := h.Stream(name)
	if !ok {
		*p = liveness{lastFrame: p.lastFrame, timeout: p.timeout}
		return
	}
	if st.Frames != p.frames || st.Keyframes != p.keyframes {
		if !p.published && !st.LastFrame.IsZero() && now.Sub(st.LastFrame) >= p.timeout {
			p.lastFrame = st.LastFrame // first check, and it has sent nothing for a while
		} else if st.Frames > 0 {
			p.lastFrame = now
		}
	}
	p.awaitsKeyframe = p.awaitsKeyframe && st.Keyframes == p.keyframes
	p.published, p.hasVideo = true, st.Tracks.Video() >= 0
	p.frames, p.keyframes = st.Frames, st.Keyframes
	switch {
	case !p.healthy(now):
		p.healthySince = time.Time{}
	case p.healthySince.IsZero():
		p.healthySince = now
	}
}

func (p *liveness) healthy(now time.Time) bool {
	return p.published && p.hasVideo && !p.lastFrame.IsZero() && now.Sub(p.lastFrame) < p.timeout && p.fault == ""
}

// problem says what is wrong with the stream called name.
func (p *liveness) problem(name string) string {
	switch {
	case !p.published && p.lastFrame.IsZero():
		return name + " is not connected"
	case !p.published:
		return name + " has disconnected"
	case !p.hasVideo:
		return name + " has no video track"
	case p.lastFrame.IsZero():
		return name + " has sent no video yet"
	case p.fault != "":
		return name + ": " + p.fault.Text()
	}
	return name + " is sending no video"
}
