package relay

import (
	"context"
	"fmt"
	"time"

	"obvan/hub"
)

// MaxDelay is how far a destination may stay behind the program on purpose. The
// program's memory is bounded; at 12 Mbit/s it holds this much.
const MaxDelay = time.Minute

// delay is how far d stays behind.
func (d *Destination) delay() time.Duration { return time.Duration(d.DelayMs) * time.Millisecond }

// longestDelay is how much of the program is kept for the destinations' sake, also
// for those that are off: they then start at once.
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

// fallBack takes a reader as far behind the program as the destination wants to be,
// and waits until there is something so old. It fails with ctx.
func (k *connection) waitForDelay(ctx context.Context, sub *hub.Subscriber) error {
	var delay time.Duration
	k.update(func(l *endpoint) { delay = l.dest.spec.delay() })
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
		reason := fmt.Sprintf("its delay fills: %d s to go", int((left+time.Second-1)/time.Second))
		if time.Since(began) > delay+hub.DefaultKeep {
			reason = fmt.Sprintf("the program has too many bits to be kept for %d s, or no key frames: make the delay shorter", int(delay.Seconds()))
		}
		k.update(func(l *endpoint) { l.setState(Connecting, reason) })
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
