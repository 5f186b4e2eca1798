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
func (p *Program) SetTimeout(rung string, d time.Duration) error {
	if (d < MinTimeout || d > MaxTimeout) && (rung == "" || d != 0) {
		return fmt.Errorf("%w: %v to %v", ErrTimeout, MinTimeout, MaxTimeout)
	}
	p.mu.Lock()
	known := rung == "" || p.wish.has(rung)
	p.mu.Unlock()
	if !known {
		return fmt.Errorf("budget of %q: %w", rung, ErrNoLevel)
	}
	p.ask(func(w *wish) {
		if rung == "" {
			w.budget = d
			return
		}
		own := map[string]time.Duration{}
		maps.Copy(own, w.budgets)
		if own[rung] = d; d == 0 {
			delete(own, rung)
		}
		w.budgets = own
	})
	return nil
}

// has reports whether the ladder has the rung, beside the held picture.
func (w *wish) has(rung string) bool { return rung == LevelMixer || slices.Contains(w.backups, rung) }

// budgetsMs is the rungs' own budgets as the state has them.
func (w *wish) budgetsMs() (ms map[string]int) {
	for rung, d := range w.budgets {
		if ms == nil {
			ms = map[string]int{}
		}
		ms[rung] = int(d.Milliseconds())
	}
	return ms
}

// budgetOf is how long a stream may send no picture, by its rung.
func (r *run) budgetOf(stream string) time.Duration {
	if stream == r.wish.target || stream == r.shown {
		stream = LevelMixer
	}
	if own := r.wish.budgets[stream]; own > 0 {
		return own
	}
	return r.wish.budget
}

// budget is that of the source on air; slow ones have more.
func (r *run) budget() time.Duration {
	return max(r.budgetOf(r.air.name), 3*r.line.pictures.period)
}
