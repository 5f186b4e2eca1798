package srt

import "time"

const (
	minTooOld    = time.Second           // see tooOld
	tooOldSlack  = 20 * time.Millisecond // the same
	repeatMargin = 20 * time.Millisecond // a repeated packet has this much longer than a round trip
)

// sentPacket is a packet that may have to be sent again.
type sentPacket struct {
	buf       []byte
	firstSent time.Time // sent for the first time
	lastSent  time.Time // sent last
	lost      bool      // to be repeated
	repeated  bool      // it was
}

// feedback is what the receiver reported.
type feedback struct {
	rtt     time.Duration // round trip of a packet that nothing held up; 0 when there was none
	lost    int           // bytes to be repeated
	skipped int           // packets it continued without
}

// readFeedback processes the inbox.
func (c *conn) readFeedback(now time.Time) (n feedback) {
	c.inbox.mu.Lock()
	ack, acked, free, naks := c.inbox.ack, c.inbox.acked, c.inbox.free, c.inbox.naks
	c.inbox.naks = nil
	c.inbox.mu.Unlock()
	before := c.lostBytes // it may skip what it misses in the next moment
	for _, s := range naks {
		c.reportLost(s, now)
	}
	lost := c.lostBytes - before
	if !acked.IsZero() {
		n = c.acknowledge(ack, acked)
		// What the receiver has room for; some send 0 because they don't count.
		if free > 0 {
			c.window = min(max(free, 2), ourWindow)
		}
	}
	n.lost = lost
	c.bytesInFlight = c.countInFlight(now)
	return n
}

// acknowledge discards what was acknowledged at a time: all before seq. A receiver also
// acknowledges what it skipped: a packet that was lost for so long that it had to, or
// whose repeat can't have arrived yet.
func (c *conn) acknowledge(seq uint32, at time.Time) (n feedback) {
	count := int((seq - c.isn - uint32(c.oldest)) & seqMask)
	if count == 0 || count > len(c.inFlight) {
		return n // outdated, or invalid
	}
	firstTry := true
	for i := range c.inFlight[:count] {
		f := &c.inFlight[i]
		firstTry = firstTry && !f.lost && !f.repeated
		if at.Sub(f.firstSent) >= c.latency && (f.lost || f.repeated && at.Sub(f.lastSent) < time.Duration(c.rtt.Load())*9/10) {
			n.skipped++
		}
	}
	if firstTry {
		n.rtt = max(at.Sub(c.inFlight[count-1].firstSent), 1)
	}
	bytes := c.discard(count)
	if c.unackedSince = at; len(c.inFlight) == 0 {
		c.unackedSince = time.Time{}
	}
	c.acked.Add(uint64(bytes))
	return n
}

// discard drops the n oldest packets in flight.
func (c *conn) discard(n int) (bytes int) {
	for i := range c.inFlight[:n] {
		f := &c.inFlight[i]
		bytes += len(f.buf)
		if f.lost {
			c.lost--
			c.lostBytes -= len(f.buf)
		}
		if len(c.spare) < 256 {
			c.spare = append(c.spare, f.buf[:0])
		}
		f.buf = nil
	}
	c.inFlight = c.inFlight[n:]
	c.oldest += uint64(n)
	c.unsent.Add(-int64(bytes))
	return bytes
}

// countInFlight is how many bytes are in flight, without those that are known to be lost.
// Behind a gap nothing is acknowledged: packets sent long ago count as arrived there.
func (c *conn) countInFlight(now time.Time) int {
	if len(c.inFlight) == 0 || !c.inFlight[0].lost && !c.inFlight[0].repeated {
		return int(c.unsent.Load()) - c.lostBytes
	}
	long, bytes := time.Duration(c.rtt.Load())*5/4+repeatMargin, 0
	for i := len(c.inFlight) - 1; i >= 0; i-- {
		if f := &c.inFlight[i]; !f.lost && now.Sub(f.lastSent) < long {
			bytes += len(f.buf)
		}
	}
	return bytes
}

// reportLost marks what the receiver misses. It reports a loss repeatedly, also while the
// repeat is on its way.
func (c *conn) reportLost(s span, now time.Time) {
	from := int((s.from - c.isn - uint32(c.oldest)) & seqMask)
	to := int((s.to - c.isn - uint32(c.oldest)) & seqMask)
	if to >= 1<<30 {
		return // before what we still have
	}
	if from > to {
		from = 0
	}
	again := repeatMargin + time.Duration(c.rtt.Load())
	for i := from; i <= to && i < len(c.inFlight); i++ {
		if f := &c.inFlight[i]; !f.lost && (!f.repeated || now.Sub(f.lastSent) >= again) {
			c.markLost(f)
		}
	}
}

func (c *conn) markLost(f *sentPacket) {
	f.lost = true
	c.lost++
	c.lostBytes += len(f.buf)
}

// detectLoss repeats what the receiver has not reported. The oldest packet is missing as
// long as it is not acknowledged; a receiver that is silent perhaps has nothing since, and
// the newest packet makes it check what it misses.
func (c *conn) detectLoss(now time.Time) {
	if len(c.inFlight) == 0 {
		return
	}
	timeout := repeatMargin + time.Duration(c.rtt.Load())
	if f := &c.inFlight[0]; f.repeated && !f.lost && now.Sub(f.lastSent) >= timeout {
		c.markLost(f)
	}
	f := &c.inFlight[len(c.inFlight)-1]
	if c.lost == 0 && now.Sub(f.lastSent) >= 2*timeout && now.Sub(c.unackedSince) >= 2*timeout {
		c.markLost(f)
	}
}

// tooOld is how long a packet is worth repeating: after that the receiver has continued
// without it (4.6).
func (c *conn) tooOld() time.Duration { return max(c.latency*5/4, minTooOld) + tooOldSlack }

// dropTooOld gives up packets that can't arrive in time any more, and returns how many
// there were.
func (c *conn) dropTooOld(now time.Time) int {
	n := 0
	for n < len(c.inFlight) && now.Sub(c.inFlight[n].firstSent) > c.tooOld() {
		n++
	}
	c.discard(n)
	return n
}

// repeat sends lost packets again, as long as may permits it; all reports that none is
// left.
func (c *conn) repeat(now time.Time, may func(bytes int) bool) (all bool, err error) {
	for i := 0; c.lost > 0 && i < len(c.inFlight); i++ {
		f := &c.inFlight[i]
		if !f.lost {
			continue
		}
		if !may(len(f.buf)) {
			return false, nil
		}
		duplicate := f.repeated || c.lastChance(f, now)
		f.lost, f.repeated, f.lastSent = false, true, now
		c.lost--
		c.lostBytes -= len(f.buf)
		c.bytesInFlight += len(f.buf)
		f.buf[4] |= flagRepeat >> 24
		if err := c.write(f.buf, now); err != nil {
			return false, err
		}
		if duplicate && may(len(f.buf)) {
			if err := c.write(f.buf, now); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// lastChance reports that another repeat would come too late: this one is sent twice, as
// are repeats of repeats.
func (c *conn) lastChance(f *sentPacket, now time.Time) bool {
	left, rtt := c.latency-now.Sub(f.firstSent), time.Duration(c.rtt.Load())
	return left > 0 && left < 2*rtt+repeatMargin
}
