package hub

import (
	"context"
	"io"
	"time"

	"obvan/media"
)

// Subscriber is a cursor into a stream. Its methods are for one goroutine.
type Subscriber struct {
	st     *stream
	cursor uint64
	// needKeyframe drops video frames until a keyframe: the reader joined, or jumped to,
	// a position with no keyframe in the ring.
	needKeyframe   bool
	ready          chan struct{}
	parked         bool      // guarded by st.waitMu
	suspendedUntil time.Time // guarded by st.waitMu
	lost           uint64
	closed         bool
	delay          time.Duration // how far it stays behind the writer
	filter         func(*media.AccessUnit) bool
	filterActive   func() bool // whether filter drops anything now; nil means always
}

func newSubscriber(st *stream) *Subscriber {
	s := &Subscriber{st: st, ready: make(chan struct{}, 1), needKeyframe: true}
	st.readers.Add(1)
	if key := st.key.Load(); key > 0 {
		s.cursor = key - 1
	} else {
		s.cursor = st.head.Load()
	}
	return s
}

// Next waits for the next unit. It returns io.EOF when the publisher closed, or
// the context's error.
func (s *Subscriber) Next(ctx context.Context) (media.AccessUnit, error) {
	for {
		au, err := s.TryNext()
		if err != ErrNotYet {
			return au, err
		}
		select {
		case <-s.Ready():
		case <-ctx.Done():
			return media.AccessUnit{}, ctx.Err()
		}
	}
}

// TryNext is Next that does not wait: ErrNotYet when there is no unit, io.EOF
// when there will be none.
func (s *Subscriber) TryNext() (media.AccessUnit, error) {
	for {
		done := s.st.done.Load() // before head: nothing is written after it
		head := s.st.head.Load()
		if s.cursor >= head {
			if done {
				return media.AccessUnit{}, io.EOF
			}
			return media.AccessUnit{}, ErrNotYet
		}
		e := s.st.ring[s.cursor%slots].Load()
		if e == nil || e.seq != s.cursor {
			s.jump()
			continue
		}
		if !s.due(e) {
			if done {
				return media.AccessUnit{}, io.EOF
			}
			return media.AccessUnit{}, ErrNotYet
		}
		s.cursor++
		if s.needKeyframe && e.au.Video() {
			if !e.au.Key {
				continue
			}
			s.needKeyframe = false
		}
		if s.filter != nil && !s.filter(&e.au) {
			continue
		}
		return e.au, nil
	}
}

// jump moves from a position that was overwritten to the newest keyframe.
func (s *Subscriber) jump() {
	to := s.st.head.Load()
	if key := s.st.key.Load(); key > s.cursor {
		to = key - 1
	}
	if s.delay > 0 {
		if due, ok := s.newestDueKeyframe(); ok {
			to = due
		}
	}
	s.needKeyframe = true
	s.skip(to)
}

func (s *Subscriber) skip(to uint64) (skipped int) {
	n := to - s.cursor
	s.cursor = to
	s.lost += n
	s.st.lost.Add(n)
	return int(n)
}

// SkipToKeyframe continues at the newest keyframe when that lies ahead, and returns
// how many units it skipped.
func (s *Subscriber) SkipToKeyframe() int {
	if s.delay > 0 {
		if to, ok := s.newestDueKeyframe(); ok && to > s.cursor {
			s.needKeyframe = true
			return s.skip(to)
		}
		return 0
	}
	if key := s.st.key.Load(); key > s.cursor+1 {
		s.needKeyframe = true
		return s.skip(key - 1)
	}
	return 0
}

// SkipToLive skips everything already in the ring: the next video frame read is the
// next keyframe written. For readers that must not start with a burst.
func (s *Subscriber) SkipToLive() {
	s.cursor, s.needKeyframe = s.st.head.Load(), true
}

// Ready returns a channel that receives a token as soon as TryNext has something new
// to return. There may also be spurious tokens.
func (s *Subscriber) Ready() <-chan struct{} {
	st := s.st
	st.waitMu.Lock()
	if !s.parked {
		s.parked = true
		st.parked = append(st.parked, s)
	}
	suspended := !s.suspendedUntil.IsZero() && s.suspendedUntil.After(time.Now())
	st.waitMu.Unlock()
	// What was written before this reader was parked did not wake it.
	if s.hasUnit() && !suspended || st.done.Load() {
		select {
		case s.ready <- struct{}{}:
		default:
		}
	}
	return s.ready
}

// SuspendWakeups keeps Ready silent until a unit is written at that time or later, or
// the stream ends: waking a reader costs more than reading a unit. No timer wakes it at
// that time. The zero time resumes wake-ups.
func (s *Subscriber) SuspendWakeups(until time.Time) {
	s.st.waitMu.Lock()
	s.suspendedUntil = until
	s.st.waitMu.Unlock()
}

// Filter makes the reader skip the units for which keep returns false. keep must drop
// video frames in such a way that the remaining ones can be decoded.
func (s *Subscriber) Filter(keep func(au *media.AccessUnit) bool) { s.FilterWhile(nil, keep) }

// FilterWhile is Filter for a reader that gets all units while on returns false: another
// reader may then read them on its behalf (see SeekTo).
func (s *Subscriber) FilterWhile(on func() bool, keep func(au *media.AccessUnit) bool) {
	s.filterActive, s.filter = on, keep
}

// Tracks is the stream's newest generation, which may be ahead of the units still
// to be read; nil until the publisher knows it.
func (s *Subscriber) Tracks() *media.Tracks { return s.st.tracks.Load() }

// Origin is where the stream comes from.
func (s *Subscriber) Origin() Origin { return s.st.from }

// SameStream reports whether other reads the same stream: what is new to one is new to
// the other.
func (s *Subscriber) SameStream(other *Subscriber) bool { return s.st == other.st }

// Position is the sequence number, within the stream, of the unit this reader reads next.
func (s *Subscriber) Position() uint64 { return s.cursor }

// IsAt reports whether the reader is at pos and would get all units from there on: it
// is not waiting for a keyframe, is not delayed and filters nothing.
func (s *Subscriber) IsAt(pos uint64) bool {
	filtering := s.filter != nil && (s.filterActive == nil || s.filterActive())
	return s.cursor == pos && !s.needKeyframe && s.delay == 0 && !filtering
}

// SeekTo continues at pos, for a reader that was handed the units before it by another
// reader.
func (s *Subscriber) SeekTo(pos uint64) { s.cursor = pos }

// Watch returns a cursor at the end of the same stream, for callers that need to know
// when something is written. It does not count as a reader and need not be closed.
func (s *Subscriber) Watch() *Subscriber {
	return &Subscriber{st: s.st, cursor: s.st.head.Load(), ready: make(chan struct{}, 1), closed: true}
}

// Lost is how many units this reader skipped because it was too slow.
func (s *Subscriber) Lost() uint64 { return s.lost }

// Latency is how far the reader is behind the newest unit, by arrival time, beyond its
// delay.
func (s *Subscriber) Latency() time.Duration {
	head := s.st.head.Load()
	if head == 0 || s.cursor+1 >= head {
		return 0
	}
	newest := s.st.ring[(head-1)%slots].Load()
	if newest == nil {
		return 0
	}
	next := s.st.ring[s.cursor%slots].Load()
	if next == nil || next.seq != s.cursor { // overtaken: the whole ring behind
		return time.Duration(s.st.keep.Load())
	}
	return max(0, newest.au.Arrived.Sub(next.au.Arrived)-s.delay)
}

// Close releases the cursor. It only updates the reader count; the stream does not depend on it.
func (s *Subscriber) Close() {
	if !s.closed {
		s.closed = true
		s.st.readers.Add(-1)
	}
}
