package relay

import (
	"time"

	"obvan/media"
)

// Shed decides what a destination that is behind leaves out, so that what arrives
// can be decoded: disposable pictures first, then everything up to a key frame that
// is not late itself, sound last. It measures on the program's own clock: what a
// unit's decode time says about when it could have been sent, seen from the last
// moment when everything had been. It is for one goroutine.
type FrameDropper struct {
	Limit time.Duration // how far behind is too far

	// Ahead, where an output knows it, is how long a unit that is sent now takes until the
	// far end has it, when the oldest one that has left our hands has been under way so long.
	Ahead func(oldest time.Duration) time.Duration

	caughtUpAt  time.Time     // then
	caughtUpDTS time.Duration // the decode time that was due then
	newestDTS   time.Duration
	age         time.Duration // of the unit that Age was asked for
	broken      bool          // a picture that others refer to was left out
}

// Start begins with a unit that is sent now.
func (s *FrameDropper) Start(dts time.Duration, now time.Time) {
	s.caughtUpAt, s.caughtUpDTS, s.newestDTS = now, dts, dts
}

// CaughtUp is told when nothing waits any more.
func (s *FrameDropper) CaughtUp(now time.Time) {
	if !s.caughtUpAt.IsZero() {
		s.caughtUpAt, s.caughtUpDTS = now, s.newestDTS
	}
}

// Lost is told when a picture that was sent did not arrive.
func (s *FrameDropper) FrameLost() { s.broken = true }

// Age is how long the unit with this decode time has been waiting.
func (s *FrameDropper) Age(dts time.Duration, now time.Time) time.Duration {
	s.newestDTS = max(s.newestDTS, dts)
	s.age = max(0, now.Sub(s.caughtUpAt)-(dts-s.caughtUpDTS))
	return s.age
}

// KeepsAll says whether it leaves nothing out of what is so old at the most.
func (s *FrameDropper) SendsAll(age time.Duration) bool {
	if s.Ahead != nil {
		age += s.Ahead(0)
	}
	return !s.broken && age <= s.Limit/2
}

// soundLonger is how much later than a picture a sound may come.
const audioExtra = 3 * time.Second

// Keeps says whether to send a unit of that age, or by how old it will be for who
// watches.
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
