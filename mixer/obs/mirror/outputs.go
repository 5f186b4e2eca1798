package mirror

import (
	"maps"
	"time"

	"obvan/mixer"
)

// Names of outputs, as mixer.Output calls them.
const (
	Stream     = "stream"
	Record     = "record"
	Replay     = "replay"
	VirtualCam = "virtualcam"
)

// OutputNames is all of them, in the order they are shown.
var OutputNames = [...]string{Stream, Record, Replay, VirtualCam}

// States of an output.
const (
	Off          = "off"
	Starting     = "starting"
	On           = "on"
	Stopping     = "stopping"
	Reconnecting = "reconnecting"
	Paused       = "paused"
)

// outputStates are what OBS streams and records.
type outputStates struct {
	all      map[string]*mixer.Output
	changing time.Time // when one last started or stopped
	warnings map[string]uint64
}

// changeTimeout is after how long an output must have finished starting or stopping, even
// if the event was lost: OBS gives up on an unreachable address after two minutes.
const changeTimeout = 3 * time.Minute

var statesByEvent = map[string]string{
	"OBS_WEBSOCKET_OUTPUT_STARTING":     Starting,
	"OBS_WEBSOCKET_OUTPUT_STARTED":      On,
	"OBS_WEBSOCKET_OUTPUT_STOPPING":     Stopping,
	"OBS_WEBSOCKET_OUTPUT_STOPPED":      Off,
	"OBS_WEBSOCKET_OUTPUT_RECONNECTING": Reconnecting,
	"OBS_WEBSOCKET_OUTPUT_RECONNECTED":  On,
	"OBS_WEBSOCKET_OUTPUT_PAUSED":       Paused,
	"OBS_WEBSOCKET_OUTPUT_RESUMED":      On,
}

// outputIs applies an event about an output. An output that stops without having been
// stopped has failed; OBS does not report why.
func (m *Mirror) outputIs(name, event string) {
	state, known := statesByEvent[event]
	o := m.outputs.all[name]
	switch {
	case !known:
		return
	case o == nil:
		o = &mixer.Output{Name: name, State: Off}
		m.outputs.all[name] = o
	}
	m.outputs.warnings[name]++
	if state == o.State {
		return
	}
	was := o.State
	o.State, o.Reason = state, ""
	switch state {
	case Starting, Stopping:
		m.outputs.changing = time.Now()
	case On:
		if o.Since == nil {
			now := time.Now()
			o.Since = &now
		}
	case Off:
		o.Since = nil
		switch was {
		case Starting:
			o.Reason = "OBS could not start it: the address may be wrong, or there is no server there"
		case On, Reconnecting, Paused:
			o.Reason = "it stopped unexpectedly"
		}
	}
}

// OutputState is the state of one output, "" when this OBS has none of that name.
func (m *Mirror) OutputState(name string) string {
	if o := m.outputs.all[name]; o != nil {
		return o.State
	}
	return ""
}

// OutputEvents counts the events about each output.
func (m *Mirror) OutputEvents() map[string]uint64 { return maps.Clone(m.outputs.warnings) }
