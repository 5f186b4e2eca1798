package observe

import (
	"cmp"
	"strings"
	"time"

	"obvan/control"
	"obvan/internal/text"
)

// feedEvents is what the event log last reported of a feed, and how often it broke: a
// dying camera must not push everything else out of the log.
type feedEvents struct {
	state control.FeedState
	Flapping
}

// of is what changed of a feed. Waiting and connecting are not worth a line.
func (n *feedEvents) of(f *control.Feed, now time.Time) (events events) {
	if f.State == control.FeedLive && n.Recovered(now) {
		n.state = control.FeedLive
		events.add(control.Info, "%s is live and stable again.", f.Name)
		return events
	}
	if f.State == n.state || f.State == control.FeedWaiting || f.State == control.FeedConnecting {
		return nil
	}
	n.state = f.State
	if f.State == control.FeedLive {
		if !n.Unstable() {
			events.add(control.Info, "%s connected (%s).", f.Name, protocolName(f.Proto))
		}
		return events
	}
	if !n.Broke(now) {
		return nil
	}
	switch f.State {
	case control.FeedLost:
		events.add(control.Warn, "%s disconnected.", f.Name)
	case control.FeedStalled:
		events.add(control.Warn, "%s: %s", f.Name, text.Sentence(f.Problem))
	case control.FeedRetrying:
		events.add(control.Warn, "Can't connect to %s: %s", f.Name, text.Sentence(cmp.Or(f.Problem, "retrying")))
	}
	if n.Unstable() {
		events.add(control.Warn, unstableText, f.Name)
	}
	return events
}

// protocolName is what operators call an ingest protocol.
func protocolName(proto string) string {
	switch proto {
	case "whip":
		return "WebRTC"
	case "rtmp", "rtmps", "rtsp", "rtsps", "srt":
		return strings.ToUpper(proto)
	}
	return proto
}
