package rtp

import (
	"slices"
	"time"
)

// decodeOrder finds decode times for video frames that arrive in decode order with only a
// presentation time, as in RTP (RFC 6184, 5.1).
//
// When a frame is at most depth positions away from its place in presentation order, the
// decode times are the sorted presentation times, depth frames late: each frame takes the
// smallest unused one of the last depth+1.
type decodeOrder struct {
	depth  int
	frame  time.Duration
	window []time.Duration // sorted, depth long
	last   time.Duration
	any    bool
	recent [maxDepth + 1]time.Duration // of the last frames, unsorted
	seen   int
}

const (
	maxDepth   = 16              // size limit of a decoded picture buffer (H.264 A.3.1, H.265 A.4.2)
	orderReset = 2 * time.Second // a larger step is not reordering
	enoughSeen = 8               // frames needed to know the frame interval
)

// configure sets the reordering depth, as far as the bitstream states it, and the frame rate.
func (o *decodeOrder) configure(depth int, rate float64) {
	o.depth = min(max(depth, 0), maxDepth)
	o.frame = 40 * time.Millisecond
	if rate >= 1 && rate <= 480 {
		o.frame = time.Duration(float64(time.Second) / rate)
	}
	o.window = o.window[:0]
}

// dts is the decode time of the next frame, which is presented at pts. It increases as
// long as pts does in the long run.
func (o *decodeOrder) dts(pts time.Duration) time.Duration {
	if o.any && ((pts-o.last).Abs() > orderReset || pts < o.last && !o.hasGapAt(pts)) {
		o.window, o.any, o.seen = o.window[:0], false, 0
	}
	o.recent[o.seen%len(o.recent)] = pts
	o.seen++
	if o.any && pts < o.last && o.depth < maxDepth {
		o.deepen() // the stream reorders more than it states
	}
	for i := o.depth; len(o.window) < o.depth; i-- {
		o.window = append(o.window, pts-time.Duration(i)*o.frame)
	}
	at, _ := slices.BinarySearch(o.window, pts)
	o.window = slices.Insert(o.window, at, pts)
	dts := o.window[0]
	o.window = o.window[:copy(o.window, o.window[1:])]
	if o.any && dts <= o.last {
		dts = o.last + 100*time.Microsecond
	}
	o.last, o.any = dts, true
	return dts
}

// hasGapAt reports whether the last frames left a gap at pts. When they did not, the
// clock has stepped back: some cameras set theirs while they send.
func (o *decodeOrder) hasGapAt(pts time.Duration) bool {
	if o.seen < enoughSeen {
		return true
	}
	times := slices.Sorted(slices.Values(o.recent[:min(o.seen, len(o.recent))]))
	frame := orderReset
	for i, t := range times[1:] {
		if gap := t - times[i]; gap > 0 {
			frame = min(frame, gap)
		}
	}
	at, taken := slices.BinarySearch(times, pts)
	if taken || at == 0 || at == len(times) {
		return false
	}
	return times[at]-times[at-1] >= frame*3/2
}

// deepen adds one frame of depth, decoded before all known ones.
func (o *decodeOrder) deepen() {
	o.depth++
	first := o.last
	if len(o.window) > 0 {
		first = min(first, o.window[0]-o.frame)
	}
	o.window = slices.Insert(o.window, 0, first)
}
