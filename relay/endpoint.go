package relay

import (
	"net/url"
	"strings"
	"time"
)

// leg is one connection of a destination: the only one, or one of twins. The relay's
// mutex guards it.
type endpoint struct {
	dest       *destination
	secondary  bool        // of twins: it goes to the backup address
	connection *connection // keeps it connected; nil when it is off and has ended

	state     State
	reason    string
	since     time.Time // of state
	nextTry   time.Time
	graceEnds time.Time // when the platform ends the broadcast unless data comes; zero when that is not known
	attempt   int
	backup    bool // it uses the backup address

	finished counts // of the attempts that ended
}

// counts is what a leg got since it was started.
type counts struct{ sent, dropped uint64 }

func (c counts) plus(l *Link) counts {
	return counts{c.sent + l.Sent.Load(), c.dropped + l.Dropped.Load()}
}

// wanted reports whether it should be connected.
func (l *endpoint) shouldConnect() bool {
	return l.dest.started && (!l.secondary || l.dest.spec.SendToBoth)
}

// become notes a state and why.
func (l *endpoint) setState(s State, reason string) {
	if l.state != s {
		l.state, l.since = s, time.Now()
	}
	l.reason, l.nextTry = reason, time.Time{}
	if s == Off || s == Refused {
		l.graceEnds = time.Time{}
	}
}

// starved notes since when the far end has had no data.
func (l *endpoint) startGrace(since time.Time) {
	if grace := l.dest.spec.ReconnectWindow.Grace; grace > 0 {
		l.graceEnds = since.Add(grace)
	}
}

// urgent is a wait, shorter while the platform keeps the broadcast for us.
func (l *endpoint) limitWait(wait time.Duration, now time.Time) time.Duration {
	if now.Before(l.graceEnds) {
		return min(wait, l.dest.spec.ReconnectWindow.perAttempt())
	}
	return wait
}

// who is what operators call it.
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

// address is where it goes, as the operator wrote it.
func (l *endpoint) address() string {
	if l.backup {
		return l.dest.spec.BackupURL
	}
	return l.dest.spec.URL
}

// far is all that a leg's connection depends on; none for a leg that has none.
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
	// One that is live at its first address is not disturbed for the sake of its other.
	if !spec.SendToBoth && (l.backup || l.state != Live) {
		f.other = spec.URL + " " + spec.BackupURL
	}
	return f
}

// without says why it is not live in words that follow its destination's name.
func (l *endpoint) reasonClause() string {
	if l.reason == "" {
		return "it connects"
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
		if lacking := m.link.Warning(); lacking != "" && l.state == Live {
			st.Warnings = append(st.Warnings, lacking)
		}
		st.LatencyMs = max(st.LatencyMs, m.link.ViewerLatency().Milliseconds())
	}
	st.BytesSent, st.FramesDropped = st.BytesSent+now.sent, st.FramesDropped+now.dropped
}
