package relay

import (
	"sync/atomic"
	"time"
)

// Link connects an output and its supervisor: what the output proved and counted. Counters
// are atomic; an output writes them, anyone reads them.
type Link struct {
	Sent         atomic.Uint64 // bytes handed to the kernel
	Acked        atomic.Uint64 // bytes the receiver confirmed, where the protocol has that; else bytes that left the socket
	Unsent       atomic.Int64  // bytes in the socket that the receiver has not taken yet
	OverdueAcks  atomic.Int64  // bytes the receiver should have acknowledged by now, where the protocol has that
	SilentFor    atomic.Int64  // nanoseconds since the receiver last sent anything, where it was asked and should have answered; else 0
	RTT          atomic.Int64  // nanoseconds, 0 where the system does not report it
	Dropped      atomic.Uint64 // video frames dropped
	Latency      atomic.Int64  // nanoseconds behind the program's newest unit, up to the receiving machine
	RemoteBuffer atomic.Int64  // nanoseconds for which that machine buffers data before its server reads it, where the protocol shows it

	acceptance
	warning atomic.Pointer[string]
	measure atomic.Pointer[func()]
}

// acceptance is how far the server has accepted the stream.
type acceptance struct {
	accepted atomic.Pointer[time.Time]
	live     atomic.Bool
	onLive   func()
}

// NewLink makes the link of one attempt; onLive, when not nil, is called once, from the
// output's goroutine.
func NewLink(onLive func()) *Link { return &Link{acceptance: acceptance{onLive: onLive}} }

// Accepted is called by the output once the server has accepted the stream. It is not
// proof: some servers accept first and check the key afterwards.
func (l *Link) Accepted() {
	now := time.Now()
	l.accepted.CompareAndSwap(nil, &now)
}

// Live is called by the output once the server has accepted the stream and confirmed that
// it receives it.
func (l *Link) Live() {
	if l.live.CompareAndSwap(false, true) && l.onLive != nil {
		l.onLive()
	}
}

// IsLive reports whether Live was called.
func (l *Link) IsLive() bool { return l.live.Load() }

// SetWarning is called by the output when the server does not get all of the program, with
// a sentence that says what is missing and why; "" when it gets everything.
func (l *Link) SetWarning(sentence string) { l.warning.Store(&sentence) }

// Warning is that sentence.
func (l *Link) Warning() string {
	if remote := l.warning.Load(); remote != nil {
		return *remote
	}
	return ""
}

// ViewerLatency is how far the server's viewers are behind the program.
func (l *Link) ViewerLatency() time.Duration {
	return time.Duration(l.Latency.Load() + l.RemoteBuffer.Load())
}

// OnMeasure gives the supervisor a function that brings Unsent, OverdueAcks, SilentFor,
// RTT, Latency and RemoteBuffer up to date, so that an output which is blocked in a write
// needs no goroutine to report it. It is called about four times a second from another
// goroutine, and may be called once more after Push returned.
func (l *Link) OnMeasure(measure func()) { l.measure.Store(&measure) }

// Measure brings the counters up to date.
func (l *Link) Measure() {
	if measure := l.measure.Load(); measure != nil {
		(*measure)()
	}
}

// acceptedAt is when the server accepted the stream, zero when it did not.
func (l *Link) acceptedAt() time.Time {
	if at := l.accepted.Load(); at != nil {
		return *at
	}
	return time.Time{}
}
