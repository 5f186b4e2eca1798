package relay

import (
	"net/url"
	"strings"
	"time"
)

// leg is one connection of a destination: the only one, or one of twins. The relay's
// mutex guards it.
type leg struct {
	dest   *destination
	second bool    // of twins: it goes to the backup address
	keeper *keeper // keeps it connected; nil when it is off and has ended

	state   State
	reason  string
	since   time.Time // of state
	nextTry time.Time
	starves time.Time // when the platform ends the broadcast unless data comes; zero when that is not known
	attempt int
	backup  bool // it uses the backup address

	past counts // of the attempts that ended
}

// counts is what a leg got since it was started.
type counts struct{ sent, dropped uint64 }

func (c counts) plus(l *Link) counts {
	return counts{c.sent + l.Sent.Load(), c.dropped + l.Dropped.Load()}
}

// wanted reports whether it should be connected.
func (l *leg) wanted() bool { return l.dest.wanted && (!l.second || l.dest.spec.SendToBoth) }

// become notes a state and why.
func (l *leg) become(s State, reason string) {
	if l.state != s {
		l.state, l.since = s, time.Now()
	}
	l.reason, l.nextTry = reason, time.Time{}
	if s == Off || s == Refused {
		l.starves = time.Time{}
	}
}

// starved notes since when the far end has had no data.
func (l *leg) starved(since time.Time) {
	if grace := l.dest.spec.ReconnectWindow.Grace; grace > 0 {
		l.starves = since.Add(grace)
	}
}

// urgent is a wait, shorter while the platform keeps the broadcast for us.
func (l *leg) urgent(wait time.Duration, now time.Time) time.Duration {
	if now.Before(l.starves) {
		return min(wait, l.dest.spec.ReconnectWindow.share())
	}
	return wait
}

// who is what operators call it.
func (l *leg) who() string {
	name := Words(l.dest.spec.Name)
	if u, err := url.Parse(l.dest.spec.URL); name == "" && err == nil {
		name = u.Hostname()
	}
	if name == "" {
		name = "the destination"
	}
	if l.second {
		name += " (backup)"
	}
	return name
}

// address is where it goes, as the operator wrote it.
func (l *leg) address() string {
	if l.backup {
		return l.dest.spec.BackupURL
	}
	return l.dest.spec.URL
}

// far is all that a leg's connection depends on; none for a leg that has none.
type far struct {
	address, other, key string
	delayMs             int64
}

func (l *leg) far() far {
	spec := &l.dest.spec
	if l.second && !spec.SendToBoth {
		return far{}
	}
	f := far{address: l.address(), key: l.dest.key, delayMs: spec.DelayMs}
	// One that is live at its first address is not disturbed for the sake of its other.
	if !spec.SendToBoth && (l.backup || l.state != Live) {
		f.other = spec.URL + " " + spec.BackupURL
	}
	return f
}

// without says why it is not live in words that follow its destination's name.
func (l *leg) without() string {
	if l.reason == "" {
		return "it connects"
	}
	if clause, ok := strings.CutPrefix(l.reason, l.who()+": "); ok {
		return clause
	}
	if clause, ok := strings.CutPrefix(l.reason, l.who()+" "); ok {
		return "it " + clause
	}
	return l.reason
}

// addTo adds its counters to its destination's status.
func (l *leg) addTo(st *Status) {
	st.Attempt = max(st.Attempt, l.attempt)
	if next := l.nextTry; !next.IsZero() && (st.NextTry == nil || next.Before(*st.NextTry)) {
		st.NextTry = &next
	}
	now := l.past
	if l.keeper != nil && l.keeper.meter != nil {
		m := l.keeper.meter
		now = l.past.plus(m.link)
		st.Kbps += m.sent.kbps()
		if lacking := m.link.Warning(); lacking != "" && l.state == Live {
			st.Warnings = append(st.Warnings, lacking)
		}
		st.LatencyMs = max(st.LatencyMs, m.link.ViewerLatency().Milliseconds())
	}
	st.BytesSent, st.FramesDropped = st.BytesSent+now.sent, st.FramesDropped+now.dropped
}
