package program

import (
	"log/slog"
	"time"
)

const (
	// repeatEvery is how often the last keyframe is repeated where skip frames can't be
	// made.
	repeatEvery = time.Second
	// maxCatchUp is the most of a freeze frame that is made up for at once, after the
	// process itself was stopped.
	maxCatchUp = 5 * time.Second
	// keyframeEvery is how often a freeze frame has a keyframe. Platforms ask for one at
	// least every four seconds, and a client that reconnects must not have to wait for
	// the camera. It shows the last keyframe, which is a little older than the last
	// frame: a short freeze has none. A keyframe that is no IDR picture is numbered after
	// the frames before it, and can't be repeated.
	keyframeEvery = 4 * time.Second
	// silenceEvery is how often silence is written while frames are further apart.
	silenceEvery = 40 * time.Millisecond
)

// freeze keeps the program going while no source is on air: at the full frame rate with
// skip frames that repeat the last one and the last keyframe now and then, else with the
// last keyframe once a second.
type freeze struct {
	timeline     *timeline
	log          *slog.Logger
	interval     time.Duration // between the frames
	lastKeyframe time.Duration // when the last keyframe was repeated; at first, when the freeze began
	skipFrames   bool
}

// start is called when a source has failed. The first repeated frame follows the last
// one without a gap.
func (h *freeze) start() {
	h.interval, h.lastKeyframe = h.timeline.video.frameDuration, h.timeline.video.lastDTS
	// What is measured from times in milliseconds is some frames a minute off.
	if d := (*h.timeline.pub.Tracks())[videoTrack].FrameDuration(); (d - h.interval).Abs() < h.interval/50 {
		h.interval = d
	}
	h.skipFrames = h.timeline.follower != nil
}

// due is how long until the next frame, or the next audio, has to be written.
func (h *freeze) due(now time.Time) time.Duration {
	return min(h.timeline.video.lastDTS+h.interval-h.timeline.timeAt(now), silenceEvery)
}

// write writes the frames that are due, and silence.
func (h *freeze) write(now time.Time) {
	l := h.timeline
	if behind := l.timeAt(now) - l.video.lastDTS; behind > maxCatchUp {
		l.zero = l.zero.Add(behind - maxCatchUp)
	}
	l.audio.source.hasTrack = false
	for l.video.lastDTS+h.interval <= l.timeAt(now) {
		h.frame(now)
	}
	l.audio.fillTo(l.timeAt(now))
}

// frame writes one frame.
func (h *freeze) frame(now time.Time) {
	p := &h.timeline.video
	at := p.lastDTS + h.interval
	if h.skipFrames && (at+h.interval/2-h.lastKeyframe < keyframeEvery || !isIDR(h.timeline.keyframe.Data)) { // to the nearest frame
		err := h.timeline.repeatFrame(h.interval, now)
		if err == nil {
			return
		}
		h.log.Info("freeze frame repeats the keyframe", "err", err)
		h.skipFrames = false
	}
	key := h.timeline.keyframe
	key.Arrived = now
	key.Data, _ = spliceKeyframe(&(*h.timeline.pub.Tracks())[videoTrack], key.Data)
	h.timeline.noteFrame(key.Data)
	h.timeline.publishFrame(key, at, max(at+key.PTS-key.DTS, p.lastPTS+tick))
	if h.lastKeyframe = at; !h.skipFrames {
		h.interval = repeatEvery
	}
}
