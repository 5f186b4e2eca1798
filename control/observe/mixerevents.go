package observe

import (
	"cmp"
	"time"

	"obvan/control"
	"obvan/internal/text"
	"obvan/mixer"
)

// MixerEvents is what the event log last reported of the connection to the mixer, and how
// often it broke.
type MixerEvents struct {
	connected bool
	problem   string
	Flapping
}

// Of returns what changed of the connection.
func (m *MixerEvents) Of(st *mixer.State, now time.Time) []control.LogEntry {
	changed, newProblem := st.Connected != m.connected, st.Problem != m.problem
	m.connected, m.problem = st.Connected, st.Problem
	name := mixerName(st.Kind)
	var events events
	switch {
	case st.Connected && m.Recovered(now):
		events.add(control.Info, "%s is connected and stable again.", name)
	case changed && !st.Connected:
		if !m.Broke(now) {
			return nil
		}
		events.add(control.Error, "Lost the connection to %s: %s", name, text.Sentence(cmp.Or(st.Problem, "it closed the connection")))
		if m.Unstable() {
			events.add(control.Warn, unstableText, "The connection to "+name)
		}
	case m.Unstable():
	case changed && st.Kind == builtInMixer:
		events.add(control.Info, "Built-in mixer ready.")
	case changed:
		events.add(control.Info, "Connected to %s.", name)
	case st.Problem != "" && newProblem:
		events.add(control.Warn, "%s", text.About(name, st.Problem))
	}
	return events
}

// builtInMixer is the kind of the mixer that is part of this server.
const builtInMixer = "cut"

// mixerName is what operators call a kind of mixer.
func mixerName(kind string) string {
	switch kind {
	case builtInMixer:
		return "the built-in mixer"
	case "obs":
		return "OBS"
	}
	return "the mixer"
}
