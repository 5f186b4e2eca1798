package rtmp

import (
	"sync/atomic"
	"time"
)

// acks follows how much the server acknowledged.
type acks struct {
	sent          atomic.Uint64 // bytes of RTMP, as the server counts them
	acked         atomic.Uint64
	maxStep       atomic.Uint64 // the largest step so far
	count         atomic.Uint64
	sentAtPublish atomic.Uint64 // sent when publishing was accepted
	unreliable    atomic.Bool   // its acknowledgements are no measure

	windowSize int       // the sender's: bytes between acknowledgements, as we asked last
	since      time.Time // the sender's: from when, and
	sinceBytes uint64    // from what, the next window is worked out
}

// An acknowledgement is the only proof that not just the server's kernel is alive,
// and each wakes us. So one is asked for about each 0.7 s: often enough to take
// "live" back two seconds after they stopped.
const (
	ackInterval    = 700 * time.Millisecond
	windowInterval = 4 * time.Second
)

// window is how many bytes to ask for, false when that stays as it is.
func (a *acks) nextWindow(now time.Time) (size uint32, changed bool) {
	over := now.Sub(a.since)
	if over < windowInterval {
		return 0, false
	}
	sent := a.sent.Load()
	want := int(float64(sent-a.sinceBytes) * ackInterval.Seconds() / over.Seconds())
	want = max(64<<10, min(want, 4<<20))
	first := a.since.IsZero()
	a.since, a.sinceBytes = now, sent
	if first || want > a.windowSize*2/3 && want < a.windowSize*3/2 {
		return 0, false
	}
	a.windowSize = want
	a.count.Store(0) // its habit changes
	a.maxStep.Store(0)
	return uint32(want), true
}

// take notes a sequence number, which is 32 bits of a count that goes on.
func (a *acks) record(seq uint32) {
	sent, last := a.sent.Load(), a.acked.Load()
	back := uint32(sent) - seq
	if back >= 1<<31 || uint64(back) > sent { // ahead of us: some count the handshake
		back = 0
	}
	now := max(last, sent-uint64(back))
	if a.count.Add(1) > 1 {
		a.maxStep.Store(max(a.maxStep.Load(), now-last))
	}
	a.acked.Store(now)
}

// proven reports whether media was acknowledged.
func (a *acks) proven() bool {
	return a.acked.Load() > a.sentAtPublish.Load() && a.sentAtPublish.Load() > 0
}

// owed is how much should have been acknowledged by now, judged by the server's
// own habit. drained is what its kernel took: when that runs far ahead, more than
// any socket buffer holds, the server reads and just does not say so.
func (a *acks) overdue(drained uint64) int64 {
	if a.count.Load() < 4 || a.unreliable.Load() {
		return 0
	}
	acked := a.acked.Load()
	if drained > acked+maxSocketBuffer {
		a.unreliable.Store(true)
		return 0
	}
	return max(0, int64(a.sent.Load())-int64(acked+a.maxStep.Load()*3/2))
}

const maxSocketBuffer = 16 << 20
