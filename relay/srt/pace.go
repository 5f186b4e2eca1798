package srt

import (
	"time"

	"obvan/relay"
)

const (
	leastPace = 16 << 10    // bytes a second
	calmAfter = time.Second // without a full path: try faster
)

// pace finds out how fast the path is: by what arrives, once it is full.
type pace struct {
	relay.Pace
	limited time.Time  // when the limit was set
	seen    [4]arrival // oldest first; acknowledgements come in jumps when one was missing
	arrives float64    // bytes a second
}

// arrival is how much had arrived.
type arrival struct {
	at    time.Time
	acked uint64
}

// delivered watches how fast data arrives.
func (p *pace) delivered(acked uint64, now time.Time) {
	newest := &p.seen[len(p.seen)-1]
	if now.Sub(newest.at) < calmAfter/2 {
		return
	}
	if oldest := p.seen[0]; !oldest.at.IsZero() {
		p.arrives = float64(acked-oldest.acked) / now.Sub(oldest.at).Seconds()
	}
	copy(p.seen[:], p.seen[1:])
	*newest = arrival{now, acked}
}

// full is told that the path is: packets wait too long or are lost for good.
func (p *pace) full(now time.Time) {
	if now.Sub(p.limited) < calmAfter/2 {
		return // the last step is not felt yet
	}
	was := p.Speed()
	p.limited = now
	p.Limit = max(min(0.9*p.arrives, 0.8*was), was/2, leastPace)
}

// earn fills the purse, and tries a faster pace after a while without trouble.
func (p *pace) earn(now time.Time) {
	if p.Limit > 0 && now.Sub(p.limited) >= calmAfter {
		p.limited = now
		if p.Limit *= 1.25; p.Limit > p.Most() {
			p.Limit = 0
		}
	}
	p.Earn(now)
}

// may allows bytes that are sent at once.
func (p *pace) may(bytes int) bool {
	if p.Wait() > 0 {
		return false
	}
	p.Spend(bytes)
	return true
}
