package program

import (
	"log/slog"
	"time"
)

const (
	// repeatEvery is how often the last key frame is repeated where skip pictures
	// can't be made.
	repeatEvery = time.Second
	// maxCatchUp is the longest stretch of held pictures made at once, after the
	// process itself was stopped.
	maxCatchUp = 5 * time.Second
	// joinEvery is how often a held picture can be joined. Platforms ask for a key frame
	// every four seconds at least, and who dials again must not wait for the camera. It
	// shows what the key frame showed, which is a little older than the last picture: a
	// short hold has none. One that is no IDR picture has its number among those before
	// it, and can't come again.
	keyframeEvery = 4 * time.Second
	// quietEvery is how often silence is written while pictures are further apart.
	silenceEvery = 40 * time.Millisecond
)

// hold keeps the program going while no source is on air: at the full frame rate
// with pictures that repeat the last one and the last key frame now and then, else with
// the last key frame once a second.
type freeze struct {
	timeline     *timeline
	log          *slog.Logger
	interval     time.Duration // between the held pictures
	lastKeyframe time.Duration // when the last key frame was held; at first, when it began
	skipFrames   bool
}

// begin is called when a source fell. The first held picture follows the last one
// without a gap.
func (h *freeze) start() {
	h.interval, h.lastKeyframe = h.timeline.video.frameDuration, h.timeline.video.lastDTS
	// What is measured of times in milliseconds is some pictures a minute off.
	if d := (*h.timeline.pub.Tracks())[videoTrack].FrameDuration(); (d - h.interval).Abs() < h.interval/50 {
		h.interval = d
	}
	h.skipFrames = h.timeline.follower != nil
}

// due is how long until the next held picture, or the next bit of silence.
func (h *freeze) due(now time.Time) time.Duration {
	return min(h.timeline.video.lastDTS+h.interval-h.timeline.timeAt(now), silenceEvery)
}

// keep writes the held pictures that are due, and silence.
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

// picture writes one held picture.
func (h *freeze) frame(now time.Time) {
	p := &h.timeline.video
	at := p.lastDTS + h.interval
	if h.skipFrames && (at+h.interval/2-h.lastKeyframe < keyframeEvery || !isIDR(h.timeline.keyframe.Data)) { // to the nearest picture
		err := h.timeline.repeatFrame(h.interval, now)
		if err == nil {
			return
		}
		h.log.Info("held picture is the key frame", "err", err)
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
