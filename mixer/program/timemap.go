package program

import (
	"slices"
	"sort"
	"time"

	"obvan/media"
)

const (
	// tick is the least step between two pictures. A millisecond, so that formats
	// which count in milliseconds still see the time grow.
	tick = time.Millisecond
	// settle is how long the timeline takes at least to come back from where a splice
	// pushed it, and no step changes by more than a quarter: a squeeze of two seconds
	// has sound and picture within 40 ms again after some 200 ms.
	settle = 300 * time.Millisecond
)

// warp is the map from one source's time to the program's time. The pictures that
// were there already when the source came on air are squeezed into one-millisecond
// steps; from the newest of them on it is the identity, moved by offset. A splice
// may have pushed the timeline ahead of where it belongs (or left it behind): the
// excess melts away while time goes on.
//
// It is one growing function for decode times and presentation times, so
// reordered pictures stay in their order.
type timeMap struct {
	from   []time.Duration // source times of the squeezed pictures; the last is where the identity begins
	to     []time.Duration // their program times
	offset time.Duration   // of the identity
	excess time.Duration   // at the end of the squeeze

	// The source before may have shown pictures later than this one's first should be
	// (B pictures): presentation times run slowly from floor on until at catches up.
	floor, first time.Duration
}

// moments is the times of pictures that the warp has to keep a tick apart, in order:
// when they are decoded and shown, up to when the newest is decoded.
func frameTimes(frames []media.AccessUnit) []time.Duration {
	newest := frames[len(frames)-1].DTS
	times := []time.Duration{newest}
	for i := range frames {
		for _, t := range []time.Duration{frames[i].DTS, frames[i].PTS} {
			if t < newest {
				times = append(times, t)
			}
		}
	}
	slices.Sort(times)
	return slices.Compact(times)
}

// squeeze makes a source's warp from its pictures' moments, the last of which
// belongs at wall and comes on air at end.
func compressGOP(times []time.Duration, wall, end time.Duration) timeMap {
	newest := times[len(times)-1]
	w := timeMap{from: times, to: make([]time.Duration, len(times)), offset: wall - newest, excess: end - wall}
	for i := range times {
		w.to[i] = end - time.Duration(len(times)-1-i)*tick
	}
	return w
}

// at is the program's time of the source's time t.
func (w *timeMap) at(t time.Duration) time.Duration {
	last := len(w.from) - 1
	if since := t - w.from[last]; since >= 0 {
		return t + w.offset + w.excessAfter(since)
	}
	if t <= w.from[0] {
		return w.to[0]
	}
	i := sort.Search(last, func(i int) bool { return w.from[i] > t }) // from[i-1] <= t < from[i]
	a, b := w.from[i-1], w.from[i]
	return w.to[i-1] + time.Duration(float64(w.to[i]-w.to[i-1])*float64(t-a)/float64(b-a))
}

// left is what is left of the excess so long after the splice.
func (w *timeMap) excessAfter(since time.Duration) time.Duration {
	over := max(settle, 4*w.excess.Abs())
	if since >= over {
		return 0
	}
	return w.excess - time.Duration(float64(w.excess)*float64(since)/float64(over))
}

// shown is the program's presentation time of the source's presentation time t.
func (w *timeMap) presentation(t time.Duration) time.Duration {
	at := w.at(t)
	return max(at, w.floor+w.slowed(at)-w.slowed(w.first))
}

// slow is the program's time running at an eighth after the squeeze.
func (w *timeMap) slowed(at time.Duration) time.Duration {
	end := w.to[len(w.to)-1]
	return min(at, end) + max(at-end, 0)/8
}

// after makes the source's pictures be shown after floor; first is the
// presentation time of its first picture.
func (w *timeMap) presentAfter(floor, first time.Duration) {
	w.floor, w.first = floor+tick, w.at(first)
}

// steady is the program's time of t without the excess: where sound belongs.
func (w *timeMap) withoutExcess(t time.Duration) time.Duration { return t + w.offset }

// worth is the pictures that have to be sent so that the newest can be decoded:
// all but the disposable ones. The key frame and the newest are always among them.
// They arrived, for what is downstream, when the newest did: that is when they began
// to be late, and readers that shed load by age must not shed a squeeze.
func neededFrames(frames []media.AccessUnit) []media.AccessUnit {
	kept := make([]media.AccessUnit, 0, len(frames))
	last := len(frames) - 1
	for i, au := range frames {
		if !au.Disposable || i == 0 || i == last {
			au.Arrived = frames[last].Arrived
			kept = append(kept, au)
		}
	}
	return kept
}
