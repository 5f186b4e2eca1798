package program

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// The bounds of how long a stream may send no picture before it falls.
const (
	MinTimeout     = 250 * time.Millisecond
	MaxTimeout     = 10 * time.Second
	DefaultTimeout = 500 * time.Millisecond
)

// SetBudget says how long the stream on a rung, "mixer" or a backup feed, may send no
// picture before it falls; 0 is as long as the others. With "" it is for all rungs that
// have no budget of their own. It fails with ErrBudget outside the bounds, and with
// ErrNoRung.
func (p *Program) SetTimeout(level string, d time.Duration) error {
	if (d < MinTimeout || d > MaxTimeout) && (level == "" || d != 0) {
		return fmt.Errorf("%w: %v to %v", ErrTimeout, MinTimeout, MaxTimeout)
	}
	p.mu.Lock()
	known := level == "" || p.request.has(level)
	p.mu.Unlock()
	if !known {
		return fmt.Errorf("budget of %q: %w", level, ErrNoLevel)
	}
	p.change(func(w *request) {
		if level == "" {
			w.timeout = d
			return
		}
		own := map[string]time.Duration{}
		maps.Copy(own, w.timeouts)
		if own[level] = d; d == 0 {
			delete(own, level)
		}
		w.timeouts = own
	})
	return nil
}

// has reports whether the ladder has the rung, beside the held picture.
func (w *request) has(level string) bool {
	return level == LevelMixer || slices.Contains(w.backups, level)
}

// budgetsMs is the rungs' own budgets as the state has them.
func (w *request) timeoutsMs() (ms map[string]int) {
	for level, d := range w.timeouts {
		if ms == nil {
			ms = map[string]int{}
		}
		ms[level] = int(d.Milliseconds())
	}
	return ms
}

// budgetOf is how long a stream may send no picture, by its rung.
func (r *run) timeoutOf(stream string) time.Duration {
	if stream == r.request.target || stream == r.mixerOnAir {
		stream = LevelMixer
	}
	if own := r.request.timeouts[stream]; own > 0 {
		return own
	}
	return r.request.timeout
}

// budget is that of the source on air; slow ones have more.
func (r *run) timeout() time.Duration {
	return max(r.timeoutOf(r.onAir.name), 3*r.timeline.video.frameDuration)
}
