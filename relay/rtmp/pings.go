package rtmp

import (
	"sync"
	"sync/atomic"
	"time"
)

// A receiving kernel continues to take data for many seconds after its server froze, and
// servers acknowledge as rarely as they like. So the server itself is pinged (RTMP 1.0,
// 7.1.7). The specification has servers ping and clients answer; many servers answer too.
// One that does not is pinged once.
const (
	pingEvery    = 700 * time.Millisecond
	answerWithin = 500 * time.Millisecond // and two round trips: how long an answer may take
	overdueAfter = 200 * time.Millisecond // units of a running program come sooner

	// noPingWithin is how soon after its first ping a server closes the connection because it
	// does not support pings.
	noPingWithin = 3 * time.Second
)

// pings is the pings of one session. At most one is open.
type pings struct {
	zero           time.Time     // of its clock: the wall clock may be set while a ping is open
	nextDue        atomic.Int64  // when to ping; 0 before the session has begun
	firstSent      atomic.Int64  // when the first was sent; 0 before it
	bytesUntilSent atomic.Uint64 // bytes that leave the machine before the open one has; 0 when none is open
	arrived        atomic.Int64  // since when the open one is known to have left
	answerTime     atomic.Int64  // nanoseconds from then to its answer, of the last that was answered
	lastReceived   atomic.Int64  // the server's last message of any kind
	supported      atomic.Bool   // it has answered one
	disabled       bool          // this server is not pinged
}

// clock is nanoseconds since zero, and never 0.
func (p *pings) clock(now time.Time) int64 { return int64(now.Sub(p.zero)) + 1 }

// received notes that the server sent something.
func (p *pings) received(now time.Time) { p.lastReceived.Store(p.clock(now)) }

// due reports whether to ping now.
func (p *pings) due(now time.Time) bool {
	next := p.nextDue.Load()
	if p.disabled || p.bytesUntilSent.Load() != 0 || p.clock(now) < next {
		return false
	}
	p.nextDue.Store(p.clock(now.Add(pingEvery)))
	return next != 0 // a session begins with more urgent messages
}

// overdue reports that a due ping was not sent: the sender sleeps while the program is
// silent, and a server that is alive must prove it all the same.
func (p *pings) overdue(now time.Time) bool {
	next := p.nextDue.Load()
	return !p.disabled && p.bytesUntilSent.Load() == 0 && next != 0 && p.clock(now)-next > int64(overdueAfter)
}

// sent notes a ping that has left once this many bytes have.
func (p *pings) sent(now time.Time, behind uint64) {
	p.firstSent.CompareAndSwap(0, p.clock(now))
	p.arrived.Store(0)
	p.bytesUntilSent.Store(behind)
}

func (p *pings) answered(now time.Time) {
	p.supported.Store(true)
	if p.bytesUntilSent.Swap(0) == 0 {
		return // no ping was open
	}
	p.answerTime.Store(p.since(p.arrived.Load(), now))
}

// since is how long ago a time was, 0 where there is none.
func (p *pings) since(at int64, now time.Time) int64 {
	if at == 0 {
		return 0
	}
	return p.clock(now) - at
}

// remoteBuffer is how long the server's machine buffers data before the server reads it,
// judged by its answers: it reads a ping after what was sent before. It is not ok where
// the server does not answer.
func (p *pings) remoteBuffer(now time.Time, rtt time.Duration) (buffered time.Duration, ok bool) {
	took := p.answerTime.Load()
	if p.bytesUntilSent.Load() != 0 {
		took = max(took, p.since(p.arrived.Load(), now))
	}
	return max(0, time.Duration(took)-rtt), p.supported.Load()
}

// silentFor is how long a server that supports pings has sent nothing, although a ping has
// reached its machine; 0 when no answer is due.
func (p *pings) silentFor(now time.Time, left uint64, rtt time.Duration) time.Duration {
	behind := p.bytesUntilSent.Load()
	if behind == 0 || left < behind || !p.supported.Load() {
		p.arrived.Store(0)
		return 0
	}
	p.arrived.CompareAndSwap(0, p.clock(now))
	if p.clock(now)-p.arrived.Load() < int64(answerWithin+2*rtt) {
		return 0
	}
	return time.Duration(p.clock(now) - p.lastReceived.Load())
}

// mayHaveCausedClose reports whether the session, which ended now, may have ended because
// of the first ping.
func (p *pings) mayHaveCausedClose(now time.Time) bool {
	first := p.firstSent.Load()
	return first != 0 && !p.supported.Load() && p.clock(now)-first < int64(noPingWithin)
}

// noPingHosts is the servers that are not pinged again.
type noPingHosts struct {
	mu    sync.Mutex
	hosts map[string]bool
}

func (s *noPingHosts) has(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hosts[host]
}

func (s *noPingHosts) add(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hosts == nil {
		s.hosts = map[string]bool{}
	}
	s.hosts[host] = true
}
