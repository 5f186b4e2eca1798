package observe

import (
	"cmp"
	"fmt"
	"time"

	"obvan/control"
	"obvan/internal/text"
)

// feedEvents is what the event log said last of a feed, and how often it broke: a dying
// camera must not push all else out of the log.
type feedEvents struct {
	state control.FeedState
	Flapping
}

// of is what the log tells of a feed now. Waiting and connecting are no news.
func (n *feedEvents) of(f *control.Feed, now time.Time) (events []control.LogEntry) {
	say := func(level control.Level, format string, args ...any) {
		events = append(events, control.LogEntry{Level: level, Text: fmt.Sprintf(format, args...)})
	}
	if f.State == control.FeedLive && n.Recovered(now) {
		n.state = control.FeedLive
		say(control.Info, "%s is live, and steady again.", f.Name)
		return events
	}
	if f.State == n.state || f.State == control.FeedWaiting || f.State == control.FeedConnecting {
		return nil
	}
	n.state = f.State
	if f.State == control.FeedLive {
		if !n.Unstable() {
			say(control.Info, "%s is live, by %s.", f.Name, f.Proto)
		}
		return events
	}
	if !n.Broke(now) {
		return nil
	}
	switch f.State {
	case control.FeedLost:
		say(control.Warn, "%s is lost.", f.Name)
	case control.FeedStalled:
		say(control.Warn, "%s sends nothing: %s", f.Name, text.Sentence(f.Problem))
	case control.FeedRetrying:
		say(control.Warn, "%s is not reached: %s", f.Name, text.Sentence(cmp.Or(f.Problem, "it will be tried again")))
	}
	if n.Unstable() {
		say(control.Warn, UnstableText, f.Name)
	}
	return events
}
