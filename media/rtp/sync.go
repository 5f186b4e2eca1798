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
//
// Some senders, among them every server built on gortsplib, write nanoseconds where the
// fraction in units of 2^-32 s belongs. How much time passed between two reports tells
// which it is: by RTP for those of one track, else by their arrival.
type reports struct {
	last     rtcp.SenderReport // of either track
	at       time.Time         // when it came
	fraction bool              // one was seen that is no nanoseconds: above a billion
	// How wrong the two readings were, in all.
	asFraction, asNanos time.Duration
}

const (
	minOffset = 10 * time.Millisecond // below this the arrival said it well enough
	maxOffset = 2 * time.Second       // above it the sender's clocks are nonsense
	maxStep   = 50 * time.Millisecond // two reports of a track agree this well, or its clock was set
)

// take takes a report of t that came at now; other is the other track, if there is one.
func (r *reports) take(t, other *timeline, sr *rtcp.SenderReport, now time.Time) {
	r.fraction = r.fraction || uint32(sr.NTPTime) >= uint32(time.Second)
	if r.last.NTPTime != 0 {
		r.weigh(&r.last, sr, now.Sub(r.at))
	}
	if t.reported && t.report.NTPTime != 0 {
		passed := duration(int64(int32(sr.RTPTime-t.report.RTPTime)), t.rate)
		r.weigh(&t.report, sr, passed)
		if other != nil && (r.wall(sr)-r.wall(&t.report)-passed).Abs() > maxStep {
			other.reported = false // what it said was said by a clock that was set since
		}
	}
	t.reported, t.report = true, *sr
	r.last, r.at = *sr, now
}

// weigh notes how well both readings of two reports fit the time that passed.
func (r *reports) weigh(a, b *rtcp.SenderReport, passed time.Duration) {
	wrong := func(fraction bool) time.Duration {
		return min((wall(b, fraction) - wall(a, fraction) - passed).Abs(), time.Second)
	}
	r.asFraction += wrong(true)
	r.asNanos += wrong(false)
}

// begin takes a timestamp of the moment the sender calls zero.
func (r *reports) begin(t *timeline, timestamp uint32) {
	t.reported, t.report = true, rtcp.SenderReport{RTPTime: timestamp}
}

// wall is the sender's clock at a report.
func (r *reports) wall(sr *rtcp.SenderReport) time.Duration {
	return wall(sr, r.fraction || r.asFraction <= r.asNanos)
}

// wall reads a report either way.
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
	off := b.ahead(r.wall(&b.report)) - a.ahead(r.wall(&a.report))
	if off.Abs() < minOffset || off.Abs() > maxOffset {
		return 0
	}
	return off
}

// ahead is the sender's clock minus the stream's, of a report of that time of day.
func (t *timeline) ahead(wall time.Duration) time.Duration {
	ticks := t.ticks + int64(int32(t.report.RTPTime-t.prev))
	return wall - t.origin - duration(ticks, t.rate)
}
