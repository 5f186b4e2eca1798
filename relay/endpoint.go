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
func (e *endpoint) shouldConnect() bool {
	return e.dest.started && (!e.secondary || e.dest.spec.SendToBoth)
}

// setState notes a state and the reason for it.
func (e *endpoint) setState(s State, reason string) {
	if e.state != s {
		e.state, e.since = s, time.Now()
	}
	e.reason, e.nextTry = reason, time.Time{}
	if s == Off || s == Refused {
		e.graceEnds = time.Time{}
	}
}

// startGrace notes since when the server has had no data.
func (e *endpoint) startGrace(since time.Time) {
	if grace := e.dest.spec.ReconnectWindow.Grace; grace > 0 {
		e.graceEnds = since.Add(grace)
	}
}

// limitWait shortens a wait while the platform keeps the broadcast for us.
func (e *endpoint) limitWait(wait time.Duration, now time.Time) time.Duration {
	if now.Before(e.graceEnds) {
		return min(wait, e.dest.spec.ReconnectWindow.perAttempt())
	}
	return wait
}

// label is what operators call it.
func (e *endpoint) label() string {
	name := CleanText(e.dest.spec.Name)
	if u, err := url.Parse(e.dest.spec.URL); name == "" && err == nil {
		name = u.Hostname()
	}
	if name == "" {
		name = "the destination"
	}
	if e.secondary {
		name += " (backup)"
	}
	return name
}

// address is its address as the operator entered it.
func (e *endpoint) address() string {
	if e.backup {
		return e.dest.spec.BackupURL
	}
	return e.dest.spec.URL
}

// connectionConfig is everything a connection depends on; empty for an endpoint that has
// none.
type connectionConfig struct {
	address, other, key string
	delayMs             int64
}

func (e *endpoint) config() connectionConfig {
	spec := &e.dest.spec
	if e.secondary && !spec.SendToBoth {
		return connectionConfig{}
	}
	f := connectionConfig{address: e.address(), key: e.dest.key, delayMs: spec.DelayMs}
	// A connection that is live at the first address stays when the other one changes.
	if !spec.SendToBoth && (e.backup || e.state != Live) {
		f.other = spec.URL + " " + spec.BackupURL
	}
	return f
}

// reasonClause says why it is not live, as a clause that follows its destination's name.
func (e *endpoint) reasonClause() string {
	if e.reason == "" {
		return "it is connecting"
	}
	if clause, ok := strings.CutPrefix(e.reason, e.label()+": "); ok {
		return clause
	}
	if clause, ok := strings.CutPrefix(e.reason, e.label()+" "); ok {
		return "it " + clause
	}
	return e.reason
}

// addTo adds its counters to its destination's status.
func (e *endpoint) addTo(st *Status) {
	st.Attempt = max(st.Attempt, e.attempt)
	if next := e.nextTry; !next.IsZero() && (st.NextTry == nil || next.Before(*st.NextTry)) {
		st.NextTry = &next
	}
	now := e.finished
	if e.connection != nil && e.connection.stats != nil {
		m := e.connection.stats
		now = e.finished.plus(m.link)
		st.Kbps += m.sent.kbps()
		if warning := m.link.Warning(); warning != "" && e.state == Live {
			st.Warnings = append(st.Warnings, warning)
		}
		st.LatencyMs = max(st.LatencyMs, m.link.ViewerLatency().Milliseconds())
	}
	st.BytesSent, st.FramesDropped = st.BytesSent+now.sent, st.FramesDropped+now.dropped
}
