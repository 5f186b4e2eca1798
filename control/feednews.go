package control

import (
	"fmt"
	"time"
)

// feedNews is what the event log said last of a feed, and how often it broke: a dying
// camera must not push all else out of the log.
type feedNews struct {
	state FeedState
	fickle
}

// of is what the log tells of a feed now. Waiting and connecting are no news.
func (n *feedNews) of(f *Feed, now time.Time) (news []LogEntry) {
	say := func(level Level, format string, args ...any) {
		news = append(news, LogEntry{Level: level, Text: fmt.Sprintf(format, args...)})
	}
	if f.State == FeedLive && n.recovered(now) {
		n.state = FeedLive
		say(Info, "%s is live, and steady again.", f.Name)
		return news
	}
	if f.State == n.state || f.State == FeedWaiting || f.State == FeedConnecting {
		return nil
	}
	n.state = f.State
	if f.State == FeedLive {
		if !n.unsteady() {
			say(Info, "%s is live, by %s.", f.Name, f.Proto)
		}
		return news
	}
	if !n.broke(now) {
		return nil
	}
	switch f.State {
	case FeedLost:
		say(Warn, "%s is lost.", f.Name)
	case FeedStalled:
		say(Warn, "%s sends nothing: %s", f.Name, stop(f.Problem))
	case FeedRetrying:
		say(Warn, "%s is not reached: %s", f.Name, stop(or(f.Problem, "it will be tried again")))
	}
	if n.unsteady() {
		say(Warn, comesAndGoes, f.Name)
	}
	return news
}
