package rtmp

import (
	"sync"
	"sync/atomic"
	"time"
)

// store is how long what has left this machine lies in the far end's before its server
// reads it. A kernel takes seconds of a program for a server that is slow, and viewers
// are behind by them as by anything that waits here. An acknowledgement is written when
// so much was read; when so much had left is noted here.
type remoteBuffer struct {
	mu    sync.Mutex
	marks [64]mark // about four a second; oldest first, from first
	first int
	count int

	read    uint64        // what the server has read
	maxStep uint64        // the largest of its steps
	reports int           // how many those were
	lastAge time.Duration // how long what it read last had lain there
	minAge  time.Duration // of all
}

// mark is what had left this machine then.
type mark struct {
	at  uint64
	now time.Time
}

// left notes how much has left this machine.
func (s *remoteBuffer) sent(at uint64, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count > 0 && at <= s.marks[(s.first+s.count-1)%len(s.marks)].at {
		return
	}
	if s.count == len(s.marks) {
		s.first, s.count = (s.first+1)%len(s.marks), s.count-1
	}
	s.marks[(s.first+s.count)%len(s.marks)] = mark{at, now}
	s.count++
}

// lain is for how long the byte at a place has been away; 0 for one that perhaps has
// not left yet.
func (s *remoteBuffer) ageOf(at uint64, now time.Time, rtt time.Duration) time.Duration {
	for i := range s.count {
		if m := s.marks[(s.first+i)%len(s.marks)]; m.at >= at {
			return max(0, now.Sub(m.now)-rtt)
		}
	}
	return 0
}

// said notes that the server has read so much.
func (s *remoteBuffer) remote(at uint64, now time.Time, rtt time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at <= s.read {
		return
	}
	s.lastAge = s.ageOf(at, now, rtt)
	if s.reports++; s.reports > 1 {
		s.maxStep = max(s.maxStep, at-s.read)
	}
	if s.reports == 1 || s.lastAge < s.minAge {
		s.minAge = s.lastAge
	}
	s.read = at
}

// kept is for how long it keeps what comes now, and how much of that it always said,
// which may be nothing but the server's habit. It is not ok before that is known.
func (s *remoteBuffer) duration(now time.Time, rtt time.Duration) (kept, habit time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.lastAge, s.ageOf(s.read+s.maxStep*3/2, now, rtt)), s.minAge, s.reports >= 3
}

// flow is how fast a far end takes what waits for it. The supervisor's goroutine
// measures, the sender's asks.
type drainRate struct {
	sent atomic.Uint64 // bytes of the connection that had left this machine, by the last measure
	rate atomic.Int64  // bytes a second; 0 when it is not known

	marks [16]mark // of the last four seconds in which something waited all the time
	count int
}

// flowOver is the least time from which a rate is worked out: windows open in lumps.
const minRateWindow = time.Second

// measure notes how much has left and how much waits. Only what leaves while something
// waits tells how much the way and the far end take, and a hiccup tells nothing.
func (f *drainRate) measure(left, unsent uint64, now time.Time) {
	f.sent.Store(left)
	if unsent == 0 {
		f.count = 0
		f.rate.Store(0)
		return
	}
	if f.count == len(f.marks) {
		f.count = copy(f.marks[:], f.marks[1:])
	}
	f.marks[f.count] = mark{at: left, now: now}
	f.count++
	first := f.marks[0]
	if over := now.Sub(first.now); over >= minRateWindow && left > first.at {
		f.rate.Store(max(1, int64(float64(left-first.at)/over.Seconds())))
	}
}

// look measures what only the supervisor's clock can, also while nothing is sent.
func (s *session) measureRemote(now time.Time) {
	unsent, sent := uint64(max(0, s.link.Unsent.Load())), s.link.Sent.Load()
	s.drainRate.measure(sent-min(unsent, sent), unsent, now)
	s.remoteBuffer.sent(s.acks.sent.Load()-min(unsent, s.acks.sent.Load()), now)
	s.link.RemoteBuffer.Store(int64(s.remoteBufferTime(now)))
	if s.pings.overdue(now) {
		s.due.note(func(*replies) {}) // wakes the sender
	}
}

// ahead is relay.Shed's.
func (s *sender) ahead(oldest time.Duration) time.Duration {
	if rate := s.drainRate.rate.Load(); s.late && rate > 0 {
		waits := s.link.Sent.Load() + uint64(s.w.Pending()) - s.drainRate.sent.Load()
		oldest = max(oldest, time.Duration(float64(waits)/float64(rate)*float64(time.Second)))
	}
	return oldest + time.Duration(s.link.RemoteBuffer.Load())
}

// kept is for how long the far end's machine keeps what its server has not read. A
// server may be slow to acknowledge or to answer: the sooner of the two counts. Where it
// only acknowledges, what it was never faster than is its habit.
func (s *session) remoteBufferTime(now time.Time) time.Duration {
	rtt := time.Duration(s.link.RTT.Load())
	pinged, answers := s.pings.remoteBuffer(now, rtt)
	acked, habit, tells := s.remoteBuffer.duration(now, rtt)
	tells = tells && !s.acks.unreliable.Load()
	switch {
	case answers && tells:
		return min(pinged, acked)
	case answers:
		return pinged
	case tells:
		return acked - habit
	}
	return 0
}
