package relay

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// destination is one place the program goes to. The relay's mutex guards it.
type destination struct {
	spec Destination
	key  string

	wanted bool    // the operator started it
	keeper *keeper // keeps it connected; nil when it is off and has ended

	state   State
	reason  string
	since   time.Time // of state
	nextTry time.Time
	starves time.Time // when the platform ends the broadcast unless data comes; zero when that is not known
	attempt int
	backup  bool

	past counts // of the attempts that ended
}

// counts is what a destination got since it was started.
type counts struct{ sent, dropped uint64 }

func (c counts) plus(l *Link) counts {
	return counts{c.sent + l.Sent.Load(), c.dropped + l.Dropped.Load()}
}

// become notes a state and why.
func (d *destination) become(s State, reason string) {
	if d.state != s {
		d.state, d.since = s, time.Now()
	}
	d.reason, d.nextTry = reason, time.Time{}
	if s == Off || s == Refused {
		d.starves = time.Time{}
	}
}

// starved notes since when the far end has had no data.
func (d *destination) starved(since time.Time) {
	if d.spec.Patience.Grace > 0 {
		d.starves = since.Add(d.spec.Patience.Grace)
	}
}

// grace is a clause on how long the platform will wait; "" when that is not known, or
// when it need not.
func (d *destination) grace(now time.Time) string {
	if d.starves.IsZero() || d.state == Live {
		return ""
	}
	if left := d.starves.Sub(now); left > 0 {
		return fmt.Sprintf("%s ends the broadcast in about %d s", d.spec.Patience.Name, int((left+time.Second-1)/time.Second))
	}
	return d.spec.Patience.Name + " may have ended the broadcast"
}

// urgent is a wait, shorter while the platform keeps the broadcast for us.
func (d *destination) urgent(wait time.Duration, now time.Time) time.Duration {
	if now.Before(d.starves) {
		return min(wait, d.spec.Patience.Grace/(triesInGrace+1))
	}
	return wait
}

// who is what operators call it.
func (d *destination) who() string {
	if name := Words(d.spec.Name); name != "" {
		return name
	}
	if u, err := url.Parse(d.spec.URL); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return "the destination"
}

// sameFarEnd reports whether a destination may stay connected when it becomes
// spec: only its name and the like changed.
func (d *destination) sameFarEnd(spec Destination, key string) bool {
	return d.spec.URL == spec.URL && d.spec.BackupURL == spec.BackupURL && d.key == key && d.spec.DelayMs == spec.DelayMs
}

// shown is an address without its secrets, also where the key was pasted at its end.
func (d *destination) shown(raw string) string {
	if d.key != "" {
		if short, ok := strings.CutSuffix(raw, "/"+d.key); ok {
			raw = short + "/" + hidden
		}
	}
	return RedactURL(raw)
}

// status is how it fares. Addresses may hold passwords and tokens: they leave here
// redacted, whatever becomes of the status.
func (d *destination) status() Status {
	st := Status{
		Destination: d.spec, State: d.state, Reason: d.reason, Since: d.since,
		Attempt: d.attempt, Backup: d.backup, Dropped: d.past.dropped, Sent: d.past.sent,
	}
	st.URL, st.BackupURL = d.shown(d.spec.URL), d.shown(d.spec.BackupURL)
	if grace := d.grace(time.Now()); grace != "" {
		st.Reason = strings.TrimPrefix(st.Reason+". "+grace, ". ")
	}
	if !d.nextTry.IsZero() {
		next := d.nextTry
		st.NextTry = &next
	}
	if d.keeper == nil || d.keeper.meter == nil {
		return st
	}
	m := d.keeper.meter
	now := d.past.plus(m.link)
	st.Sent, st.Dropped = now.sent, now.dropped
	st.Kbps, st.BacklogMs = m.pace.kbps(), time.Duration(m.link.Lag.Load()).Milliseconds()
	return st
}
