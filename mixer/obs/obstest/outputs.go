package obstest

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/andreykaipov/goobs/api/events"
	"github.com/andreykaipov/goobs/api/events/subscriptions"
	"github.com/andreykaipov/goobs/api/requests/config"
	"github.com/andreykaipov/goobs/api/requests/stream"
)

// output is the stream or the recording.
type output struct {
	state string // the end of OBS_WEBSOCKET_OUTPUT_...
	fails bool   // it stops instead of starting
}

// settling is how long an output takes to start or stop.
const settling = 30 * time.Millisecond

// with is on for requests about an input, whose name is inputName in all of them.
func with[P any](do func(s *state, in *input, p *P) (any, int)) handler {
	return func(s *state, data json.RawMessage) (any, int) {
		var about struct{ InputName string }
		if json.Unmarshal(data, &about) != nil {
			return nil, badField
		}
		in := s.inputs[about.InputName]
		if in == nil {
			return nil, notFound
		}
		return on(func(s *state, p *P) (any, int) { return do(s, in, p) })(s, data)
	}
}

// FailStream makes each start of the stream fail, as with a wrong address.
func (s *Server) FailStream(fails bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.outputs["stream"].fails = fails
}

// LoseStream makes the stream lose its server: it waits to reconnect, and does nothing
// else until it is stopped.
func (s *Server) LoseStream() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.outputIs("stream", "RECONNECTING")
}

func (s *state) outputIs(name, state string) {
	o := s.outputs[name]
	o.state = state
	event := map[string]string{"stream": "StreamStateChanged", "record": "RecordStateChanged"}[name]
	s.emit(event, subscriptions.Outputs,
		&events.StreamStateChanged{OutputActive: state == "STARTED", OutputState: "OBS_WEBSOCKET_OUTPUT_" + state})
}

func start(name string) handler {
	return func(s *state, _ json.RawMessage) (any, int) {
		o := s.outputs[name]
		switch o.state {
		case "STARTING":
			s.overlapped = true
			return nil, running
		case "STARTED", "STOPPING", "RECONNECTING":
			return nil, running
		}
		s.outputIs(name, "STARTING")
		s.after(settling, func() {
			if o.state != "STARTING" {
				return
			}
			if o.fails {
				s.outputIs(name, "STOPPED")
				return
			}
			s.outputIs(name, "STARTED")
		})
		return nil, 0
	}
}

func stop(name string) handler {
	return func(s *state, _ json.RawMessage) (any, int) {
		if state := s.outputs[name].state; state != "STARTED" && state != "RECONNECTING" {
			return nil, notRunning // also right after a start, which continues then
		}
		s.outputIs(name, "STOPPING")
		s.after(settling, func() { s.outputIs(name, "STOPPED") })
		return nil, 0
	}
}

func status(name string) handler {
	return func(s *state, _ json.RawMessage) (any, int) {
		state := s.outputs[name].state
		return &stream.GetStreamStatusResponse{OutputActive: state != "STOPPED" && state != "STARTING", OutputReconnecting: state == "RECONNECTING"}, 0
	}
}

func refuse(code int) handler {
	return func(*state, json.RawMessage) (any, int) { return nil, code }
}

var outputHandlers = map[string]handler{
	"GetStreamStatus": status("stream"), "StartStream": start("stream"), "StopStream": stop("stream"),
	"GetRecordStatus": status("record"), "StartRecord": start("record"), "StopRecord": stop("record"),
	"GetReplayBufferStatus": refuse(wrongState), "GetVirtualCamStatus": refuse(wrongState),
}

func (c *choice) pick(name *string) int {
	if !slices.Contains(c.all, str(name)) {
		return notFound
	}
	c.current = *name
	return 0
}

var configHandlers = map[string]handler{
	"GetSceneCollectionList": on(func(s *state, _ *config.GetSceneCollectionListParams) (any, int) {
		c := s.lists["collections"]
		return &config.GetSceneCollectionListResponse{CurrentSceneCollectionName: c.current, SceneCollections: c.all}, 0
	}),
	"SetCurrentSceneCollection": on(func(s *state, p *config.SetCurrentSceneCollectionParams) (any, int) {
		s.emit("CurrentSceneCollectionChanging", subscriptions.Config, &events.CurrentSceneCollectionChanging{})
		code := s.lists["collections"].pick(p.SceneCollectionName)
		s.emit("CurrentSceneCollectionChanged", subscriptions.Config, &events.CurrentSceneCollectionChanged{})
		return nil, code
	}),
	"GetProfileList": on(func(s *state, _ *config.GetProfileListParams) (any, int) {
		c := s.lists["profiles"]
		return &config.GetProfileListResponse{CurrentProfileName: c.current, Profiles: c.all}, 0
	}),
	"SetCurrentProfile": on(func(s *state, p *config.SetCurrentProfileParams) (any, int) {
		code := s.lists["profiles"].pick(p.ProfileName)
		s.emit("CurrentProfileChanged", subscriptions.Config, &events.CurrentProfileChanged{ProfileName: str(p.ProfileName)})
		return nil, code
	}),
	"GetVideoSettings": on(func(s *state, _ *config.GetVideoSettingsParams) (any, int) {
		return &config.GetVideoSettingsResponse{BaseWidth: 1280, BaseHeight: 720, OutputWidth: 1280, OutputHeight: 720, FpsNumerator: 30, FpsDenominator: 1}, 0
	}),
	"GetStreamServiceSettings": on(func(s *state, _ *config.GetStreamServiceSettingsParams) (any, int) {
		service := s.service
		return &config.GetStreamServiceSettingsResponse{StreamServiceType: "rtmp_custom", StreamServiceSettings: &service}, 0
	}),
	"SetStreamServiceSettings": on(func(s *state, p *config.SetStreamServiceSettingsParams) (any, int) {
		if s.outputs["stream"].state != "STOPPED" {
			return nil, running
		}
		s.service = *p.StreamServiceSettings
		return nil, 0
	}),
	"GetProfileParameter": on(func(s *state, p *config.GetProfileParameterParams) (any, int) {
		return map[string]any{"parameterValue": s.parameters[parameter(p.ParameterCategory, p.ParameterName)]}, 0
	}),
	"SetProfileParameter": on(func(s *state, p *config.SetProfileParameterParams) (any, int) {
		s.parameters[parameter(p.ParameterCategory, p.ParameterName)] = str(p.ParameterValue)
		return nil, 0
	}),
}

func parameter(category, name *string) string {
	return strings.Join([]string{str(category), str(name)}, "/")
}
