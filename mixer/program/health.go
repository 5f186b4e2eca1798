package program

import (
	"time"

	"obvan/hub"
)

// pulse is a stream's health as its counters show it.
type pulse struct {
	here     bool // it has a publisher
	picture  bool // it has a picture track
	pictures uint64
	keys     uint64
	moved    time.Time     // when a picture last came; zero when none ever did
	since    time.Time     // it is well since then; zero when it is not
	budget   time.Duration // how long it may send no picture
	ill      Fault         // what it would fall for
	waits    bool          // it has to send a key frame before it can come on air
}

// look takes the pulse anew. The counters, not their time stamps, say whether
// pictures come: a wall clock that is set does not make a stream silent.
func (p *pulse) look(h *hub.Hub, name string, now time.Time) {
	st, ok := h.Stream(name)
	if !ok {
		*p = pulse{moved: p.moved, budget: p.budget}
		return
	}
	if st.Frames != p.pictures || st.Keyframes != p.keys {
		if !p.here && !st.LastFrame.IsZero() && now.Sub(st.LastFrame) >= p.budget {
			p.moved = st.LastFrame // the first look, and it is silent already
		} else if st.Frames > 0 {
			p.moved = now
		}
	}
	p.waits = p.waits && st.Keyframes == p.keys
	p.here, p.picture = true, st.Tracks.Video() >= 0
	p.pictures, p.keys = st.Frames, st.Keyframes
	switch {
	case !p.well(now):
		p.since = time.Time{}
	case p.since.IsZero():
		p.since = now
	}
}

func (p *pulse) well(now time.Time) bool {
	return p.here && p.picture && !p.moved.IsZero() && now.Sub(p.moved) < p.budget && p.ill == ""
}

// words says what is wrong with the stream called name.
func (p *pulse) words(name string) string {
	switch {
	case !p.here && p.moved.IsZero():
		return name + " is not there"
	case !p.here:
		return name + " is gone"
	case !p.picture:
		return name + " has no picture"
	case p.moved.IsZero():
		return name + " has sent no picture yet"
	case p.ill != "":
		return name + ": " + p.ill.Text()
	}
	return name + " sends no picture"
}
