package obstest

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/andreykaipov/goobs/api/events"
	"github.com/andreykaipov/goobs/api/events/subscriptions"
	"github.com/andreykaipov/goobs/api/requests/general"
	"github.com/andreykaipov/goobs/api/requests/scenes"
	"github.com/andreykaipov/goobs/api/requests/transitions"
	"github.com/andreykaipov/goobs/api/requests/ui"
	"github.com/andreykaipov/goobs/api/typedefs"
)

// Codes of refusal; 0 is none.
const (
	notFound   = 600
	exists     = 601
	wrongState = 604
	badKind    = 605
	running    = 500
	notRunning = 501
	noStudio   = 506
	badField   = 400
)

type handler func(s *state, data json.RawMessage) (any, int)

// on makes a handler from a function of goobs' params.
func on[P any](do func(s *state, p *P) (any, int)) handler {
	return func(s *state, data json.RawMessage) (any, int) {
		p := new(P)
		if len(data) > 0 && json.Unmarshal(data, p) != nil {
			return nil, badField
		}
		return do(s, p)
	}
}

func str(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}

// handlers are the requests that the fake knows. It is never changed.
var handlers = merge(sceneHandlers, itemHandlers, busHandlers, inputHandlers, outputHandlers, configHandlers)

func merge(all ...map[string]handler) map[string]handler {
	one := map[string]handler{}
	for _, m := range all {
		for name, h := range m {
			one[name] = h
		}
	}
	return one
}

var sceneHandlers = map[string]handler{
	"GetVersion": on(func(s *state, _ *general.GetVersionParams) (any, int) {
		return &general.GetVersionResponse{ObsVersion: "29.0.2", ObsWebSocketVersion: "5.1.0", RpcVersion: 1}, 0
	}),
	"Sleep": on(func(*state, *general.SleepParams) (any, int) { return nil, 0 }),
	"GetStats": on(func(s *state, _ *general.GetStatsParams) (any, int) {
		frames := float64(time.Since(s.began) / (time.Second / 60))
		return &general.GetStatsResponse{ActiveFps: 60, CpuUsage: 3, MemoryUsage: 250, RenderTotalFrames: frames, AvailableDiskSpace: 50000}, 0
	}),
	"GetSceneList": on(func(s *state, _ *scenes.GetSceneListParams) (any, int) {
		list := &scenes.GetSceneListResponse{CurrentProgramSceneName: s.program}
		if s.studio {
			list.CurrentPreviewSceneName = s.preview
		}
		for _, sc := range s.scenes {
			if !sc.group {
				list.Scenes = append(list.Scenes, &typedefs.Scene{SceneName: sc.name, SceneIndex: len(list.Scenes)})
			}
		}
		return list, 0
	}),
	"CreateScene": on(func(s *state, p *scenes.CreateSceneParams) (any, int) {
		if s.scene(str(p.SceneName)) != nil || s.inputs[str(p.SceneName)] != nil {
			return nil, exists
		}
		s.scenes = append([]*scene{{name: *p.SceneName}}, s.scenes...)
		s.emit("SceneCreated", subscriptions.Scenes, &events.SceneCreated{SceneName: *p.SceneName})
		return nil, 0
	}),
	"RemoveScene": on(func(s *state, p *scenes.RemoveSceneParams) (any, int) {
		i := slices.IndexFunc(s.scenes, func(sc *scene) bool { return sc.name == str(p.SceneName) })
		if i < 0 {
			return nil, notFound
		}
		s.scenes = slices.Delete(s.scenes, i, i+1)
		s.emit("SceneRemoved", subscriptions.Scenes, &events.SceneRemoved{SceneName: *p.SceneName})
		return nil, 0
	}),
	"SetSceneName": on(func(s *state, p *scenes.SetSceneNameParams) (any, int) {
		sc := s.scene(str(p.SceneName))
		switch {
		case sc == nil:
			return nil, notFound
		case s.scene(str(p.NewSceneName)) != nil:
			return nil, exists
		}
		sc.name = *p.NewSceneName
		for _, on := range []*string{&s.program, &s.preview, &s.shown, &s.next} {
			if *on == *p.SceneName {
				*on = sc.name
			}
		}
		for _, other := range s.scenes {
			for _, item := range other.items {
				if item.SourceName == *p.SceneName {
					item.SourceName = sc.name
				}
			}
		}
		s.emit("SceneNameChanged", subscriptions.Scenes, &events.SceneNameChanged{OldSceneName: *p.SceneName, SceneName: sc.name})
		return nil, 0
	}),
	"GetSceneSceneTransitionOverride": on(func(s *state, p *scenes.GetSceneSceneTransitionOverrideParams) (any, int) {
		sc := s.scene(str(p.SceneName))
		if sc == nil {
			return nil, notFound
		}
		return &scenes.GetSceneSceneTransitionOverrideResponse{TransitionName: sc.override.name, TransitionDuration: float64(sc.override.ms)}, 0
	}),
	"SetSceneSceneTransitionOverride": on(func(s *state, p *scenes.SetSceneSceneTransitionOverrideParams) (any, int) {
		sc := s.scene(str(p.SceneName))
		if sc == nil || str(p.TransitionName) != "" && !hasTransition(*p.TransitionName) {
			return nil, notFound
		}
		sc.override.name, sc.override.ms = str(p.TransitionName), 0
		if p.TransitionDuration != nil {
			sc.override.ms = int(*p.TransitionDuration)
		}
		return nil, 0
	}),
}

func hasTransition(name string) bool {
	return slices.ContainsFunc(transitionList, func(t *typedefs.Transition) bool { return t.TransitionName == name })
}

var busHandlers = map[string]handler{
	"GetStudioModeEnabled": on(func(s *state, _ *ui.GetStudioModeEnabledParams) (any, int) {
		return &ui.GetStudioModeEnabledResponse{StudioModeEnabled: s.studio}, 0
	}),
	"SetStudioModeEnabled": on(func(s *state, p *ui.SetStudioModeEnabledParams) (any, int) {
		if p.StudioModeEnabled == nil {
			return nil, badField
		}
		s.studio, s.preview = *p.StudioModeEnabled, s.program
		s.emit("StudioModeStateChanged", subscriptions.Ui, &events.StudioModeStateChanged{StudioModeEnabled: s.studio})
		return nil, 0
	}),
	"SetCurrentProgramScene": on(func(s *state, p *scenes.SetCurrentProgramSceneParams) (any, int) {
		if s.scene(str(p.SceneName)) == nil {
			return nil, notFound
		}
		s.changeProgram(*p.SceneName)
		return nil, 0
	}),
	"SetCurrentPreviewScene": on(func(s *state, p *scenes.SetCurrentPreviewSceneParams) (any, int) {
		switch {
		case !s.studio:
			return nil, noStudio
		case s.scene(str(p.SceneName)) == nil:
			return nil, notFound
		}
		s.swap()
		s.preview = *p.SceneName
		s.emit("CurrentPreviewSceneChanged", subscriptions.Scenes, &events.CurrentPreviewSceneChanged{SceneName: s.preview})
		return nil, 0
	}),
	"TriggerStudioModeTransition": on(func(s *state, _ *transitions.TriggerStudioModeTransitionParams) (any, int) {
		if !s.studio {
			return nil, noStudio
		}
		s.changeProgram(s.preview)
		return nil, 0
	}),
	"GetSceneTransitionList": on(func(s *state, _ *transitions.GetSceneTransitionListParams) (any, int) {
		return &transitions.GetSceneTransitionListResponse{CurrentSceneTransitionName: s.transition, Transitions: transitionList}, 0
	}),
	"GetCurrentSceneTransition": on(func(s *state, _ *transitions.GetCurrentSceneTransitionParams) (any, int) {
		return &transitions.GetCurrentSceneTransitionResponse{TransitionName: s.transition, TransitionDuration: float64(s.duration)}, 0
	}),
	"SetCurrentSceneTransition": on(func(s *state, p *transitions.SetCurrentSceneTransitionParams) (any, int) {
		if !hasTransition(str(p.TransitionName)) {
			return nil, notFound
		}
		s.transition = *p.TransitionName
		s.emit("CurrentSceneTransitionChanged", subscriptions.Transitions, &events.CurrentSceneTransitionChanged{TransitionName: s.transition})
		return nil, 0
	}),
	"SetCurrentSceneTransitionDuration": on(func(s *state, p *transitions.SetCurrentSceneTransitionDurationParams) (any, int) {
		if p.TransitionDuration == nil || *p.TransitionDuration < 50 {
			return nil, badField
		}
		s.duration = int(*p.TransitionDuration)
		s.emit("CurrentSceneTransitionDurationChanged", subscriptions.Transitions,
			&events.CurrentSceneTransitionDurationChanged{TransitionDuration: *p.TransitionDuration})
		return nil, 0
	}),
	"GetCurrentSceneTransitionCursor": on(func(s *state, _ *transitions.GetCurrentSceneTransitionCursorParams) (any, int) {
		at := 1.0
		if s.next != "" {
			at = min(0.99, float64(time.Since(s.started).Milliseconds())/float64(max(1, s.duration)))
		}
		return &transitions.GetCurrentSceneTransitionCursorResponse{TransitionCursor: at}, 0
	}),
	"SetTBarPosition": on(func(s *state, p *transitions.SetTBarPositionParams) (any, int) {
		if !s.studio {
			return nil, noStudio
		}
		s.moveTBar(*p.Position, p.Release == nil || *p.Release)
		return nil, 0
	}),
}

// moveTBar moves the T-bar: beyond the middle the transition completes when it is
// released.
func (s *state) moveTBar(position float64, done bool) {
	if s.next == "" {
		s.tbar, s.next, s.started = true, s.preview, time.Now()
		s.emit("SceneTransitionStarted", subscriptions.Transitions, &events.SceneTransitionStarted{TransitionName: s.transition})
		s.updateActive()
	}
	if !s.tbar || !done {
		return
	}
	s.tbar = false
	old, to := s.shown, s.next
	if position < 0.5 {
		s.next = ""
		s.emit("SceneTransitionEnded", subscriptions.Transitions, &events.SceneTransitionEnded{TransitionName: s.transition})
		s.updateActive()
		return
	}
	s.program = to
	s.arrived(s.transition, old, to, true)
}
