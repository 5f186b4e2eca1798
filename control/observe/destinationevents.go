package observe

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"obvan/control"
	"obvan/internal/text"
	"obvan/relay"
)

// destinationEvents is what the log said last of a destination, and how often it broke.
type destinationEvents struct {
	state relay.State
	Flapping
}

// DestinationEvents is what the event log said last of each destination.
type DestinationEvents map[string]*destinationEvents

// Of is what changed at the destinations. Connecting is no news, and neither is retrying
// again.
func (d DestinationEvents) Of(all []relay.Status, now time.Time) (events []control.LogEntry) {
	for i := range all {
		f := d[all[i].ID]
		if f == nil {
			f = &destinationEvents{}
			d[all[i].ID] = f
		}
		events = append(events, f.of(&all[i], now)...)
	}
	for id := range d { // another that gets its id later is another
		if !slices.ContainsFunc(all, func(st relay.Status) bool { return st.ID == id }) {
			delete(d, id)
		}
	}
	return events
}

func (f *destinationEvents) of(st *relay.Status, now time.Time) (events []control.LogEntry) {
	say := func(level control.Level, format string, args ...any) {
		events = append(events, control.LogEntry{Level: level, Text: fmt.Sprintf(format, args...)})
	}
	was := f.state
	if st.State == relay.Live && f.Recovered(now) {
		f.state = relay.Live
		say(control.Info, "%s is live, and steady again.", st.Name)
		return events
	}
	if st.State == was || st.State == relay.Connecting {
		return nil
	}
	f.state = st.State
	switch st.State {
	case relay.Live:
		if !f.Unstable() {
			say(control.Info, "%s is live.", st.Name)
		}
	case relay.Retrying:
		if !f.Broke(now) {
			return nil
		}
		say(control.Warn, "%s", text.About(st.Name, cmp.Or(st.Reason, "it is not reached and will be tried again")))
		if f.Unstable() {
			say(control.Warn, UnstableText, st.Name)
		}
	case relay.Refused:
		f.Reset()
		say(control.Error, "%s", text.About(st.Name, cmp.Or(st.Reason, "it refused the stream and gave no reason")))
	case relay.Off:
		if f.Reset(); was != "" {
			say(control.Info, "%s is off.", st.Name)
		}
	}
	return events
}
