package rtmp

import (
	"sync"
	"sync/atomic"
	"time"
)

// A far end's kernel goes on taking data for many seconds after its server froze,
// and servers acknowledge as rarely as they like. So the server itself is asked, by
// the protocol's ping (RTMP 1.0, 7.1.7). The specification has servers ask and
// clients answer; many servers answer, too. One that does not is asked once.
const (
	pingEvery = 700 * time.Millisecond
	pongSoon  = 500 * time.Millisecond // and two round trips: an answer may take so long
	pingLate  = 200 * time.Millisecond // units of a program that goes on come sooner

	// shyWithin is how soon after its first ping a server closes that can't bear one.
	shyWithin = 3 * time.Second
)

// pings is the questions of one session. At most one is open.
type pings struct {
	zero    time.Time     // of its clock: the wall's may be set while a question is open
	next    atomic.Int64  // when to ask; 0 before the session has begun
	first   atomic.Int64  // when the first was asked; 0 before it
	behind  atomic.Uint64 // bytes that leave the machine before the open one has; 0 when none is open
	reached atomic.Int64  // since when the open one is known to have left
	took    atomic.Int64  // nanoseconds from then to its answer, of the last that was answered
	heard   atomic.Int64  // the server's last word of any kind
	knows   atomic.Bool   // it has answered one
	never   bool          // this server is not asked
}

// clock is nanoseconds since zero, and never 0.
func (p *pings) clock(now time.Time) int64 { return int64(now.Sub(p.zero)) + 1 }

// hears notes a word of the server's.
func (p *pings) hears(now time.Time) { p.heard.Store(p.clock(now)) }

// due reports whether to ask now.
func (p *pings) due(now time.Time) bool {
	next := p.next.Load()
	if p.never || p.behind.Load() != 0 || p.clock(now) < next {
		return false
	}
	p.next.Store(p.clock(now.Add(pingEvery)))
	return next != 0 // a session begins with better things to do
}

// overdue says that nobody came to ask: the sender sleeps while the program is silent,
// and a server that is alive is to prove it all the same.
func (p *pings) overdue(now time.Time) bool {
	next := p.next.Load()
	return !p.never && p.behind.Load() == 0 && next != 0 && p.clock(now)-next > int64(pingLate)
}

// asked notes a question that has left once so many bytes have.
func (p *pings) asked(now time.Time, behind uint64) {
	p.first.CompareAndSwap(0, p.clock(now))
	p.reached.Store(0)
	p.behind.Store(behind)
}

func (p *pings) answered(now time.Time) {
	p.knows.Store(true)
	if p.behind.Swap(0) == 0 {
		return // nobody asked
	}
	p.took.Store(p.since(p.reached.Load(), now))
}

// since is how long ago a time was, 0 where there is none.
func (p *pings) since(at int64, now time.Time) int64 {
	if at == 0 {
		return 0
	}
	return p.clock(now) - at
}

// kept is for how long the server's machine keeps what comes before the server reads
// it, by its answers: it reads a ping after what was sent before. It is not ok where it
// gives none.
func (p *pings) kept(now time.Time, rtt time.Duration) (kept time.Duration, ok bool) {
	took := p.took.Load()
	if p.behind.Load() != 0 {
		took = max(took, p.since(p.reached.Load(), now))
	}
	return max(0, time.Duration(took)-rtt), p.knows.Load()
}

// mute is for how long a server that knows pings has not said a word, although one
// has reached its machine; 0 when nothing is due from it.
func (p *pings) mute(now time.Time, left uint64, rtt time.Duration) time.Duration {
	behind := p.behind.Load()
	if behind == 0 || left < behind || !p.knows.Load() {
		p.reached.Store(0)
		return 0
	}
	p.reached.CompareAndSwap(0, p.clock(now))
	if p.clock(now)-p.reached.Load() < int64(pongSoon+2*rtt) {
		return 0
	}
	return time.Duration(p.clock(now) - p.heard.Load())
}

// offended reports whether the session, which ended now, may have ended because of
// the first ping.
func (p *pings) offended(now time.Time) bool {
	first := p.first.Load()
	return first != 0 && !p.knows.Load() && p.clock(now)-first < int64(shyWithin)
}

// shy is the servers that are not asked again.
type shy struct {
	mu    sync.Mutex
	hosts map[string]bool
}

func (s *shy) has(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hosts[host]
}

func (s *shy) add(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hosts == nil {
		s.hosts = map[string]bool{}
	}
	s.hosts[host] = true
}
