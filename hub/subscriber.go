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
	// needKey drops pictures until a key frame: the reader joined, or jumped, to a
	// place where none is in the ring.
	needKeyframe   bool
	ready          chan struct{}
	parked         bool      // guarded by st.waitMu
	suspendedUntil time.Time // guarded by st.waitMu
	lost           uint64
	closed         bool
	delay          time.Duration // how far it stays behind
	filter         func(*media.AccessUnit) bool
	filterActive   func() bool // whether sift leaves out anything now; nil is always
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

// Next waits for the next unit. It returns io.EOF when the publisher left, or
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

// jump leaves a place that was overwritten for the newest key frame.
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

// SkipToKey goes on at the newest key frame when that lies ahead, and returns
// how many units that left out.
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

// SkipToLive leaves out everything that is there already: the next picture is
// the next key frame. For readers that must not start with a burst.
func (s *Subscriber) SkipToLive() {
	s.cursor, s.needKeyframe = s.st.head.Load(), true
}

// Ready gets a token as soon as TryNext has something new to say. It may also
// get one for nothing.
func (s *Subscriber) Ready() <-chan struct{} {
	st := s.st
	st.waitMu.Lock()
	if !s.parked {
		s.parked = true
		st.parked = append(st.parked, s)
	}
	rests := !s.suspendedUntil.IsZero() && s.suspendedUntil.After(time.Now())
	st.waitMu.Unlock()
	// What was written before we were parked woke nobody.
	if s.hasUnit() && !rests || st.done.Load() {
		select {
		case s.ready <- struct{}{}:
		default:
		}
	}
	return s.ready
}

// Rest has Ready keep still until something is written at that time or later, or the
// stream ends: waking a reader costs more than what it reads. Nobody wakes it when that
// time comes. The zero time ends the rest.
func (s *Subscriber) SuspendWakeups(until time.Time) {
	s.st.waitMu.Lock()
	s.suspendedUntil = until
	s.st.waitMu.Unlock()
}

// Sift has the reader pass over the units that keep does not want. It must leave out
// pictures so that the others can be decoded.
func (s *Subscriber) Filter(keep func(au *media.AccessUnit) bool) { s.FilterWhile(nil, keep) }

// SiftWhile is Sift for a reader that gets all units as long as on says no: it need not
// read them itself then.
func (s *Subscriber) FilterWhile(on func() bool, keep func(au *media.AccessUnit) bool) {
	s.filterActive, s.filter = on, keep
}

// Tracks is the stream's newest generation, which may be ahead of the units still
// to be read; nil until the publisher knows it.
func (s *Subscriber) Tracks() *media.Tracks { return s.st.tracks.Load() }

// Origin is where the stream comes from.
func (s *Subscriber) Origin() Origin { return s.st.from }

// Beside reports whether other reads the same stream: what is new to one is new to
// the other.
func (s *Subscriber) SubscribeSame(other *Subscriber) bool { return s.st == other.st }

// Place is the reader's place in the stream's count of units: that of the next.
func (s *Subscriber) Position() uint64 { return s.cursor }

// At reports whether the reader is at place and would get all units from there on: it
// waits for no key frame, does not stay behind and sifts nothing.
func (s *Subscriber) IsAt(place uint64) bool {
	sifts := s.filter != nil && (s.filterActive == nil || s.filterActive())
	return s.cursor == place && !s.needKeyframe && s.delay == 0 && !sifts
}

// Pass goes on at place, for a reader that got from another what lies before it.
func (s *Subscriber) SeekTo(place uint64) { s.cursor = place }

// Watch is a cursor at the end of the same stream, for who wants to know when something
// is written. It does not count as a reader, and need not be closed.
func (s *Subscriber) Watch() *Subscriber {
	return &Subscriber{st: s.st, cursor: s.st.head.Load(), ready: make(chan struct{}, 1), closed: true}
}

// Lost is how many units this reader left out because it was too slow.
func (s *Subscriber) Lost() uint64 { return s.lost }

// Lag is how far the reader is behind the newest unit, in time of arrival.
func (s *Subscriber) Lag() time.Duration {
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

// Close gives the cursor up. The stream does not depend on it; it only counts.
func (s *Subscriber) Close() {
	if !s.closed {
		s.closed = true
		s.st.readers.Add(-1)
	}
}
