package program

import "time"

const (
	// repeatEvery is how often the last key frame is repeated where nothing better
	// can be done.
	repeatEvery = time.Second
	// maxCatchUp is the longest stretch of held pictures made at once, after the
	// process itself was stopped.
	maxCatchUp = 5 * time.Second
)

// hold keeps the program going while no source is on air.
type hold struct {
	line  *line
	begun bool // a held picture was written
}

// begin is called when a source fell.
func (h *hold) begin() { h.begun = false }

// due is how long until the next held picture, or the next bit of silence.
func (h *hold) due(now time.Time) time.Duration {
	return min(h.next()-h.line.at(now), 40*time.Millisecond)
}

func (h *hold) next() time.Duration {
	p := &h.line.pictures
	if !h.begun {
		return p.last + p.period
	}
	return p.last + repeatEvery
}

// keep writes the held pictures that are due, and silence.
func (h *hold) keep(now time.Time) {
	l := h.line
	if behind := l.at(now) - l.pictures.last; behind > maxCatchUp {
		l.zero = l.zero.Add(behind - maxCatchUp)
	}
	for h.next() <= l.at(now) {
		at := h.next()
		au := l.key
		delay := au.PTS - au.DTS
		au.Arrived = now
		h.begun = true
		l.write(au, at, max(at+delay, l.pictures.shown+tick))
	}
	l.sound.source.has = false
	l.sound.follow(l.at(now))
}
