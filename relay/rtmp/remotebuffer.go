package rtmp

import (
	"sync"
	"sync/atomic"
	"time"
)

// remoteBuffer measures how long data waits in the receiving machine before its server
// reads it. A kernel accepts seconds of a program for a slow server, and viewers are
// behind by them as by anything that waits here. An acknowledgement is sent when that much
// was read; when that much had left is noted here.
type remoteBuffer struct {
	mu    sync.Mutex
	marks [64]mark // about four per second; oldest first, from first
	first int
	count int

	read    uint64        // what the server has read
	maxStep uint64        // the largest of its steps
	reports int           // how many steps there were
	lastAge time.Duration // how long what it read last had waited there
	minAge  time.Duration // the least of all
}

// mark is how many bytes had left this machine at a time.
type mark struct {
	at  uint64
	now time.Time
}

// sent notes how much has left this machine.
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

// ageOf is how long ago the byte at a position left; 0 for one that perhaps has not left
// yet.
func (s *remoteBuffer) ageOf(at uint64, now time.Time, rtt time.Duration) time.Duration {
	for i := range s.count {
		if m := s.marks[(s.first+i)%len(s.marks)]; m.at >= at {
			return max(0, now.Sub(m.now)-rtt)
		}
	}
	return 0
}

// acked notes that the server has read this much.
func (s *remoteBuffer) acked(at uint64, now time.Time, rtt time.Duration) {
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

// duration is how long it buffers data that arrives now, and how much of that it always
// reported, which may be nothing but the server's pattern. It is not ok before that is
// known.
func (s *remoteBuffer) duration(now time.Time, rtt time.Duration) (buffered, pattern time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(s.lastAge, s.ageOf(s.read+s.maxStep*3/2, now, rtt)), s.minAge, s.reports >= 3
}

// drainRate is how fast a receiver takes what is waiting for it. The supervisor's
// goroutine measures, the sender's reads.
type drainRate struct {
	sent atomic.Uint64 // bytes of the connection that had left this machine, by the last measurement
	rate atomic.Int64  // bytes a second; 0 when it is not known

	marks [16]mark // of the last four seconds in which something was always waiting
	count int
}

// minRateWindow is the least time over which a rate is computed: TCP windows open in
// steps.
const minRateWindow = time.Second

// measure notes how much has left and how much is waiting. Only what leaves while
// something is waiting shows how much the path and the receiver take, and a hiccup shows
// nothing.
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

// measureRemote measures what needs the supervisor's clock, also while nothing is sent.
func (s *session) measureRemote(now time.Time) {
	unsent, sent := uint64(max(0, s.link.Unsent.Load())), s.link.Sent.Load()
	s.drainRate.measure(sent-min(unsent, sent), unsent, now)
	s.remoteBuffer.sent(s.acks.sent.Load()-min(unsent, s.acks.sent.Load()), now)
	s.link.RemoteBuffer.Store(int64(s.remoteBufferTime(now)))
	if s.pings.overdue(now) {
		s.due.note(func(*replies) {}) // wakes the sender
	}
}

// ahead is relay.FrameDropper's Ahead.
func (s *sender) ahead(oldest time.Duration) time.Duration {
	if rate := s.drainRate.rate.Load(); s.late && rate > 0 {
		waits := s.link.Sent.Load() + uint64(s.w.Pending()) - s.drainRate.sent.Load()
		oldest = max(oldest, time.Duration(float64(waits)/float64(rate)*float64(time.Second)))
	}
	return oldest + time.Duration(s.link.RemoteBuffer.Load())
}

// remoteBufferTime is how long the receiving machine buffers what its server has not read.
// A server may be slow to acknowledge or to answer: the sooner of the two counts. Where it
// only acknowledges, the least delay seen is taken for its pattern.
func (s *session) remoteBufferTime(now time.Time) time.Duration {
	rtt := time.Duration(s.link.RTT.Load())
	pinged, answers := s.pings.remoteBuffer(now, rtt)
	acked, pattern, tells := s.remoteBuffer.duration(now, rtt)
	tells = tells && !s.acks.unreliable.Load()
	switch {
	case answers && tells:
		return min(pinged, acked)
	case answers:
		return pinged
	case tells:
		return acked - pattern
	}
	return 0
}
