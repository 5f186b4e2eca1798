package observe

import (
	"cmp"
	"slices"
	"time"

	"obvan/control"
	"obvan/internal/text"
	"obvan/relay"
)

// destinationEvents is what the event log last reported of a destination, and how often
// it broke.
type destinationEvents struct {
	state relay.State
	Flapping
}

// DestinationEvents is what the event log last reported of each destination.
type DestinationEvents map[string]*destinationEvents

// Of returns what changed at the destinations. Connecting is not worth a line, and neither
// is another retry.
func (d DestinationEvents) Of(all []relay.Status, now time.Time) (lines []control.LogEntry) {
	for i := range all {
		last := d[all[i].ID]
		if last == nil {
			last = &destinationEvents{}
			d[all[i].ID] = last
		}
		lines = append(lines, last.of(&all[i], now)...)
	}
	for id := range d { // one that gets this id later is another destination
		if !slices.ContainsFunc(all, func(st relay.Status) bool { return st.ID == id }) {
			delete(d, id)
		}
	}
	return lines
}

func (d *destinationEvents) of(st *relay.Status, now time.Time) (events events) {
	was := d.state
	if st.State == relay.Live && d.Recovered(now) {
		d.state = relay.Live
		events.add(control.Info, "%s is live and stable again.", st.Name)
		return events
	}
	if st.State == was || st.State == relay.Connecting {
		return nil
	}
	d.state = st.State
	switch st.State {
	case relay.Live:
		if !d.Unstable() {
			events.add(control.Info, "%s is live.", st.Name)
		}
	case relay.Retrying:
		if !d.Broke(now) {
			return nil
		}
		events.add(control.Warn, "%s", text.About(st.Name, cmp.Or(st.Reason, "can't connect; retrying")))
		if d.Unstable() {
			events.add(control.Warn, unstableText, st.Name)
		}
	case relay.Refused:
		d.Reset()
		events.add(control.Error, "%s", text.About(st.Name, cmp.Or(st.Reason, "it refused the stream and gave no reason")))
	case relay.Off:
		if d.Reset(); was != "" {
			events.add(control.Info, "%s is off.", st.Name)
		}
	}
	return events
}
