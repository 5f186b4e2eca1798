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

// start places the first packet at its arrival time; sender reports correct that later.
func (t *timeline) start(ts uint32, at time.Duration) {
	t.started, t.prev, t.origin = true, ts, at
}

// at is the stream time of a timestamp, which wraps at 32 bits.
func (t *timeline) at(ts uint32) time.Duration {
	t.ticks += int64(int32(ts - t.prev))
	t.prev = ts
	return t.origin + duration(t.ticks, t.rate)
}

// reports aligns audio and video by the sender's reports about its clock (RFC 3550,
// 6.4.1).
//
// Some senders, among them every server built on gortsplib, write nanoseconds instead of
// a fraction in units of 2^-32 s. The time between two reports shows which it is: in RTP
// timestamps for two reports of one track, otherwise by their arrival.
type reports struct {
	last     rtcp.SenderReport // of either track
	at       time.Time         // when it arrived
	fraction bool              // one was seen that can't be nanoseconds: above a billion
	// The accumulated errors of the two interpretations.
	asFraction, asNanos time.Duration
}

const (
	minOffset = 10 * time.Millisecond // below this the arrival times were accurate enough
	maxOffset = 2 * time.Second       // above it the sender's clocks are not plausible
	maxStep   = 50 * time.Millisecond // if two reports of a track differ by more, its clock was set
)

// take takes a report of t that arrived at now; other is the other track, if there is one.
func (r *reports) take(t, other *timeline, sr *rtcp.SenderReport, now time.Time) {
	r.fraction = r.fraction || uint32(sr.NTPTime) >= uint32(time.Second)
	if r.last.NTPTime != 0 {
		r.weigh(&r.last, sr, now.Sub(r.at))
	}
	if t.reported && t.report.NTPTime != 0 {
		passed := duration(int64(int32(sr.RTPTime-t.report.RTPTime)), t.rate)
		r.weigh(&t.report, sr, passed)
		if other != nil && (r.wall(sr)-r.wall(&t.report)-passed).Abs() > maxStep {
			other.reported = false // its report is from before the clock was set
		}
	}
	t.reported, t.report = true, *sr
	r.last, r.at = *sr, now
}

// weigh adds the error of each interpretation of two reports, given the time between them.
func (r *reports) weigh(a, b *rtcp.SenderReport, passed time.Duration) {
	wrong := func(fraction bool) time.Duration {
		return min((wall(b, fraction) - wall(a, fraction) - passed).Abs(), time.Second)
	}
	r.asFraction += wrong(true)
	r.asNanos += wrong(false)
}

// begin takes the RTP timestamp of the sender's time zero.
func (r *reports) begin(t *timeline, timestamp uint32) {
	t.reported, t.report = true, rtcp.SenderReport{RTPTime: timestamp}
}

// wall is the sender's clock in a report.
func (r *reports) wall(sr *rtcp.SenderReport) time.Duration {
	return wall(sr, r.fraction || r.asFraction <= r.asNanos)
}

// wall is a report's time in one of the two interpretations.
func wall(sr *rtcp.SenderReport, fraction bool) time.Duration {
	whole := time.Duration(sr.NTPTime>>32) * time.Second
	if fraction {
		return whole + time.Duration(uint64(uint32(sr.NTPTime))*uint64(time.Second)>>32)
	}
	return whole + time.Duration(uint32(sr.NTPTime))
}

// offset is how much later b's units must be to be in sync with a's; 0 while that is not
// known.
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

// ahead is the sender's clock minus the stream's, where wall is the clock in t's last report.
func (t *timeline) ahead(wall time.Duration) time.Duration {
	ticks := t.ticks + int64(int32(t.report.RTPTime-t.prev))
	return wall - t.origin - duration(ticks, t.rate)
}
