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
	joinEvery = 4 * time.Second
	// quietEvery is how often silence is written while pictures are further apart.
	quietEvery = 40 * time.Millisecond
)

// hold keeps the program going while no source is on air: at the full frame rate
// with pictures that repeat the last one and the last key frame now and then, else with
// the last key frame once a second.
type hold struct {
	line  *line
	log   *slog.Logger
	every time.Duration // between the held pictures
	key   time.Duration // when the last key frame was held; at first, when it began
	skips bool
}

// begin is called when a source fell. The first held picture follows the last one
// without a gap.
func (h *hold) begin() {
	h.every, h.key = h.line.pictures.period, h.line.pictures.last
	// What is measured of times in milliseconds is some pictures a minute off.
	if d := (*h.line.pub.Tracks())[videoTrack].FrameDuration(); (d - h.every).Abs() < h.every/50 {
		h.every = d
	}
	h.skips = h.line.follower != nil
}

// due is how long until the next held picture, or the next bit of silence.
func (h *hold) due(now time.Time) time.Duration {
	return min(h.line.pictures.last+h.every-h.line.at(now), quietEvery)
}

// keep writes the held pictures that are due, and silence.
func (h *hold) keep(now time.Time) {
	l := h.line
	if behind := l.at(now) - l.pictures.last; behind > maxCatchUp {
		l.zero = l.zero.Add(behind - maxCatchUp)
	}
	l.sound.source.has = false
	for l.pictures.last+h.every <= l.at(now) {
		h.picture(now)
	}
	l.sound.follow(l.at(now))
}

// picture writes one held picture.
func (h *hold) picture(now time.Time) {
	p := &h.line.pictures
	at := p.last + h.every
	if h.skips && (at+h.every/2-h.key < joinEvery || !instant(h.line.key.Data)) { // to the nearest picture
		err := h.line.repeat(h.every, now)
		if err == nil {
			return
		}
		h.log.Info("held picture is the key frame", "err", err)
		h.skips = false
	}
	key := h.line.key
	key.Arrived = now
	key.Data, _ = opens(&(*h.line.pub.Tracks())[videoTrack], key.Data)
	h.line.see(key.Data)
	h.line.write(key, at, max(at+key.PTS-key.DTS, p.shown+tick))
	if h.key = at; !h.skips {
		h.every = repeatEvery
	}
}
