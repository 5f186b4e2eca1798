package observe

import "time"

// A destination that comes and goes is said so once; then the log has room for what
// else happens, until it was steady for a while.
const (
	unstableAfter = 4 // times, each within steadyFor of the one before
	stableAfter   = time.Minute
)

// Flapping is how often something broke lately.
type Flapping struct {
	breaks    int
	lastBreak time.Time // that it was lost
}

// Unstable reports whether it broke too often for each time to be said.
func (f *Flapping) Unstable() bool { return f.breaks >= unstableAfter }

// Broke counts a loss, with those shortly before it. It reports whether there is to be
// said more of them.
func (f *Flapping) Broke(now time.Time) (say bool) {
	if now.Sub(f.lastBreak) >= stableAfter {
		f.breaks = 0
	}
	f.breaks, f.lastBreak = f.breaks+1, now
	return f.breaks <= unstableAfter
}

// Recovered reports whether what is well now was unsteady before and is so no more.
func (f *Flapping) Recovered(now time.Time) bool {
	if !f.Unstable() || now.Sub(f.lastBreak) < stableAfter {
		return false
	}
	f.breaks = 0
	return true
}

// UnstableText is what is said of something that broke once too often.
const UnstableText = "%s comes and goes. That is not said here any more until it is steady for a minute; its light tells."

// Forget starts again: an operator did something about it.
func (f *Flapping) Reset() { f.breaks = 0 }
