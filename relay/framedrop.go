package relay

import (
	"time"

	"obvan/media"
)

// FrameDropper decides what is dropped for a destination that is behind, so that what
// arrives can be decoded: disposable frames first, then everything up to a keyframe that
// is not late itself, audio last. It measures by the program's clock: a unit's decode time
// says when it could have been sent, counted from the last moment when everything had been
// sent. It is for one goroutine.
type FrameDropper struct {
	Limit time.Duration // how far behind is too far

	// Ahead, where an output knows it, is how long a unit that is sent now takes to reach the
	// receiver, when the oldest one still on its way was sent that long ago.
	Ahead func(oldest time.Duration) time.Duration

	caughtUpAt  time.Time     // the last moment when nothing was waiting
	caughtUpDTS time.Duration // the decode time that was due then
	newestDTS   time.Duration
	age         time.Duration // of the unit that Age was asked for
	broken      bool          // a frame that others refer to was dropped
}

// Start begins with a unit that is sent now.
func (s *FrameDropper) Start(dts time.Duration, now time.Time) {
	s.caughtUpAt, s.caughtUpDTS, s.newestDTS = now, dts, dts
}

// CaughtUp notes that no more units are waiting.
func (s *FrameDropper) CaughtUp(now time.Time) {
	if !s.caughtUpAt.IsZero() {
		s.caughtUpAt, s.caughtUpDTS = now, s.newestDTS
	}
}

// FrameLost notes that a frame that was sent did not arrive.
func (s *FrameDropper) FrameLost() { s.broken = true }

// Age is how long the unit with this decode time has been waiting.
func (s *FrameDropper) Age(dts time.Duration, now time.Time) time.Duration {
	s.newestDTS = max(s.newestDTS, dts)
	s.age = max(0, now.Sub(s.caughtUpAt)-(dts-s.caughtUpDTS))
	return s.age
}

// SendsAll reports whether it drops nothing of units that are at most this old.
func (s *FrameDropper) SendsAll(age time.Duration) bool {
	if s.Ahead != nil {
		age += s.Ahead(0)
	}
	return !s.broken && age <= s.Limit/2
}

// audioExtra is how much later than video audio may arrive.
const audioExtra = 3 * time.Second

// ShouldSend reports whether to send a unit of that age, that is, by how old it will be
// for the viewers.
func (s *FrameDropper) ShouldSend(au *media.AccessUnit, age time.Duration) bool {
	if s.Ahead != nil {
		age = max(age, s.age+s.Ahead(max(0, age-s.age)))
	}
	switch {
	case !au.Video():
		return age <= s.Limit+audioExtra
	case au.Key:
		s.broken = age > s.Limit/2 && (s.broken || age > s.Limit)
		return !s.broken
	case s.broken:
		return false
	case age > s.Limit:
		s.broken = true
		return false
	}
	return !au.Disposable || age <= s.Limit/2
}
