package relay

import (
	"sync/atomic"
	"time"
)

// Link is the joint between an output and its supervisor: what the output proved
// and counted. Counters are atomic; an output writes them, anyone reads them.
type Link struct {
	Sent         atomic.Uint64 // bytes handed to the kernel
	Acked        atomic.Uint64 // bytes the far end proved to have, where the protocol says; else drained ones
	Unsent       atomic.Int64  // bytes in the socket that the far end did not take yet
	OverdueAcks  atomic.Int64  // bytes the far end should have acknowledged by now, where the protocol has that
	SilentFor    atomic.Int64  // nanoseconds since the far end's last word, where it was asked for one and should have answered; else 0
	RTT          atomic.Int64  // nanoseconds, 0 where the system does not say
	Dropped      atomic.Uint64 // pictures left out
	Latency      atomic.Int64  // nanoseconds behind the program's newest unit, as far as the far end's machine has it
	RemoteBuffer atomic.Int64  // nanoseconds for which that machine keeps what comes before its server reads it, where the protocol says

	acceptance
	warning atomic.Pointer[string]
	measure atomic.Pointer[func()]
}

// standing is how far the far end has come.
type acceptance struct {
	accepted atomic.Pointer[time.Time]
	live     atomic.Bool
	onLive   func()
}

// NewLink makes the joint for one attempt; onLive, when not nil, is called once,
// from the output's goroutine.
func NewLink(onLive func()) *Link { return &Link{acceptance: acceptance{onLive: onLive}} }

// Accepted is called by the output once the far end agreed to take the stream. It
// is not proof: some servers agree first and look at the key afterwards.
func (l *Link) Accepted() {
	now := time.Now()
	l.accepted.CompareAndSwap(nil, &now)
}

// Live is called by the output once the far end accepted the stream and proved it.
func (l *Link) Live() {
	if l.live.CompareAndSwap(false, true) && l.onLive != nil {
		l.onLive()
	}
}

// IsLive reports whether Live was called.
func (l *Link) IsLive() bool { return l.live.Load() }

// Lacks is called by the output when the far end does not get all of the program, with
// a sentence that says what and why; "" when it does.
func (l *Link) SetWarning(sentence string) { l.warning.Store(&sentence) }

// Lacking is that sentence.
func (l *Link) Warning() string {
	if remote := l.warning.Load(); remote != nil {
		return *remote
	}
	return ""
}

// Behind is how far behind the program those are who watch there.
func (l *Link) ViewerLatency() time.Duration {
	return time.Duration(l.Latency.Load() + l.RemoteBuffer.Load())
}

// Gauge hands the supervisor a function that brings Unsent, Owed, Mute, RTT, Lag and
// Kept up to date, so that an output which is stuck in a write needs no goroutine to say
// so. It is called about twice a second from another goroutine, and once more may
// come after Push returned.
func (l *Link) OnMeasure(measure func()) { l.measure.Store(&measure) }

// Measure brings the counters up to date.
func (l *Link) Measure() {
	if measure := l.measure.Load(); measure != nil {
		(*measure)()
	}
}

// acceptedAt is when the far end agreed, zero when it did not.
func (l *Link) acceptedAt() time.Time {
	if at := l.accepted.Load(); at != nil {
		return *at
	}
	return time.Time{}
}
