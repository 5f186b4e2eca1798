package srt

import "time"

const (
	leastTooOld = time.Second           // see tooOld
	tooOldSlack = 20 * time.Millisecond // the same
	repeatAgain = 20 * time.Millisecond // what is repeated has so much longer than a round trip
)

// flying is a packet that may have to be sent again.
type flying struct {
	buf   []byte
	first time.Time // sent
	last  time.Time // sent again
	lost  bool      // to be repeated
	again bool      // it was
}

// news is what the receiver let us know.
type news struct {
	took    time.Duration // there and back, of a packet that nothing held up; 0 when there was none
	lost    int           // bytes to be repeated
	skipped int           // packets it went on without
}

// take looks into the inbox.
func (c *conn) take(now time.Time) (n news) {
	c.inbox.mu.Lock()
	ack, acked, free, naks := c.inbox.ack, c.inbox.acked, c.inbox.free, c.inbox.naks
	c.inbox.naks = nil
	c.inbox.mu.Unlock()
	before := c.missing // what it misses it may go on without in the next moment
	for _, s := range naks {
		c.miss(s, now)
	}
	lost := c.missing - before
	if !acked.IsZero() {
		n = c.release(ack, acked)
		// What the receiver has room for; some say 0 and mean that they don't count.
		if free > 0 {
			c.window = min(max(free, 2), ourWindow)
		}
	}
	n.lost = lost
	c.way = c.onTheWay(now)
	return n
}

// release forgets what was acknowledged at a time: all before seq. A receiver
// acknowledges what it went on without as well; that was lost for so long that it had
// to, or the repeat can not have arrived yet.
func (c *conn) release(seq uint32, at time.Time) (n news) {
	count := int((seq - c.isn - uint32(c.oldest)) & seqMask)
	if count == 0 || count > len(c.flight) {
		return n // old news, or nonsense
	}
	straight := true
	for i := range c.flight[:count] {
		f := &c.flight[i]
		straight = straight && !f.lost && !f.again
		if at.Sub(f.first) >= c.latency && (f.lost || f.again && at.Sub(f.last) < time.Duration(c.rtt.Load())*9/10) {
			n.skipped++
		}
	}
	if straight {
		n.took = max(at.Sub(c.flight[count-1].first), 1)
	}
	bytes := c.forget(count)
	if c.owed = at; len(c.flight) == 0 {
		c.owed = time.Time{}
	}
	c.acked.Add(uint64(bytes))
	return n
}

// forget drops the n oldest packets of the flight.
func (c *conn) forget(n int) (bytes int) {
	for i := range c.flight[:n] {
		f := &c.flight[i]
		bytes += len(f.buf)
		if f.lost {
			c.lost--
			c.missing -= len(f.buf)
		}
		if len(c.spare) < 256 {
			c.spare = append(c.spare, f.buf[:0])
		}
		f.buf = nil
	}
	c.flight = c.flight[n:]
	c.oldest += uint64(n)
	c.unsent.Add(-int64(bytes))
	return bytes
}

// onTheWay is how many bytes are, not counting those that are known to be lost. Behind
// a hole nothing is acknowledged: there, what was sent long ago has arrived.
func (c *conn) onTheWay(now time.Time) int {
	if len(c.flight) == 0 || !c.flight[0].lost && !c.flight[0].again {
		return int(c.unsent.Load()) - c.missing
	}
	long, bytes := time.Duration(c.rtt.Load())*5/4+repeatAgain, 0
	for i := len(c.flight) - 1; i >= 0; i-- {
		if f := &c.flight[i]; !f.lost && now.Sub(f.last) < long {
			bytes += len(f.buf)
		}
	}
	return bytes
}

// miss marks what the receiver misses. It reports a loss again and again, also while
// the repeat is on its way.
func (c *conn) miss(s span, now time.Time) {
	from := int((s.from - c.isn - uint32(c.oldest)) & seqMask)
	to := int((s.to - c.isn - uint32(c.oldest)) & seqMask)
	if to >= 1<<30 {
		return // before what we still have
	}
	if from > to {
		from = 0
	}
	again := repeatAgain + time.Duration(c.rtt.Load())
	for i := from; i <= to && i < len(c.flight); i++ {
		if f := &c.flight[i]; !f.lost && (!f.again || now.Sub(f.last) >= again) {
			c.lose(f)
		}
	}
}

func (c *conn) lose(f *flying) {
	f.lost = true
	c.lost++
	c.missing += len(f.buf)
}

// suspect repeats what the receiver has not complained about. The oldest packet is
// missing as long as it is not acknowledged; a receiver that says nothing has perhaps
// nothing since, and the newest packet makes it look for what it misses.
func (c *conn) suspect(now time.Time) {
	if len(c.flight) == 0 {
		return
	}
	patience := repeatAgain + time.Duration(c.rtt.Load())
	if f := &c.flight[0]; f.again && !f.lost && now.Sub(f.last) >= patience {
		c.lose(f)
	}
	f := &c.flight[len(c.flight)-1]
	if c.lost == 0 && now.Sub(f.last) >= 2*patience && now.Sub(c.owed) >= 2*patience {
		c.lose(f)
	}
}

// tooOld is how long a packet is worth repeating: later the receiver has gone on
// without it (4.6).
func (c *conn) tooOld() time.Duration { return max(c.latency*5/4, leastTooOld) + tooOldSlack }

// dropTooOld gives up what can't arrive in time any more, and says how many packets
// that were.
func (c *conn) dropTooOld(now time.Time) int {
	n := 0
	for n < len(c.flight) && now.Sub(c.flight[n].first) > c.tooOld() {
		n++
	}
	c.forget(n)
	return n
}

// repeat sends lost packets again, as long as may allows it; all says that none is
// left.
func (c *conn) repeat(now time.Time, may func(bytes int) bool) (all bool, err error) {
	for i := 0; c.lost > 0 && i < len(c.flight); i++ {
		f := &c.flight[i]
		if !f.lost {
			continue
		}
		if !may(len(f.buf)) {
			return false, nil
		}
		twice := f.again || c.lastChance(f, now)
		f.lost, f.again, f.last = false, true, now
		c.lost--
		c.missing -= len(f.buf)
		c.way += len(f.buf)
		f.buf[4] |= flagRepeat >> 24
		if err := c.write(f.buf, now); err != nil {
			return false, err
		}
		if twice && may(len(f.buf)) {
			if err := c.write(f.buf, now); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// lastChance says that another repeat would come too late: this one is sent twice, as
// are repeats of repeats.
func (c *conn) lastChance(f *flying, now time.Time) bool {
	left, rtt := c.latency-now.Sub(f.first), time.Duration(c.rtt.Load())
	return left > 0 && left < 2*rtt+repeatAgain
}
