package program

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// The bounds of the signal-loss timeout: how long a stream may send no video before
// the program fails over.
const (
	MinTimeout     = 250 * time.Millisecond
	MaxTimeout     = 10 * time.Second
	DefaultTimeout = 500 * time.Millisecond
)

// SetTimeout sets the signal-loss timeout of a level, "mixer" or a backup feed; 0 is
// the same as for the others. With "" it is for all levels that have no timeout of
// their own. It fails with ErrTimeout outside the bounds, and with ErrNoLevel.
func (p *Program) SetTimeout(level string, d time.Duration) error {
	if (d < MinTimeout || d > MaxTimeout) && (level == "" || d != 0) {
		return fmt.Errorf("%w: %v to %v", ErrTimeout, MinTimeout, MaxTimeout)
	}
	p.mu.Lock()
	known := level == "" || p.request.has(level)
	p.mu.Unlock()
	if !known {
		return fmt.Errorf("timeout of %q: %w", level, ErrNoLevel)
	}
	p.change(func(req *request) {
		if level == "" {
			req.timeout = d
			return
		}
		own := map[string]time.Duration{}
		maps.Copy(own, req.timeouts)
		if own[level] = d; d == 0 {
			delete(own, level)
		}
		req.timeouts = own
	})
	return nil
}

// has reports whether the failover chain has the level; the freeze frame is not counted.
func (req *request) has(level string) bool {
	return level == LevelMixer || slices.Contains(req.backups, level)
}

// timeoutsMs is the levels' own timeouts as the state has them.
func (req *request) timeoutsMs() (ms map[string]int) {
	for level, d := range req.timeouts {
		if ms == nil {
			ms = map[string]int{}
		}
		ms[level] = int(d.Milliseconds())
	}
	return ms
}

// timeoutOf is the signal-loss timeout of a stream, by its level.
func (r *run) timeoutOf(stream string) time.Duration {
	if stream == r.request.target || stream == r.mixerOnAir {
		stream = LevelMixer
	}
	if own := r.request.timeouts[stream]; own > 0 {
		return own
	}
	return r.request.timeout
}

// timeout is that of the source on air; one with a low frame rate has more.
func (r *run) timeout() time.Duration {
	return max(r.timeoutOf(r.onAir.name), 3*r.timeline.video.frameDuration)
}
