package hub

import "time"

// Keep sets how much of a stream is kept for late readers, including readers that are
// delayed on purpose: at least d. 0 restores the publisher's own setting. It has no
// effect when the stream is not live.
func (h *Hub) Keep(name string, d time.Duration) {
	h.mu.Lock()
	st := h.streams[name]
	h.mu.Unlock()
	if st != nil {
		st.keep.Store(int64(max(d, st.from.Keep)))
	}
}

// Delay makes the reader stay d behind the writer. It starts at the newest keyframe
// that is at least that old; while there is none, ready is false and left is roughly
// how long that will take. The caller must make the stream Keep that much. A delayed
// reader is woken by writes; when the publisher closes, units not yet due are not read.
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

// eachBackwards calls do for each unit in the ring, newest first, until do returns false.
func (s *Subscriber) eachBackwards(do func(seq uint64, e *entry) bool) {
	for seq := s.st.head.Load(); seq > 0; {
		seq--
		e := s.st.ring[seq%slots].Load()
		if e == nil || e.seq != seq || !do(seq, e) {
			return
		}
	}
}

// canStartAt reports whether a reader may start with e: a keyframe, or any audio frame
// when the stream has no video.
func (s *Subscriber) canStartAt(e *entry) bool {
	return e.au.Key && (e.au.Video() || e.au.Tracks.Video() < 0)
}

// newestDueKeyframe is where a delayed reader starts: the newest keyframe that is due.
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

// hasUnit reports whether there is a unit to read now.
func (s *Subscriber) hasUnit() bool {
	if s.cursor >= s.st.head.Load() {
		return false
	}
	e := s.st.ring[s.cursor%slots].Load()
	return e == nil || e.seq != s.cursor || s.due(e)
}
