package srt

import "time"

const (
	minWindow     = 4 * (headerSize + maxPayload) // bytes
	initialWindow = 4 * minWindow                 // the path may be slow

	minRoundTrip    = 30 * time.Millisecond // receivers acknowledge every 10 ms
	slowStartGrowth = 1                     // per round trip, until the path was full once
	maxGrowth       = 0.25                  // per round trip after that, at most
	pacingGain      = 1.5                   // how much faster than one window per round trip it may be filled
	shrinkBy        = 0.85
	maxShrink       = 0.5

	// A path that loses less than this share of what is sent is lossy, not congested.
	congestionLoss    = 0.15
	minCongestionLoss = 6 * (headerSize + maxPayload)

	minQueue      = 50 * time.Millisecond
	maxQueueDelay = 125 * time.Millisecond

	// An empty path's round trip is trusted for this long; then the queue is drained once
	// to measure it again.
	baseRTTLifetime = 10 * time.Second
)

// congestionWindow is how many bytes may be in flight. It keeps the queue in front of the
// slowest part of the path so short that what is lost can be repeated before the receiver
// continues without it. What is dropped then is the program's choice (relay.FrameDropper),
// in whole GOPs, and not the path's, packet by packet. The round trip shows how long that
// queue is; losses count where there is no queue to see.
type congestionWindow struct {
	size        int
	latency     time.Duration
	baseRTT     time.Duration // the empty path's round trip; 0 when it is not known
	baseSeen    time.Time     // when it was measured
	full        bool          // the path was full once
	lastCut     time.Time     // when the window was last reduced for a loss
	foreign     foreignQueue
	sharedUntil time.Time // until then a queue counts as that of others
	round       roundTrip
}

// foreignQueue is the suspicion that a queue may not be ours: halving the window does not
// make it shorter. Then others fill it, or the path has become longer, and to shrink
// further would leave us nothing.
type foreignQueue struct {
	size int           // the window before it was reduced; 0 while there is no suspicion
	used int           // bytes of it that were used
	rtt  time.Duration // the longest since
	half time.Time     // when the window was half of what was used
}

// roundTrip is what happened within about a round trip.
type roundTrip struct {
	since   time.Time
	used    int // bytes in flight, at most
	sent    int
	lost    int
	limited bool          // the window held something back
	rtt     time.Duration // smoothed; 0 when it was not measured
}

func newCongestionWindow(latency time.Duration, now time.Time) congestionWindow {
	return congestionWindow{
		size: initialWindow, latency: latency, baseSeen: now, round: roundTrip{since: now},
	}
}

// maxQueue is how long the queue may get: what is lost behind it arrives in time when it
// is repeated, and the repeat waits in the queue again.
func (w *congestionWindow) maxQueue() time.Duration {
	return max(min(w.latency/4, (w.latency-w.baseRTT)/3, maxQueueDelay), minQueue)
}

// room reports whether more may be sent while this many bytes are in flight.
func (w *congestionWindow) room(flying int) bool {
	w.round.used = max(w.round.used, flying)
	if flying < w.size {
		return true
	}
	w.round.limited = true
	return false
}

// addSample notes the round trip of a packet that nothing held up.
func (w *congestionWindow) addSample(took time.Duration, now time.Time) {
	if w.baseRTT == 0 || took < w.baseRTT {
		w.baseRTT, w.baseSeen = took, now
	}
	if w.round.rtt == 0 {
		w.round.rtt = took
	}
	w.round.rtt += (took - w.round.rtt) / 4
}

// update adapts the window once a round trip is over. The receiver's own round trip is
// smoothed and therefore late.
func (w *congestionWindow) update(rtt time.Duration, now time.Time) {
	long := max(rtt, minRoundTrip)
	if !w.full {
		long = 2*rtt + minRoundTrip // wait for the effect of the last step
	}
	if now.Sub(w.round.since) < long {
		return
	}
	t := w.round
	w.round = roundTrip{since: now}
	quiet := w.maxQueue() / 4 // the queue up to which the window grows
	if t.rtt > 0 {
		rtt, quiet = t.rtt, w.maxQueue()/2
	}
	queue, standing := max(0, rtt-w.baseRTT), w.maxQueue()
	if w.baseRTT == 0 {
		queue = 0
	}
	if queue < standing/4 {
		w.baseSeen, w.foreign = now, foreignQueue{}
	} else {
		w.full = true
	}
	if queue <= standing {
		w.foreign.rtt, w.foreign.half = 0, time.Time{}
	}
	switch {
	case t.lost >= minCongestionLoss && float64(t.lost) >= congestionLoss*float64(t.sent):
		w.sharedUntil = time.Time{}
		w.shrink(t.used-t.lost, shrinkBy)
	case queue > standing && now.Before(w.sharedUntil) && rtt < w.latency: // lost packets may still be recovered
		w.sharedUntil = now.Add(baseRTTLifetime)
		if t.limited && t.lost == 0 {
			w.grow(float64(standing) / float64(4*rtt))
		}
	case now.Sub(w.baseSeen) > baseRTTLifetime:
		w.shrink(t.used, shrinkBy*float64(w.baseRTT)/float64(rtt))
		w.baseRTT, w.baseSeen = 0, now
	case queue > standing && w.isForeign(t.used, rtt, now):
		w.size, w.baseRTT, w.baseSeen, w.sharedUntil = max(w.size, w.foreign.size), rtt, now, now.Add(baseRTTLifetime)
		w.foreign = foreignQueue{}
	case queue > standing:
		w.shrink(t.used, float64(w.baseRTT+standing)/float64(rtt))
	case t.limited && queue < quiet:
		w.grow(min(maxGrowth, float64(standing)/float64(4*rtt)))
	}
}

// isForeign reports that a queue which is too long is not ours.
func (w *congestionWindow) isForeign(used int, rtt time.Duration, now time.Time) bool {
	d := &w.foreign
	if d.size == 0 {
		d.size, d.used = w.size, used
	}
	d.rtt = max(d.rtt, rtt)
	if d.half.IsZero() {
		if w.size <= max(d.used/2, minWindow) {
			d.half = now
		}
		return false
	}
	return now.Sub(d.half) >= 2*d.rtt && rtt-w.baseRTT >= (d.rtt-w.baseRTT)*2/3
}

func (w *congestionWindow) grow(more float64) {
	if !w.full {
		more = slowStartGrowth
	}
	w.size = min(int((1+more)*float64(w.size)), ourWindow*maxPayload)
}

// speed is how fast the window may be filled, in bytes a second.
func (w *congestionWindow) speed(rtt time.Duration) float64 {
	return pacingGain * float64(w.size) / max(rtt, minRoundTrip).Seconds()
}

// shrink reduces the window to a part of what was in flight.
func (w *congestionWindow) shrink(used int, by float64) {
	w.full = true
	w.size = max(minWindow, min(w.size, int(max(by, maxShrink)*float64(used))))
}

// onLoss notes that something arrived too late, or not at all.
func (w *congestionWindow) onLoss(now time.Time) {
	if now.Sub(w.lastCut) < w.latency {
		return // the same event
	}
	w.lastCut, w.sharedUntil = now, time.Time{}
	w.shrink(w.size, maxShrink)
}
