package testserver

// NewSession is the record of a publisher by another protocol than RTMP, for the test
// servers of those.
func NewSession(app, key string) *Session { return &Session{App: app, Key: key} }

// Record adds what arrived.
func (s *Session) Record(u Unit) { s.record(u, Behaviour{}) }

func (s *Session) record(u Unit, how Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &s.counts
	last := &t.audio
	if u.Video {
		last = &t.video
		t.Frames++
		if u.Key {
			t.Keyframes++
		}
	} else {
		t.AudioFrames++
	}
	if t.Bytes += uint64(len(u.Data)); u.DTS < *last {
		t.Reversals++
	}
	if *last > 0 {
		t.LongestGap = max(t.LongestGap, u.DTS-*last)
	}
	*last = u.DTS
	if how.CountOnly {
		return
	}
	if how.TimesOnly && len(s.units) > 0 {
		u.Data = nil
	}
	s.units = append(s.units, u)
}

// Leave notes that the publisher has disconnected; unpublished, that it ended properly.
func (s *Session) Leave(unpublished bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.unpublished = true, s.unpublished || unpublished
}

// Reopen notes that the publisher has reconnected.
func (s *Session) Reopen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.unpublished = false, false
}
