package srt

import "time"

const (
	firstPace = 2 << 20 // bytes a second, before the program's own rate is known
	leastPace = 16 << 10
	ahead     = 3 // times the program's rate: so fast a backlog is sent

	burst     = 20 * time.Millisecond
	calmAfter = time.Second // without a full path: try faster
)

// pace spreads packets over time. TCP would find the path's rate by itself; over UDP
// a burst of a whole group of pictures is lost in the first router.
type pace struct {
	purse float64 // bytes that may be sent
	at    time.Time

	rate  float64 // the program's, bytes a second; 0 when it is not known
	count int     // bytes in this second of the program
	since time.Duration

	limit   float64 // what the path takes; 0 is all we have
	limited time.Time
	seen    [4]arrival // oldest first; acknowledgements come in jumps when one was missing
	arrives float64    // bytes a second
}

// made counts what the program is in bytes.
func (p *pace) made(bytes int, dts time.Duration) {
	p.count += bytes
	if over := dts - p.since; over >= time.Second || over < 0 {
		if over > 0 && over < 4*time.Second {
			p.rate = float64(p.count) / over.Seconds()
		}
		p.count, p.since = 0, dts
	}
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
	was := p.speed()
	p.limited = now
	p.limit = max(min(0.9*p.arrives, 0.8*was), was/2, leastPace)
}

// speed is bytes a second.
func (p *pace) speed() float64 {
	speed := float64(firstPace)
	if p.rate > 0 {
		speed = max(ahead*p.rate, leastPace)
	}
	if p.limit > 0 {
		speed = min(speed, p.limit)
	}
	return speed
}

// earn fills the purse for the time that went by.
func (p *pace) earn(now time.Time) {
	if p.limit > 0 && now.Sub(p.limited) >= calmAfter {
		p.limited = now
		if p.limit *= 1.25; p.limit > ahead*max(p.rate, leastPace) {
			p.limit = 0
		}
	}
	speed := p.speed()
	most := max(speed*burst.Seconds(), 4*maxPayload)
	if !p.at.IsZero() {
		p.purse = min(p.purse+speed*now.Sub(p.at).Seconds(), most)
	} else {
		p.purse = most
	}
	p.at = now
}

func (p *pace) spend(bytes int) { p.purse -= float64(bytes) }

// may allows bytes that are sent at once.
func (p *pace) may(bytes int) bool {
	if p.purse <= 0 {
		return false
	}
	p.spend(bytes)
	return true
}

// wait is how long until more may be sent.
func (p *pace) wait() time.Duration {
	if p.purse > 0 {
		return 0
	}
	return max(time.Duration(-p.purse/p.speed()*float64(time.Second)), time.Millisecond)
}
