package relay

import (
	"net/url"
	"strings"
	"time"
)

// endpoint is one of a destination's two addresses and the connection to it: the only one
// in use, or one of two at the same time. The relay's mutex guards it.
type endpoint struct {
	dest       *destination
	secondary  bool        // of two at the same time: it uses the backup address
	connection *connection // keeps it connected; nil when it is off and has ended

	state     State
	reason    string
	since     time.Time // of state
	nextTry   time.Time
	graceEnds time.Time // when the platform ends the broadcast unless data arrives; zero when that is not known
	attempt   int
	backup    bool // it uses the backup address

	finished counts // of the attempts that ended
}

// counts is what an endpoint was sent since it was started.
type counts struct{ sent, dropped uint64 }

func (c counts) plus(l *Link) counts {
	return counts{c.sent + l.Sent.Load(), c.dropped + l.Dropped.Load()}
}

// shouldConnect reports whether it should be connected.
func (l *endpoint) shouldConnect() bool {
	return l.dest.started && (!l.secondary || l.dest.spec.SendToBoth)
}

// setState notes a state and the reason for it.
func (l *endpoint) setState(s State, reason string) {
	if l.state != s {
		l.state, l.since = s, time.Now()
	}
	l.reason, l.nextTry = reason, time.Time{}
	if s == Off || s == Refused {
		l.graceEnds = time.Time{}
	}
}

// startGrace notes since when the server has had no data.
func (l *endpoint) startGrace(since time.Time) {
	if grace := l.dest.spec.ReconnectWindow.Grace; grace > 0 {
		l.graceEnds = since.Add(grace)
	}
}

// limitWait shortens a wait while the platform keeps the broadcast for us.
func (l *endpoint) limitWait(wait time.Duration, now time.Time) time.Duration {
	if now.Before(l.graceEnds) {
		return min(wait, l.dest.spec.ReconnectWindow.perAttempt())
	}
	return wait
}

// label is what operators call it.
func (l *endpoint) label() string {
	name := CleanText(l.dest.spec.Name)
	if u, err := url.Parse(l.dest.spec.URL); name == "" && err == nil {
		name = u.Hostname()
	}
	if name == "" {
		name = "the destination"
	}
	if l.secondary {
		name += " (backup)"
	}
	return name
}

// address is its address as the operator entered it.
func (l *endpoint) address() string {
	if l.backup {
		return l.dest.spec.BackupURL
	}
	return l.dest.spec.URL
}

// connectionConfig is everything a connection depends on; empty for an endpoint that has
// none.
type connectionConfig struct {
	address, other, key string
	delayMs             int64
}

func (l *endpoint) config() connectionConfig {
	spec := &l.dest.spec
	if l.secondary && !spec.SendToBoth {
		return connectionConfig{}
	}
	f := connectionConfig{address: l.address(), key: l.dest.key, delayMs: spec.DelayMs}
	// A connection that is live at the first address stays when the other one changes.
	if !spec.SendToBoth && (l.backup || l.state != Live) {
		f.other = spec.URL + " " + spec.BackupURL
	}
	return f
}

// reasonClause says why it is not live, as a clause that follows its destination's name.
func (l *endpoint) reasonClause() string {
	if l.reason == "" {
		return "it is connecting"
	}
	if clause, ok := strings.CutPrefix(l.reason, l.label()+": "); ok {
		return clause
	}
	if clause, ok := strings.CutPrefix(l.reason, l.label()+" "); ok {
		return "it " + clause
	}
	return l.reason
}

// addTo adds its counters to its destination's status.
func (l *endpoint) addTo(st *Status) {
	st.Attempt = max(st.Attempt, l.attempt)
	if next := l.nextTry; !next.IsZero() && (st.NextTry == nil || next.Before(*st.NextTry)) {
		st.NextTry = &next
	}
	now := l.finished
	if l.connection != nil && l.connection.stats != nil {
		m := l.connection.stats
		now = l.finished.plus(m.link)
		st.Kbps += m.sent.kbps()
		if warning := m.link.Warning(); warning != "" && l.state == Live {
			st.Warnings = append(st.Warnings, warning)
		}
		st.LatencyMs = max(st.LatencyMs, m.link.ViewerLatency().Milliseconds())
	}
	st.BytesSent, st.FramesDropped = st.BytesSent+now.sent, st.FramesDropped+now.dropped
}
