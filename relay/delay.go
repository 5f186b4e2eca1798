package relay

import (
	"context"
	"fmt"
	"time"

	"obvan/hub"
)

// MaxDelay is how far a destination may be delayed behind the program on purpose. The
// program's memory is bounded; at 12 Mbit/s it holds this much.
const MaxDelay = time.Minute

// delay is how far d is held behind the program.
func (d *Destination) delay() time.Duration { return time.Duration(d.DelayMs) * time.Millisecond }

// longestDelay is how much of the program is stored for the destinations' sake, including
// those that are off, so that they can start at once.
func (r *Relay) longestDelay() (longest time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.list {
		if d.spec.DelayMs > 0 {
			longest = max(longest, d.spec.delay()+hub.DefaultKeep)
		}
	}
	return longest
}

// waitForDelay moves a reader back by the destination's delay, and waits until the program
// is old enough for that. It fails with ctx.
func (c *connection) waitForDelay(ctx context.Context, sub *hub.Subscriber) error {
	var delay time.Duration
	c.update(func(e *endpoint) { delay = e.dest.spec.delay() })
	if delay == 0 {
		return ctx.Err()
	}
	began := time.Now()
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		left, ready := sub.Delay(delay)
		if ready {
			return nil
		}
		reason := fmt.Sprintf("filling the delay buffer: %d s left", int((left+time.Second-1)/time.Second))
		if time.Since(began) > delay+hub.DefaultKeep {
			reason = fmt.Sprintf("the program's bitrate is too high to buffer %d s of it, or it has no keyframes: use a shorter delay", int(delay.Seconds()))
		}
		c.update(func(e *endpoint) { e.setState(Connecting, reason) })
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
