package obstest

import (
	"maps"
	"slices"

	"github.com/andreykaipov/goobs/api/events"
	"github.com/andreykaipov/goobs/api/events/subscriptions"
	"github.com/andreykaipov/goobs/api/requests/inputs"
	"github.com/andreykaipov/goobs/api/requests/mediainputs"
	"github.com/andreykaipov/goobs/api/requests/sources"
	"github.com/andreykaipov/goobs/api/typedefs"
)

func (in *input) hasAudio() bool { return in.media != "" }

// updateImageSize gives the items of an image the size of its file: 40x20, or none.
func (s *state) updateImageSize(in *input) {
	if in.kind != "image_source" {
		return
	}
	size := float64(0)
	if file, _ := in.settings["file"].(string); file != "" && file != Unreadable {
		size = 20
	}
	for _, sc := range s.scenes {
		for _, it := range sc.items {
			if it.SourceName == in.name {
				it.SceneItemTransform.SourceWidth, it.SceneItemTransform.SourceHeight = 2*size, size
			}
		}
	}
}

// Unreadable is the one file that the fake can't read.
const Unreadable = "/unreadable.png"

var inputHandlers = map[string]handler{
	"GetInputKindList": on(func(s *state, _ *inputs.GetInputKindListParams) (any, int) {
		return &inputs.GetInputKindListResponse{InputKinds: kinds}, 0
	}),
	"GetInputList": on(func(s *state, _ *inputs.GetInputListParams) (any, int) {
		list := &inputs.GetInputListResponse{}
		for _, name := range slices.Sorted(maps.Keys(s.inputs)) {
			list.Inputs = append(list.Inputs, &typedefs.Input{InputName: name, InputKind: s.inputs[name].kind})
		}
		return list, 0
	}),
	"CreateInput": on(func(s *state, p *inputs.CreateInputParams) (any, int) {
		name := str(p.InputName)
		switch {
		case !slices.Contains(kinds, str(p.InputKind)):
			return nil, badKind
		case s.scene(str(p.SceneName)) == nil:
			return nil, notFound
		case s.inputs[name] != nil, s.scene(name) != nil:
			return nil, exists
		}
		in := &input{name: name, kind: *p.InputKind, settings: map[string]any{}}
		maps.Copy(in.settings, p.InputSettings)
		id := s.addInput(*p.SceneName, in)
		s.emit("InputCreated", subscriptions.Inputs, &events.InputCreated{InputName: name, InputKind: in.kind})
		s.updateActive()
		return map[string]int{"sceneItemId": id}, 0
	}),
	"RemoveInput": on(func(s *state, p *inputs.RemoveInputParams) (any, int) {
		name := str(p.InputName)
		if s.inputs[name] == nil {
			return nil, notFound
		}
		delete(s.inputs, name)
		for _, sc := range s.scenes {
			sc.items = slices.DeleteFunc(sc.items, func(it *typedefs.SceneItem) bool { return it.SourceName == name })
		}
		s.emit("InputRemoved", subscriptions.Inputs, &events.InputRemoved{InputName: name})
		return nil, 0
	}),
	"SetInputName": on(func(s *state, p *inputs.SetInputNameParams) (any, int) {
		in, name := s.inputs[str(p.InputName)], str(p.NewInputName)
		switch {
		case in == nil:
			return nil, notFound
		case s.inputs[name] != nil || s.scene(name) != nil:
			return nil, exists
		}
		delete(s.inputs, in.name)
		for _, sc := range s.scenes {
			for _, it := range sc.items {
				if it.SourceName == in.name {
					it.SourceName = name
				}
			}
		}
		s.emit("InputNameChanged", subscriptions.Inputs, &events.InputNameChanged{OldInputName: in.name, InputName: name})
		in.name = name
		s.inputs[name] = in
		return nil, 0
	}),
	"GetInputSettings": with(func(s *state, in *input, _ *inputs.GetInputSettingsParams) (any, int) {
		return &inputs.GetInputSettingsResponse{InputKind: in.kind, InputSettings: maps.Clone(in.settings)}, 0
	}),
	"SetInputSettings": with(func(s *state, in *input, p *inputs.SetInputSettingsParams) (any, int) {
		maps.Copy(in.settings, p.InputSettings)
		s.updateImageSize(in)
		return nil, 0
	}),
	"GetInputMute": with(func(s *state, in *input, _ *inputs.GetInputMuteParams) (any, int) {
		if !in.hasAudio() {
			return nil, wrongState
		}
		return &inputs.GetInputMuteResponse{InputMuted: in.muted}, 0
	}),
	"SetInputMute": with(func(s *state, in *input, p *inputs.SetInputMuteParams) (any, int) {
		if !in.hasAudio() || p.InputMuted == nil {
			return nil, wrongState
		}
		in.muted = *p.InputMuted
		s.emit("InputMuteStateChanged", subscriptions.Inputs, &events.InputMuteStateChanged{InputName: in.name, InputMuted: in.muted})
		return nil, 0
	}),
	"GetInputVolume": with(func(s *state, in *input, _ *inputs.GetInputVolumeParams) (any, int) {
		if !in.hasAudio() {
			return nil, wrongState
		}
		return &inputs.GetInputVolumeResponse{InputVolumeDb: in.db}, 0
	}),
	"SetInputVolume": with(func(s *state, in *input, p *inputs.SetInputVolumeParams) (any, int) {
		if !in.hasAudio() || p.InputVolumeDb == nil {
			return nil, wrongState
		}
		in.db = *p.InputVolumeDb
		s.emit("InputVolumeChanged", subscriptions.Inputs, &events.InputVolumeChanged{InputName: in.name, InputVolumeDb: in.db})
		return nil, 0
	}),
	"GetSourceActive": on(func(s *state, p *sources.GetSourceActiveParams) (any, int) {
		in := s.inputs[str(p.SourceName)]
		if in == nil {
			return nil, notFound
		}
		return &sources.GetSourceActiveResponse{VideoActive: in.active}, 0
	}),
	"GetMediaInputStatus": with(func(s *state, in *input, _ *mediainputs.GetMediaInputStatusParams) (any, int) {
		return &mediainputs.GetMediaInputStatusResponse{MediaState: in.media}, 0
	}),
	"TriggerMediaInputAction": with(func(s *state, in *input, p *mediainputs.TriggerMediaInputActionParams) (any, int) {
		switch str(p.MediaAction) {
		case "OBS_WEBSOCKET_MEDIA_INPUT_ACTION_PAUSE":
			in.media = "OBS_MEDIA_STATE_PAUSED"
		case "OBS_WEBSOCKET_MEDIA_INPUT_ACTION_STOP":
			in.media = "OBS_MEDIA_STATE_STOPPED"
		default:
			in.media = "OBS_MEDIA_STATE_PLAYING"
		}
		s.emit("MediaInputActionTriggered", subscriptions.MediaInputs,
			&events.MediaInputActionTriggered{InputName: in.name, MediaAction: str(p.MediaAction)})
		return nil, 0
	}),
}
