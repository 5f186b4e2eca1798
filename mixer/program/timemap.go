package program

import (
	"slices"
	"sort"
	"time"

	"obvan/media"
)

const (
	// tick is the smallest step between two frames. A millisecond, so that formats which
	// count in milliseconds still see the time increase.
	tick = time.Millisecond
	// settle is how long the timeline takes at least to come back from where a splice
	// pushed it, and no step changes by more than a quarter: after a compressed GOP of
	// two seconds audio and video are within 40 ms again after some 200 ms.
	settle = 300 * time.Millisecond
)

// timeMap maps one source's time to the program's time. The frames that the hub already
// had when the source came on air are compressed into one-millisecond steps; from the
// newest of them on the map is the identity, moved by offset. A splice may have pushed
// the timeline ahead of where it belongs (or left it behind): that excess decreases to
// zero as time goes on.
//
// It is one increasing function for decode and presentation times, so reordered frames
// stay in order.
type timeMap struct {
	from   []time.Duration // source times of the compressed frames; the last is where the identity begins
	to     []time.Duration // their program times
	offset time.Duration   // of the identity
	excess time.Duration   // at the end of the compressed GOP

	// The source before may have shown frames later than this one's first is due
	// (B-frames): presentation times run slowly from floor on until at catches up.
	floor, first time.Duration
}

// frameTimes is the times that the map has to keep a tick apart, in order: the frames'
// decode and presentation times, up to the newest frame's decode time.
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

// compressGOP makes a source's map from its frame times, the last of which belongs at
// wall and goes on air at end.
func compressGOP(times []time.Duration, wall, end time.Duration) timeMap {
	newest := times[len(times)-1]
	m := timeMap{from: times, to: make([]time.Duration, len(times)), offset: wall - newest, excess: end - wall}
	for i := range times {
		m.to[i] = end - time.Duration(len(times)-1-i)*tick
	}
	return m
}

// at is the program's time of the source's time t.
func (m *timeMap) at(t time.Duration) time.Duration {
	last := len(m.from) - 1
	if since := t - m.from[last]; since >= 0 {
		return t + m.offset + m.excessAfter(since)
	}
	if t <= m.from[0] {
		return m.to[0]
	}
	i := sort.Search(last, func(i int) bool { return m.from[i] > t }) // from[i-1] <= t < from[i]
	a, b := m.from[i-1], m.from[i]
	return m.to[i-1] + time.Duration(float64(m.to[i]-m.to[i-1])*float64(t-a)/float64(b-a))
}

// excessAfter is how much of the excess remains that long after the splice.
func (m *timeMap) excessAfter(since time.Duration) time.Duration {
	over := max(settle, 4*m.excess.Abs())
	if since >= over {
		return 0
	}
	return m.excess - time.Duration(float64(m.excess)*float64(since)/float64(over))
}

// presentation is the program's presentation time of the source's presentation time t.
func (m *timeMap) presentation(t time.Duration) time.Duration {
	at := m.at(t)
	return max(at, m.floor+m.slowed(at)-m.slowed(m.first))
}

// slowed is the program's time running at an eighth of its speed after the compressed
// GOP.
func (m *timeMap) slowed(at time.Duration) time.Duration {
	end := m.to[len(m.to)-1]
	return min(at, end) + max(at-end, 0)/8
}

// presentAfter makes the source's frames be presented after floor; first is the
// presentation time of its first frame.
func (m *timeMap) presentAfter(floor, first time.Duration) {
	m.floor, m.first = floor+tick, m.at(first)
}

// withoutExcess is the program's time of t without the excess: where audio belongs.
func (m *timeMap) withoutExcess(t time.Duration) time.Duration { return t + m.offset }

// neededFrames is the frames that have to be sent so that the newest can be decoded:
// all but the disposable ones. The keyframe and the newest frame are always among them.
// Their arrival time becomes the newest frame's: readers downstream that drop frames by
// age must not drop a compressed GOP.
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
