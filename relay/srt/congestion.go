package srt

import "time"

const (
	minWindow     = 4 * (headerSize + maxPayload) // bytes
	initialWindow = 4 * minWindow                 // the path may be slow

	minRoundTrip    = 30 * time.Millisecond // receivers acknowledge every 10 ms
	slowStartGrowth = 1                     // more each turn, until the path was full once
	maxGrowth       = 0.25                  // each turn, later, at most: more
	pacingGain      = 1.5                   // how much faster than the window turns round it may be filled
	shrinkBy        = 0.85
	maxShrink       = 0.5

	// A path that loses less than this of what is sent is a bad one, not a full one.
	congestionLoss    = 0.15
	minCongestionLoss = 6 * (headerSize + maxPayload)

	minQueue      = 50 * time.Millisecond
	maxQueueDelay = 125 * time.Millisecond

	// For so long an empty path's round trip is believed; then the queue is let run
	// empty once to see it again.
	baseRTTLifetime = 10 * time.Second
)

// window is how many bytes may be on their way at once. It keeps the queue in front
// of the slowest part of the path so short that what is lost can be repeated before
// the receiver goes on without it. What is left out then is the program's to choose
// (relay.Shed), in whole groups of pictures, and not the path's, packet by packet. The
// round trip says how long that queue is; losses count where there is none to see.
type congestionWindow struct {
	size        int
	latency     time.Duration
	baseRTT     time.Duration // the empty path's round trip; 0 when it is not known
	baseSeen    time.Time     // when it was
	full        bool          // the path was, once
	lastCut     time.Time     // when something was late
	foreign     foreignQueue
	sharedUntil time.Time // until then a queue is taken for that of others
	round       roundTrip
}

// doubt is that a queue may not be ours: a window half as large does not make it
// shorter. Then others fill it, or the path has become longer, and to go on shrinking
// would leave us nothing.
type foreignQueue struct {
	size int           // before the window was made smaller; 0 while there is no doubt
	used int           // of that
	rtt  time.Duration // the longest since
	half time.Time     // when the window was half of what was used
}

// turn is what happened within about a round trip.
type roundTrip struct {
	since   time.Time
	used    int // bytes on their way, at most
	sent    int
	lost    int
	limited bool          // the window kept something back
	rtt     time.Duration // there and back, smoothed; 0 when that was not seen
}

func newCongestionWindow(latency time.Duration, now time.Time) congestionWindow {
	return congestionWindow{
		size: initialWindow, latency: latency, baseSeen: now, round: roundTrip{since: now},
	}
}

// standing is how long the queue may get: what is lost behind it arrives in time when
// it is repeated, and the repeat waits in the queue again.
func (w *congestionWindow) maxQueue() time.Duration {
	return max(min(w.latency/4, (w.latency-w.baseRTT)/3, maxQueueDelay), minQueue)
}

// room says whether more may be sent while so many bytes are on their way.
func (w *congestionWindow) room(flying int) bool {
	w.round.used = max(w.round.used, flying)
	if flying < w.size {
		return true
	}
	w.round.limited = true
	return false
}

// answered is told how long a packet took that nothing held up, there and back.
func (w *congestionWindow) addSample(took time.Duration, now time.Time) {
	if w.baseRTT == 0 || took < w.baseRTT {
		w.baseRTT, w.baseSeen = took, now
	}
	if w.round.rtt == 0 {
		w.round.rtt = took
	}
	w.round.rtt += (took - w.round.rtt) / 4
}

// look draws the conclusions of a turn, once it is over. The receiver's idea of the
// round trip is smooth and therefore late.
func (w *congestionWindow) update(rtt time.Duration, now time.Time) {
	long := max(rtt, minRoundTrip)
	if !w.full {
		long = 2*rtt + minRoundTrip // what the last step did is to be seen first
	}
	if now.Sub(w.round.since) < long {
		return
	}
	t := w.round
	w.round = roundTrip{since: now}
	quiet := w.maxQueue() / 4 // up to which it grows
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
	case queue > standing && now.Before(w.sharedUntil) && rtt < w.latency: // what was lost may still be mended
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

// foreign says that a queue which is too long is not ours.
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

// shrink leaves a part of what was on its way.
func (w *congestionWindow) shrink(used int, by float64) {
	w.full = true
	w.size = max(minWindow, min(w.size, int(max(by, maxShrink)*float64(used))))
}

// late is told that something arrived too late, or not at all.
func (w *congestionWindow) onLoss(now time.Time) {
	if now.Sub(w.lastCut) < w.latency {
		return // the same trouble
	}
	w.lastCut, w.sharedUntil = now, time.Time{}
	w.shrink(w.size, maxShrink)
}
