package relay

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// destination is one place the program goes to. The relay's mutex guards it.
type destination struct {
	spec      Destination
	key       string
	started   bool // the operator started it
	endpoints [2]endpoint
}

func newDestination(spec Destination, key string) *destination {
	d := &destination{spec: spec, key: key}
	for i := range d.endpoints {
		d.endpoints[i] = endpoint{dest: d, secondary: i > 0, backup: i > 0, state: Off, since: time.Now()}
	}
	return d
}

// active is the endpoints in use: both, or one that uses the two addresses in turn.
func (d *destination) active() []endpoint {
	if d.spec.SendToBoth {
		return d.endpoints[:]
	}
	return d.endpoints[:1]
}

// change sets spec and key, and returns the endpoints that have to reconnect for it. Where
// only the name and the like changed, or the other endpoint's address, the connection
// stays.
func (d *destination) change(spec Destination, key string) (reconnect []*endpoint) {
	var was [len(d.endpoints)]connectionConfig
	for i := range d.endpoints {
		was[i] = d.endpoints[i].config()
	}
	d.spec, d.key = spec, key
	if spec.SendToBoth {
		d.endpoints[0].backup = false
	}
	for i := range d.endpoints {
		if e := &d.endpoints[i]; e.config() != was[i] {
			e.backup, e.graceEnds = e.secondary, time.Time{}
			reconnect = append(reconnect, e)
		}
	}
	return reconnect
}

// best is the endpoint whose state stands for the destination: a live one before one that
// is not.
func (d *destination) best() *endpoint {
	legs := d.active()
	for _, s := range []State{Live, Connecting, Retrying, Refused} {
		for i := range legs {
			if legs[i].state == s {
				return &legs[i]
			}
		}
	}
	return &legs[0]
}

// since is when it entered the state it is in.
func (d *destination) since() time.Time {
	first := d.best()
	at := first.since
	for _, e := range d.active() {
		switch {
		case first.state == Live && e.state == Live && e.since.Before(at):
			at = e.since // the other endpoint joined it
		case first.state != Live && e.since.After(at):
			at = e.since // until then it was in a better state
		}
	}
	return at
}

// reasonText says why it is in its state. With two endpoints of which one is live it is
// live, but without the redundancy the operator expects: that is said too.
func (d *destination) reasonText(now time.Time) string {
	live := d.best().state == Live
	var all []string
	for _, e := range d.active() {
		reason := e.reason
		if live && e.state != Live && d.started {
			side := "primary"
			if e.secondary {
				side = "backup"
			}
			reason = fmt.Sprintf("%s: the %s is not live: %s", d.endpoints[0].label(), side, e.reasonClause())
		}
		if reason != "" && !slices.Contains(all, reason) {
			all = append(all, reason)
		}
	}
	if e := d.graceDeadline(); e != nil {
		all = append(all, e.text(now))
	}
	return strings.Join(all, ". ")
}

// graceDeadline is when the platform ends the broadcast; nil when that is not known, or
// does not apply.
func (d *destination) graceDeadline() *GraceDeadline {
	var at time.Time // when the grace period of the endpoint that had data last ends
	for _, e := range d.active() {
		if e.state == Live {
			return nil
		}
		if e.graceEnds.After(at) {
			at = e.graceEnds
		}
	}
	if at.IsZero() {
		return nil
	}
	p := d.spec.ReconnectWindow
	return &GraceDeadline{Platform: p.Name, At: at, GraceMs: p.Grace.Milliseconds()}
}

// text is the deadline as a clause.
func (e *GraceDeadline) text(now time.Time) string {
	if left := e.At.Sub(now); left > 0 {
		return fmt.Sprintf("%s ends the broadcast in about %d s", e.Platform, int((left+time.Second-1)/time.Second))
	}
	return e.Platform + " may have ended the broadcast"
}

// redactedURL is an address without its secrets, also where the key was pasted at its end.
func (d *destination) redactedURL(raw string) string {
	if d.key != "" {
		if short, ok := strings.CutSuffix(raw, "/"+d.key); ok {
			raw = short + "/" + hidden
		}
	}
	return RedactURL(raw)
}

// status is its status. Addresses may hold passwords and tokens: they are redacted here,
// whatever becomes of the status.
func (d *destination) status() Status {
	first := d.best()
	st := Status{
		Destination: d.spec, State: first.state, Reason: d.reasonText(time.Now()), Since: d.since(),
		Backup: first.backup, GraceDeadline: d.graceDeadline(),
	}
	st.URL, st.BackupURL = d.redactedURL(d.spec.URL), d.redactedURL(d.spec.BackupURL)
	for i := range d.active() {
		d.endpoints[i].addTo(&st)
	}
	return st
}
