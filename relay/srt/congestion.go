package srt

import "time"

const (
	leastWindow = 4 * (headerSize + maxPayload) // bytes
	firstWindow = 4 * leastWindow               // the path may be slow

	shortestTurn = 30 * time.Millisecond // receivers acknowledge every 10 ms
	learnBy      = 1                     // more each turn, until the path was full once
	growBy       = 0.25                  // each turn, later, at most: more
	ahead        = 1.5                   // how much faster than the window turns round it may be filled
	shrinkBy     = 0.85
	shrinkMost   = 0.5

	// A path that loses less than this of what is sent is a bad one, not a full one.
	fullLoses      = 0.15
	fullLosesLeast = 6 * (headerSize + maxPayload)

	leastStanding = 50 * time.Millisecond
	mostStanding  = 125 * time.Millisecond

	// For so long an empty path's round trip is believed; then the queue is let run
	// empty once to see it again.
	baseLasts = 10 * time.Second
)

// window is how many bytes may be on their way at once. It keeps the queue in front
// of the slowest part of the path so short that what is lost can be repeated before
// the receiver goes on without it. What is left out then is the program's to choose
// (relay.Shed), in whole groups of pictures, and not the path's, packet by packet. The
// round trip says how long that queue is; losses count where there is none to see.
type window struct {
	size    int
	latency time.Duration
	base    time.Duration // the empty path's round trip; 0 when it is not known
	seen    time.Time     // when it was
	full    bool          // the path was, once
	cut     time.Time     // when something was late
	doubt   doubt
	shared  time.Time // until then a queue is taken for that of others
	turn    turn
}

// doubt is that a queue may not be ours: a window half as large does not make it
// shorter. Then others fill it, or the path has become longer, and to go on shrinking
// would leave us nothing.
type doubt struct {
	size int           // before the window was made smaller; 0 while there is no doubt
	used int           // of that
	rtt  time.Duration // the longest since
	half time.Time     // when the window was half of what was used
}

// turn is what happened within about a round trip.
type turn struct {
	since time.Time
	used  int // bytes on their way, at most
	sent  int
	lost  int
	want  bool          // the window kept something back
	took  time.Duration // there and back, smoothed; 0 when that was not seen
}

func newWindow(latency time.Duration, now time.Time) window {
	return window{
		size: firstWindow, latency: latency, seen: now, turn: turn{since: now},
	}
}

// standing is how long the queue may get: what is lost behind it arrives in time when
// it is repeated, and the repeat waits in the queue again.
func (w *window) standing() time.Duration {
	return max(min(w.latency/4, (w.latency-w.base)/3, mostStanding), leastStanding)
}

// room says whether more may be sent while so many bytes are on their way.
func (w *window) room(flying int) bool {
	w.turn.used = max(w.turn.used, flying)
	if flying < w.size {
		return true
	}
	w.turn.want = true
	return false
}

// answered is told how long a packet took that nothing held up, there and back.
func (w *window) answered(took time.Duration, now time.Time) {
	if w.base == 0 || took < w.base {
		w.base, w.seen = took, now
	}
	if w.turn.took == 0 {
		w.turn.took = took
	}
	w.turn.took += (took - w.turn.took) / 4
}

// look draws the conclusions of a turn, once it is over. The receiver's idea of the
// round trip is smooth and therefore late.
func (w *window) look(rtt time.Duration, now time.Time) {
	long := max(rtt, shortestTurn)
	if !w.full {
		long = 2*rtt + shortestTurn // what the last step did is to be seen first
	}
	if now.Sub(w.turn.since) < long {
		return
	}
	t := w.turn
	w.turn = turn{since: now}
	quiet := w.standing() / 4 // up to which it grows
	if t.took > 0 {
		rtt, quiet = t.took, w.standing()/2
	}
	queue, standing := max(0, rtt-w.base), w.standing()
	if w.base == 0 {
		queue = 0
	}
	if queue < standing/4 {
		w.seen, w.doubt = now, doubt{}
	} else {
		w.full = true
	}
	if queue <= standing {
		w.doubt.rtt, w.doubt.half = 0, time.Time{}
	}
	switch {
	case t.lost >= fullLosesLeast && float64(t.lost) >= fullLoses*float64(t.sent):
		w.shared = time.Time{}
		w.shrink(t.used-t.lost, shrinkBy)
	case queue > standing && now.Before(w.shared) && rtt < w.latency: // what was lost may still be mended
		w.shared = now.Add(baseLasts)
		if t.want && t.lost == 0 {
			w.grow(float64(standing) / float64(4*rtt))
		}
	case now.Sub(w.seen) > baseLasts:
		w.shrink(t.used, shrinkBy*float64(w.base)/float64(rtt))
		w.base, w.seen = 0, now
	case queue > standing && w.foreign(t.used, rtt, now):
		w.size, w.base, w.seen, w.shared = max(w.size, w.doubt.size), rtt, now, now.Add(baseLasts)
		w.doubt = doubt{}
	case queue > standing:
		w.shrink(t.used, float64(w.base+standing)/float64(rtt))
	case t.want && queue < quiet:
		w.grow(min(growBy, float64(standing)/float64(4*rtt)))
	}
}

// foreign says that a queue which is too long is not ours.
func (w *window) foreign(used int, rtt time.Duration, now time.Time) bool {
	d := &w.doubt
	if d.size == 0 {
		d.size, d.used = w.size, used
	}
	d.rtt = max(d.rtt, rtt)
	if d.half.IsZero() {
		if w.size <= max(d.used/2, leastWindow) {
			d.half = now
		}
		return false
	}
	return now.Sub(d.half) >= 2*d.rtt && rtt-w.base >= (d.rtt-w.base)*2/3
}

func (w *window) grow(more float64) {
	if !w.full {
		more = learnBy
	}
	w.size = min(int((1+more)*float64(w.size)), ourWindow*maxPayload)
}

// speed is how fast the window may be filled, in bytes a second.
func (w *window) speed(rtt time.Duration) float64 {
	return ahead * float64(w.size) / max(rtt, shortestTurn).Seconds()
}

// shrink leaves a part of what was on its way.
func (w *window) shrink(used int, by float64) {
	w.full = true
	w.size = max(leastWindow, min(w.size, int(max(by, shrinkMost)*float64(used))))
}

// late is told that something arrived too late, or not at all.
func (w *window) late(now time.Time) {
	if now.Sub(w.cut) < w.latency {
		return // the same trouble
	}
	w.cut, w.shared = now, time.Time{}
	w.shrink(w.size, shrinkMost)
}
