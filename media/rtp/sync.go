package rtp

import (
	"time"

	"github.com/pion/rtcp"
)

// timeline turns one input's RTP timestamps into the stream's time.
type timeline struct {
	rate    int64
	started bool
	prev    uint32
	ticks   int64         // since the first packet
	origin  time.Duration // the stream's time of the first packet

	reported bool // a sender report is known
	report   rtcp.SenderReport
}

// start places the first packet by its arrival; sender reports correct that later.
func (t *timeline) start(ts uint32, at time.Duration) {
	t.started, t.prev, t.origin = true, ts, at
}

// at is the stream's time of a timestamp, which wraps at 32 bits.
func (t *timeline) at(ts uint32) time.Duration {
	t.ticks += int64(int32(ts - t.prev))
	t.prev = ts
	return t.origin + duration(t.ticks, t.rate)
}

// reports aligns sound and picture by what the sender says about its own clock
// (RFC 3550, 6.4.1).
type reports struct {
	seen     int
	fraction bool // a fraction above a billion was seen: the sender counts in 2^-32 s
}

const (
	// Some senders, among them every server built on gortsplib, write nanoseconds
	// where the fraction in units of 2^-32 s belongs. So many reports without a
	// fraction that nanoseconds could not have are proof enough: they come by chance
	// once in 100 000 senders.
	enoughReports = 8

	minOffset = 10 * time.Millisecond // below this the arrival said it well enough
	maxOffset = 2 * time.Second       // above it the sender's clocks are nonsense
)

func (r *reports) take(t *timeline, sr *rtcp.SenderReport) {
	t.reported, t.report = true, *sr
	r.seen++
	r.fraction = r.fraction || uint32(sr.NTPTime) >= uint32(time.Second)
}

// begin takes a timestamp of the moment the sender calls zero.
func (r *reports) begin(t *timeline, timestamp uint32) {
	t.reported, t.report = true, rtcp.SenderReport{RTPTime: timestamp}
}

// wall is the sender's clock at a report, by either way to read it.
func wall(sr *rtcp.SenderReport, fraction bool) time.Duration {
	whole := time.Duration(sr.NTPTime>>32) * time.Second
	if fraction {
		return whole + time.Duration(uint64(uint32(sr.NTPTime))*uint64(time.Second)>>32)
	}
	return whole + time.Duration(uint32(sr.NTPTime))
}

// offset is how much later b's units belong to be in step with a's; 0 while that
// is not known.
func (r *reports) offset(a, b *timeline) time.Duration {
	if !a.started || !b.started || !a.reported || !b.reported {
		return 0
	}
	off := b.ahead(r.fraction) - a.ahead(r.fraction)
	if !r.fraction && r.seen < enoughReports {
		// Reports of the same moment say the same either way: most do at the start.
		if other := b.ahead(true) - a.ahead(true); (off - other).Abs() > minOffset {
			return 0
		}
	}
	if off.Abs() < minOffset || off.Abs() > maxOffset {
		return 0
	}
	return off
}

// ahead is the sender's clock minus the stream's.
func (t *timeline) ahead(fraction bool) time.Duration {
	ticks := t.ticks + int64(int32(t.report.RTPTime-t.prev))
	return wall(&t.report, fraction) - t.origin - duration(ticks, t.rate)
}
