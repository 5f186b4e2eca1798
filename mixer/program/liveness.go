package program

import (
	"time"

	"obvan/hub"
)

// pulse is a stream's health as its counters show it.
type liveness struct {
	published      bool // it has a publisher
	hasVideo       bool // it has a picture track
	frames         uint64
	keyframes      uint64
	lastFrame      time.Time     // when a picture last came; zero when none ever did
	healthySince   time.Time     // it is well since then; zero when it is not
	timeout        time.Duration // how long it may send no picture
	fault          Fault         // what it would fall for
	awaitsKeyframe bool          // it has to send a key frame before it can come on air
}

// look takes the pulse anew. The counters, not their time stamps, say whether
// pictures come: a wall clock that is set does not make a stream silent.
func (p *liveness) update(h *hub.Hub, name string, now time.Time) {
	st, ok := h.Stream(name)
	if !ok {
		*p = liveness{lastFrame: p.lastFrame, timeout: p.timeout}
		return
	}
	if st.Frames != p.frames || st.Keyframes != p.keyframes {
		if !p.published && !st.LastFrame.IsZero() && now.Sub(st.LastFrame) >= p.timeout {
			p.lastFrame = st.LastFrame // the first look, and it is silent already
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

// words says what is wrong with the stream called name.
func (p *liveness) problem(name string) string {
	switch {
	case !p.published && p.lastFrame.IsZero():
		return name + " is not there"
	case !p.published:
		return name + " is gone"
	case !p.hasVideo:
		return name + " has no picture"
	case p.lastFrame.IsZero():
		return name + " has sent no picture yet"
	case p.fault != "":
		return name + ": " + p.fault.Text()
	}
	return name + " sends no picture"
}
