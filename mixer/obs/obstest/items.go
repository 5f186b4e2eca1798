package obstest

import (
	"encoding/json"
	"slices"

	"github.com/andreykaipov/goobs/api/events"
	"github.com/andreykaipov/goobs/api/events/subscriptions"
	"github.com/andreykaipov/goobs/api/requests/sceneitems"
	"github.com/andreykaipov/goobs/api/typedefs"
)

// item finds an item by its scene and number.
func (s *state) item(scene *string, id *int) *typedefs.SceneItem {
	sc := s.scene(str(scene))
	if sc == nil || id == nil {
		return nil
	}
	for _, it := range sc.items {
		if it.SceneItemID == *id {
			return it
		}
	}
	return nil
}

var itemHandlers = map[string]handler{
	"GetSceneItemList": on(func(s *state, p *sceneitems.GetSceneItemListParams) (any, int) {
		sc := s.scene(str(p.SceneName))
		if sc == nil || sc.group {
			return nil, notFound
		}
		return &sceneitems.GetSceneItemListResponse{SceneItems: sc.items}, 0
	}),
	"GetGroupSceneItemList": on(func(s *state, p *sceneitems.GetGroupSceneItemListParams) (any, int) {
		sc := s.scene(str(p.SceneName))
		if sc == nil || !sc.group {
			return nil, notFound
		}
		return &sceneitems.GetGroupSceneItemListResponse{SceneItems: sc.items}, 0
	}),
	"CreateSceneItem": on(func(s *state, p *sceneitems.CreateSceneItemParams) (any, int) {
		sc, name := s.scene(str(p.SceneName)), str(p.SourceName)
		in := s.inputs[name]
		if sc == nil || in == nil && s.scene(name) == nil {
			return nil, notFound
		}
		kind, sourceType := "", "OBS_SOURCE_TYPE_SCENE"
		if in != nil {
			kind, sourceType = in.kind, "OBS_SOURCE_TYPE_INPUT"
		}
		id := s.addItem(sc, name, kind, sourceType)
		if p.SceneItemEnabled != nil {
			sc.items[len(sc.items)-1].SceneItemEnabled = *p.SceneItemEnabled
		}
		s.updateActive()
		return map[string]int{"sceneItemId": id}, 0
	}),
	"RemoveSceneItem": on(func(s *state, p *sceneitems.RemoveSceneItemParams) (any, int) {
		it, sc := s.item(p.SceneName, p.SceneItemId), s.scene(str(p.SceneName))
		if it == nil {
			return nil, notFound
		}
		sc.items = slices.DeleteFunc(sc.items, func(o *typedefs.SceneItem) bool { return o == it })
		s.emit("SceneItemRemoved", subscriptions.SceneItems, &events.SceneItemRemoved{SceneName: sc.name, SceneItemId: it.SceneItemID})
		s.updateActive()
		return nil, 0
	}),
	"SetSceneItemEnabled": on(func(s *state, p *sceneitems.SetSceneItemEnabledParams) (any, int) {
		it := s.item(p.SceneName, p.SceneItemId)
		if it == nil || p.SceneItemEnabled == nil {
			return nil, notFound
		}
		it.SceneItemEnabled = *p.SceneItemEnabled
		s.emit("SceneItemEnableStateChanged", subscriptions.SceneItems, &events.SceneItemEnableStateChanged{
			SceneName: *p.SceneName, SceneItemId: it.SceneItemID, SceneItemEnabled: it.SceneItemEnabled,
		})
		s.updateActive()
		return nil, 0
	}),
	"SetSceneItemIndex": on(func(s *state, p *sceneitems.SetSceneItemIndexParams) (any, int) {
		it, sc := s.item(p.SceneName, p.SceneItemId), s.scene(str(p.SceneName))
		if it == nil || p.SceneItemIndex == nil {
			return nil, notFound
		}
		sc.items = slices.DeleteFunc(sc.items, func(o *typedefs.SceneItem) bool { return o == it })
		sc.items = slices.Insert(sc.items, min(*p.SceneItemIndex, len(sc.items)), it)
		s.emit("SceneItemListReindexed", subscriptions.SceneItems, &events.SceneItemListReindexed{SceneName: sc.name})
		return nil, 0
	}),
	"GetSceneItemTransform": on(func(s *state, p *sceneitems.GetSceneItemTransformParams) (any, int) {
		it := s.item(p.SceneName, p.SceneItemId)
		if it == nil {
			return nil, notFound
		}
		return &sceneitems.GetSceneItemTransformResponse{SceneItemTransform: &it.SceneItemTransform}, 0
	}),
	"SetSceneItemTransform": func(s *state, data json.RawMessage) (any, int) {
		var p struct {
			Scene     string          `json:"sceneName"`
			Item      int             `json:"sceneItemId"`
			Transform json.RawMessage `json:"sceneItemTransform"`
		}
		if json.Unmarshal(data, &p) != nil {
			return nil, badField
		}
		it := s.item(&p.Scene, &p.Item)
		if it == nil {
			return nil, notFound
		}
		var given typedefs.SceneItemTransform // what is not given stays as it is; only here can zero be distinguished from absent
		var fields map[string]any
		json.Unmarshal(p.Transform, &fields)
		json.Unmarshal(p.Transform, &given)
		switch _, bounds := fields["boundsType"]; {
		case bounds && given.BoundsType == "":
			return nil, 403
		case fields["boundsWidth"] != nil && given.BoundsWidth < 1, fields["boundsHeight"] != nil && given.BoundsHeight < 1:
			return nil, 402
		}
		json.Unmarshal(p.Transform, &it.SceneItemTransform)
		return nil, 0
	},
}
