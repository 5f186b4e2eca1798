package relay

import "time"

const (
	initialSpeed  = 3 << 20 // bytes a second, before the program's own rate is known
	minSpeed      = 16 << 10
	catchUpFactor = 3 // times the program's rate: the speed at which a backlog is sent

	// maxUnitTime is how long sending one unit may take: the keyframes of a still slide are
	// hundreds of times as large as the frames between them, and the rate of the last second
	// says nothing about them.
	maxUnitTime = 150 * time.Millisecond

	burstFor   = 20 * time.Millisecond
	burstBytes = 8 << 10
)

// Pacer spreads what is sent over UDP. TCP adapts to the path's speed; over UDP a burst of
// a whole GOP is lost in the first router. It is a token bucket for one goroutine.
type Pacer struct {
	Limit float64 // bytes a second that the path carries; 0 when that is not known

	tokens float64 // bytes that may be sent
	at     time.Time

	rate     float64 // the program's, bytes a second; 0 when it is not known
	lastUnit int     // bytes of the newest unit
	counted  int     // bytes in this second of the program
	since    time.Duration
}

// CountUnit counts a unit of the program, to measure its rate.
func (p *Pacer) CountUnit(bytes int, dts time.Duration) {
	p.lastUnit = bytes
	p.counted += bytes
	if over := dts - p.since; over >= time.Second || over < 0 {
		if over > 0 && over < 4*time.Second {
			p.rate = float64(p.counted) / over.Seconds()
		}
		p.counted, p.since = 0, dts
	}
}

// MaxSpeed is how fast there is reason to send, in bytes a second.
func (p *Pacer) MaxSpeed() float64 {
	if p.rate == 0 {
		return initialSpeed
	}
	return max(catchUpFactor*p.rate, float64(p.lastUnit)/maxUnitTime.Seconds(), minSpeed)
}

// Speed is the current speed in bytes a second.
func (p *Pacer) Speed() float64 {
	if p.Limit > 0 {
		return max(min(p.Limit, p.MaxSpeed()), minSpeed)
	}
	return p.MaxSpeed()
}

// Refill adds tokens for the time that passed.
func (p *Pacer) Refill(now time.Time) {
	speed := p.Speed()
	most := max(speed*burstFor.Seconds(), burstBytes)
	if p.at.IsZero() {
		p.tokens = most
	} else {
		p.tokens = min(p.tokens+speed*now.Sub(p.at).Seconds(), most)
	}
	p.at = now
}

// Take removes tokens; their number may become negative.
func (p *Pacer) Take(bytes int) { p.tokens -= float64(bytes) }

// Wait is how long until more may be sent; 0 is now.
func (p *Pacer) Wait() time.Duration {
	if p.tokens > 0 {
		return 0
	}
	return max(time.Duration(-p.tokens/p.Speed()*float64(time.Second)), time.Millisecond)
}
