package observe

import "time"

// Something that keeps failing and recovering is reported so once; then the log has room
// for everything else, until it was stable for a while.
const (
	unstableAfter = 4 // breaks, each within stableAfter of the one before
	stableAfter   = time.Minute
)

// Flapping counts how often something broke lately: a camera, a destination, the
// connection to the mixer.
type Flapping struct {
	breaks    int
	lastBreak time.Time
}

// Unstable reports whether it broke too often for each time to be logged.
func (f *Flapping) Unstable() bool { return f.breaks >= unstableAfter }

// Broke counts a break, with those shortly before it. It reports whether this one should
// be logged.
func (f *Flapping) Broke(now time.Time) (log bool) {
	if now.Sub(f.lastBreak) >= stableAfter {
		f.breaks = 0
	}
	f.breaks, f.lastBreak = f.breaks+1, now
	return f.breaks <= unstableAfter
}

// Recovered reports whether what works now was unstable before and no longer is.
func (f *Flapping) Recovered(now time.Time) bool {
	if !f.Unstable() || now.Sub(f.lastBreak) < stableAfter {
		return false
	}
	f.breaks = 0
	return true
}

// Reset starts again: an operator did something about it.
func (f *Flapping) Reset() { f.breaks = 0 }

// unstableText is logged about something that broke once too often.
const unstableText = "%s is unstable. Further changes are not logged until it has been stable for a minute; see its status light."
