// Package retry is the waits between attempts; nothing else in the program retries.
package retry

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff computes growing waits with full jitter: attempt n waits a random time
// between Min and Min*2^n, at most Max. The first retry is fast, later ones spread
// out, so that fifty devices that lost the same server do not reconnect all at once.
// (Marc Brooker, "Exponential Backoff And Jitter", 2015.)
type Backoff struct {
	Min, Max time.Duration
	attempt  int
}

// Next is how long to wait before the next attempt.
func (b *Backoff) Next() time.Duration {
	ceiling := b.Max
	if shift := min(b.attempt, 30); b.Min<<shift > 0 && b.Min<<shift < b.Max {
		ceiling = b.Min << shift
	}
	b.attempt++
	if ceiling <= b.Min {
		return b.Min
	}
	return b.Min + rand.N(ceiling-b.Min)
}

// Attempt is how many times Next was called since the last Reset.
func (b *Backoff) Attempt() int { return b.attempt }

// Reset starts over with the fast retry, when an attempt worked for a while.
func (b *Backoff) Reset() { b.attempt = 0 }

// Sleep waits for d or until ctx is done: nil after d.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
