// Package ratewindow measures rates over the last while: of counters that were sampled.
package ratewindow

import "time"

// Window holds what was sampled over the last while.
type Window[T any] struct {
	Over time.Duration // how long a while is

	samples []Sample[T]
}

// Sample is a value at one moment.
type Sample[T any] struct {
	At    time.Time
	Value T
}

// Add adds a sample, and forgets those that are not needed to cover the window.
func (w *Window[T]) Add(at time.Time, value T) {
	w.samples = append(w.samples, Sample[T]{at, value})
	for len(w.samples) > 2 && at.Sub(w.samples[1].At) >= w.Over {
		w.samples = w.samples[1:]
	}
}

// All is the samples, the oldest first; nobody may change them.
func (w *Window[T]) All() []Sample[T] { return w.samples }

// Clear forgets all samples.
func (w *Window[T]) Clear() { w.samples = nil }

// Ends is the oldest and the newest sample; ok is false while there is only one.
func (w *Window[T]) Ends() (first, last Sample[T], ok bool) {
	if len(w.samples) < 2 {
		return first, last, false
	}
	return w.samples[0], w.samples[len(w.samples)-1], true
}

// Kbps is the bitrate of so many bytes in so long, in kbit/s.
func Kbps(bytes uint64, over time.Duration) float64 {
	return float64(bytes) * 8 / 1000 / over.Seconds()
}
