package hub

import "time"

// Keep makes a stream keep at least d for readers that are late, also those that are
// late on purpose. 0 goes back to what its publisher asked for. A stream that is not
// live has nothing to keep.
func (h *Hub) Keep(name string, d time.Duration) {
	h.mu.Lock()
	st := h.streams[name]
	h.mu.Unlock()
	if st != nil {
		st.keep.Store(int64(max(d, st.from.Keep)))
	}
}

// Delay makes the reader stay d behind the writer. It starts at the newest key frame
// that is so old; ready is false, and left is about how long that will take, when there
// is none yet. Somebody has to make the stream Keep that much. A delayed reader is
// woken by what is written; when the publisher leaves, what is not due is not read.
func (s *Subscriber) Delay(d time.Duration) (left time.Duration, ready bool) {
	s.delay = d
	if to, ok := s.newestDueKeyframe(); ok {
		s.cursor, s.needKeyframe = to, true
		return 0, true
	}
	oldest := time.Now()
	s.eachBackwards(func(seq uint64, e *entry) bool {
		if s.canStartAt(e) {
			s.cursor, s.needKeyframe, oldest = seq, true, e.au.Arrived
		}
		return true
	})
	return max(0, d-time.Since(oldest)), false
}

// behind goes through what is kept, the newest first, until do returns false.
func (s *Subscriber) eachBackwards(do func(seq uint64, e *entry) bool) {
	for seq := s.st.head.Load(); seq > 0; {
		seq--
		e := s.st.ring[seq%slots].Load()
		if e == nil || e.seq != seq || !do(seq, e) {
			return
		}
	}
}

// startsAt reports whether a reader may start with e: a key frame, or any sound where
// there are no pictures.
func (s *Subscriber) canStartAt(e *entry) bool {
	return e.au.Key && (e.au.Video() || e.au.Tracks.Video() < 0)
}

// back is where a delayed reader starts: the newest key frame that is due.
func (s *Subscriber) newestDueKeyframe() (to uint64, ok bool) {
	s.eachBackwards(func(seq uint64, e *entry) bool {
		to, ok = seq, s.canStartAt(e) && s.due(e)
		return !ok
	})
	return to, ok
}

func (s *Subscriber) due(e *entry) bool {
	return s.delay == 0 || time.Since(e.au.Arrived) >= s.delay
}

// waits reports whether there is something to read now.
func (s *Subscriber) hasUnit() bool {
	if s.cursor >= s.st.head.Load() {
		return false
	}
	e := s.st.ring[s.cursor%slots].Load()
	return e == nil || e.seq != s.cursor || s.due(e)
}
