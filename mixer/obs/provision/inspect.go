package provision

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/andreykaipov/goobs/api/requests/config"
	"github.com/andreykaipov/goobs/api/requests/inputs"
	"github.com/andreykaipov/goobs/api/requests/sceneitems"
	"github.com/andreykaipov/goobs/api/requests/scenes"
	"github.com/andreykaipov/goobs/api/requests/stream"
	"github.com/andreykaipov/goobs/api/typedefs"

	"obvan/mixer/obs/naming"
)

// found is what OBS contains already, as far as it matters here.
type found struct {
	scenes     map[string][]*typedefs.SceneItem // items are known of our scenes only
	inputs     map[string]map[string]any        // settings are known of our inputs only
	kinds      []string
	video      config.GetVideoSettingsResponse
	service    service
	streaming  bool
	parameters map[parameter]string
}

// service is where OBS streams to. Services other than ours have settings that goobs'
// type would lose.
type service struct {
	Type     string          `json:"streamServiceType"`
	Settings json.RawMessage `json:"streamServiceSettings"`
}

// to reports whether it is this server and key.
func (s *service) to(server, key string) bool {
	var own typedefs.StreamServiceSettings
	return s.Type == "rtmp_custom" && json.Unmarshal(s.Settings, &own) == nil && own.Server == server && own.Key == key
}

// parameter is a setting of the profile.
type parameter struct{ category, name string }

func inspect(ctx context.Context, c Caller) (*found, error) {
	f := &found{
		scenes: map[string][]*typedefs.SceneItem{}, inputs: map[string]map[string]any{}, parameters: map[parameter]string{},
	}
	if err := f.inspectScenes(ctx, c); err != nil {
		return nil, err
	}
	if err := f.inspectInputs(ctx, c); err != nil {
		return nil, err
	}
	var streaming stream.GetStreamStatusResponse
	if err := c.Call(ctx, &stream.GetStreamStatusParams{}, &streaming); err != nil {
		return nil, err
	}
	f.streaming = streaming.OutputActive
	if err := c.Call(ctx, &config.GetVideoSettingsParams{}, &f.video); err != nil {
		return nil, err
	}
	if err := c.Call(ctx, &config.GetStreamServiceSettingsParams{}, &f.service); err != nil {
		return nil, err
	}
	for _, p := range encoderParameters {
		var answer config.GetProfileParameterResponse
		ask := config.NewGetProfileParameterParams().WithParameterCategory(p.category).WithParameterName(p.name)
		if err := c.Call(ctx, ask, &answer); err != nil {
			return nil, err
		}
		f.parameters[p] = answer.ParameterValue
	}
	return f, nil
}

func (f *found) inspectScenes(ctx context.Context, c Caller) error {
	var list scenes.GetSceneListResponse
	if err := c.Call(ctx, &scenes.GetSceneListParams{}, &list); err != nil {
		return err
	}
	for _, s := range list.Scenes {
		f.scenes[s.SceneName] = nil
		if !naming.Is(s.SceneName) {
			continue
		}
		var items sceneitems.GetSceneItemListResponse
		if err := c.Call(ctx, sceneitems.NewGetSceneItemListParams().WithSceneName(s.SceneName), &items); err != nil {
			return err
		}
		f.scenes[s.SceneName] = items.SceneItems
	}
	return nil
}

func (f *found) inspectInputs(ctx context.Context, c Caller) error {
	var kinds inputs.GetInputKindListResponse
	if err := c.Call(ctx, &inputs.GetInputKindListParams{}, &kinds); err != nil {
		return err
	}
	f.kinds = kinds.InputKinds
	var list inputs.GetInputListResponse
	if err := c.Call(ctx, &inputs.GetInputListParams{}, &list); err != nil {
		return err
	}
	for _, in := range list.Inputs {
		f.inputs[in.InputName] = nil
		if !naming.Is(in.InputName) {
			continue
		}
		var settings inputs.GetInputSettingsResponse
		if err := c.Call(ctx, inputs.NewGetInputSettingsParams().WithInputName(in.InputName), &settings); err != nil {
			return err
		}
		f.inputs[in.InputName] = settings.InputSettings
		if settings.InputSettings == nil {
			f.inputs[in.InputName] = map[string]any{}
		}
	}
	return nil
}

func (f *found) hasScene(name string) bool { _, ok := f.scenes[name]; return ok }

func (f *found) hasInput(name string) bool { _, ok := f.inputs[name]; return ok }

// holds reports whether a source is in one of our scenes.
func (f *found) holds(scene, source string) bool {
	return slices.ContainsFunc(f.scenes[scene], func(i *typedefs.SceneItem) bool { return i.SourceName == source })
}

// sceneOf is the scene of a feed: one of ours, with its player, and not one of several
// cameras. It may still have the feed's previous name.
func (f *found) sceneOf(feed string) string {
	for name := range f.scenes {
		switch name {
		case naming.TwoUp, naming.FourUp, naming.PiP, naming.Layer, naming.Content:
			continue
		}
		if naming.Is(name) && f.holds(name, naming.Input(feed)) {
			return name
		}
	}
	return ""
}

// kind is the first of these input kinds that this OBS has.
func (f *found) kind(any ...string) string {
	for _, k := range any {
		if slices.Contains(f.kinds, k) {
			return k
		}
	}
	return ""
}
