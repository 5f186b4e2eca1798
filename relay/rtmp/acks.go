package rtmp

import (
	"sync/atomic"
	"time"
)

// acks follows how much the server has acknowledged.
type acks struct {
	sent          atomic.Uint64 // bytes of RTMP, as the server counts them
	acked         atomic.Uint64
	maxStep       atomic.Uint64 // the largest step so far
	count         atomic.Uint64
	sentAtPublish atomic.Uint64 // sent when publishing was accepted
	unreliable    atomic.Bool   // its acknowledgements prove nothing

	windowSize int       // the sender's: bytes between acknowledgements, as last requested
	since      time.Time // the sender's: the time, and
	sinceBytes uint64    // the count, from which the next window is computed
}

// An acknowledgement is the only proof that the server itself is alive and not just its
// kernel, and each one wakes us. So one is requested about every 0.7 s: often enough to
// end the state live two seconds after they stopped.
const (
	ackInterval    = 700 * time.Millisecond
	windowInterval = 4 * time.Second
)

// nextWindow is how many bytes to request between acknowledgements, false when that stays
// as it is.
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
	a.count.Store(0) // the server's pattern changes
	a.maxStep.Store(0)
	return uint32(want), true
}

// record notes a sequence number: the low 32 bits of a count that continues.
func (a *acks) record(seq uint32) {
	sent, last := a.sent.Load(), a.acked.Load()
	back := uint32(sent) - seq
	if back >= 1<<31 || uint64(back) > sent { // ahead of us: some servers count the handshake
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

// overdue is how many bytes should have been acknowledged by now, judged by the server's
// own pattern. drained is what its kernel took: when that runs ahead by more than any
// socket buffer holds, the server reads without acknowledging.
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
