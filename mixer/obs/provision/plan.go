package provision

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/andreykaipov/goobs/api/typedefs"

	"obvan/mixer/obs/naming"
)

// planner makes the plan.
type planner struct {
	found  *found
	target Target
	plan   *Plan
	layer  bool // there is a lower third to add to scenes
}

func (p *planner) add(text string, do func(ctx context.Context, c Caller) ([]Request, error)) {
	p.plan.Steps = append(p.plan.Steps, Step{Text: text, do: do})
}

func (p *planner) note(format string, args ...any) {
	p.plan.Notes = append(p.plan.Notes, fmt.Sprintf(format, args...))
}

// singleRequest is a step of one request and the requests that undo it.
func singleRequest(do Request, back ...Request) func(ctx context.Context, c Caller) ([]Request, error) {
	return func(ctx context.Context, c Caller) ([]Request, error) {
		if err := c.Call(ctx, do, nil); err != nil {
			return nil, err
		}
		return back, nil
	}
}

func (p *planner) scene(name, text string) {
	if p.found.hasScene(name) {
		return
	}
	scene := map[string]any{"sceneName": name}
	p.add(text, singleRequest(request("CreateScene", scene), request("RemoveScene", scene)))
	p.found.scenes[name] = nil
}

// area is a rectangle of the canvas, in pixels.
type area struct{ x, y, w, h float64 }

// fit is the transform that shows a source in an area, whatever its size.
func (a area) fit(bounds string) map[string]any {
	return map[string]any{
		"positionX": a.x, "positionY": a.y, "alignment": 5, // top left
		"boundsType": bounds, "boundsWidth": max(1, a.w), "boundsHeight": max(1, a.h), "boundsAlignment": 0, // center
	}
}

const (
	whole    = "OBS_BOUNDS_SCALE_INNER" // all of it, with bars
	filled   = "OBS_BOUNDS_SCALE_OUTER" // no bars
	atMost   = "OBS_BOUNDS_MAX_ONLY"    // only shrinks
	topLeft  = 5
	left     = 1
	fontSize = 0.045 // of the canvas' height
)

func (p *planner) canvas() area {
	w, h := p.found.video.BaseWidth, p.found.video.BaseHeight
	if w < 8 || h < 8 {
		w, h = 1920, 1080
	}
	return area{0, 0, w, h}
}

// part is an area in fractions of the canvas.
func (p *planner) part(x, y, w, h float64) area {
	c := p.canvas()
	return area{x * c.w, y * c.h, w * c.w, h * c.h}
}

// input creates an input in a scene.
func (p *planner) input(scene, name, kind string, settings, transform map[string]any, text string) {
	create := request("CreateInput", map[string]any{
		"sceneName": scene, "inputName": name, "inputKind": kind, "inputSettings": settings, "sceneItemEnabled": true,
	})
	p.add(text, func(ctx context.Context, c Caller) ([]Request, error) {
		return place(ctx, c, scene, create, transform, request("RemoveInput", map[string]any{"inputName": name}))
	})
	p.found.inputs[name] = settings
	p.found.scenes[scene] = append(p.found.scenes[scene], &typedefs.SceneItem{SourceName: name})
}

// item adds an existing source to a scene.
func (p *planner) item(scene, source string, transform map[string]any, on bool, text string) {
	if p.found.holds(scene, source) {
		return
	}
	create := request("CreateSceneItem", map[string]any{"sceneName": scene, "sourceName": source, "sceneItemEnabled": on})
	p.add(text, func(ctx context.Context, c Caller) ([]Request, error) {
		return place(ctx, c, scene, create, transform)
	})
	p.found.scenes[scene] = append(p.found.scenes[scene], &typedefs.SceneItem{SourceName: source})
}

// place creates an item and sets its transform. Undo is back, or else removes the item.
func place(ctx context.Context, c Caller, scene string, create Request, transform map[string]any, back ...Request) ([]Request, error) {
	var made struct {
		ID int `json:"sceneItemId"`
	}
	if err := c.Call(ctx, create, &made); err != nil {
		return nil, err
	}
	if len(back) == 0 {
		back = []Request{request("RemoveSceneItem", map[string]any{"sceneName": scene, "sceneItemId": made.ID})}
	}
	if transform == nil {
		return back, nil
	}
	err := c.Call(ctx, request("SetSceneItemTransform", map[string]any{
		"sceneName": scene, "sceneItemId": made.ID, "sceneItemTransform": transform,
	}), nil)
	return back, err
}

// settings changes the settings that differ in an input of ours.
func (p *planner) settings(name string, want map[string]any, text string) {
	change, before := map[string]any{}, map[string]any{}
	for key, value := range want {
		if have, ok := p.found.inputs[name][key]; !same(have, value) {
			change[key] = value
			if ok {
				before[key] = have
			}
		}
	}
	if len(change) == 0 {
		return
	}
	var back []Request
	if len(before) > 0 {
		back = append(back, request("SetInputSettings", map[string]any{"inputName": name, "inputSettings": before}))
	}
	p.add(text, singleRequest(request("SetInputSettings", map[string]any{"inputName": name, "inputSettings": change}), back...))
}

// same compares a decoded JSON value with one of ours.
func same(have, want any) bool {
	if n, ok := want.(int); ok {
		want = float64(n)
	}
	return reflect.DeepEqual(have, want)
}

// player is how OBS plays a feed. Each value was measured: by default OBS reopens the
// camera at each cut, which costs seconds of video, and buffers two seconds.
func (p *planner) player(feed string) map[string]any {
	return map[string]any{
		"is_local_file": false, "input": p.target.Play + "/" + feed, "input_format": "",
		"restart_on_activate": false, "close_when_inactive": false,
		"reconnect_delay_sec": 1, "buffering_mb": 0, "hw_decode": false,
		"ffmpeg_options": "rtsp_transport=tcp fflags=nobuffer flags=low_delay",
	}
}

// feeds creates a scene for each feed, or renames its scene to the feed's new name.
func (p *planner) feeds() {
	for _, feed := range p.target.Feeds {
		scene, input := naming.Scene(feed.Name), naming.Input(feed.ID)
		switch old := p.found.sceneOf(feed.ID); {
		case old != "" && old != scene && !p.found.hasScene(scene):
			p.rename(old, scene)
		case old != "":
			scene = old
		}
		p.scene(scene, fmt.Sprintf(`Create the scene "%s".`, scene))
		if !p.found.hasInput(input) {
			p.input(scene, input, "ffmpeg_source", p.player(feed.ID), p.canvas().fit(whole),
				fmt.Sprintf(`Add a player of %s/%s to "%s".`, p.target.Play, feed.ID, scene))
		} else {
			p.settings(input, p.player(feed.ID), fmt.Sprintf(`Correct the settings of the player of "%s".`, feed.Name))
			p.item(scene, input, p.canvas().fit(whole), true, fmt.Sprintf(`Add its player to "%s".`, scene))
		}
		p.addLowerThird(scene)
	}
}

func (p *planner) rename(old, name string) {
	p.add(fmt.Sprintf(`Rename the scene "%s" to "%s".`, old, name), singleRequest(
		request("SetSceneName", map[string]any{"sceneName": old, "newSceneName": name}),
		request("SetSceneName", map[string]any{"sceneName": name, "newSceneName": old})))
	p.found.scenes[name] = p.found.scenes[old]
	delete(p.found.scenes, old)
}

// addLowerThird puts the lower third on top of a scene.
func (p *planner) addLowerThird(scene string) {
	if p.layer {
		p.item(scene, naming.Layer, nil, true, fmt.Sprintf(`Add the lower third to "%s".`, scene))
	}
}

// multiCamera creates the scenes of several cameras. One that exists keeps its layout; a
// new camera takes the next free place.
func (p *planner) multiCamera() {
	if len(p.target.Feeds) < 2 {
		return
	}
	for _, m := range []struct {
		name   string
		least  int
		places []area
		bounds string
	}{
		{naming.TwoUp, 2, []area{p.part(0, 0.25, 0.5, 0.5), p.part(0.5, 0.25, 0.5, 0.5)}, whole},
		{naming.FourUp, 3, []area{p.part(0, 0, 0.5, 0.5), p.part(0.5, 0, 0.5, 0.5), p.part(0, 0.5, 0.5, 0.5), p.part(0.5, 0.5, 0.5, 0.5)}, whole},
		{naming.PiP, 2, []area{p.canvas(), p.part(0.68, 0.06, 0.28, 0.28)}, filled},
	} {
		if len(p.target.Feeds) < m.least {
			continue
		}
		isNew := !p.found.hasScene(m.name)
		p.scene(m.name, fmt.Sprintf(`Create the scene "%s".`, m.name))
		taken := p.players(m.name)
		for _, feed := range p.target.Feeds {
			if taken >= len(m.places) || p.found.holds(m.name, naming.Input(feed.ID)) {
				continue
			}
			p.item(m.name, naming.Input(feed.ID), m.places[taken].fit(m.bounds), true, fmt.Sprintf(`Add "%s" to "%s".`, feed.Name, m.name))
			taken++
		}
		if isNew {
			p.addLowerThird(m.name)
		}
	}
}

func (p *planner) players(scene string) int {
	n := 0
	for _, item := range p.found.scenes[scene] {
		if naming.FeedOfInput(item.SourceName) != "" {
			n++
		}
	}
	return n
}

// removedFeeds reports the feeds that no longer exist, and removes the scenes of those
// that the target lists.
func (p *planner) removedFeeds() {
	for _, name := range slices.Sorted(maps.Keys(p.found.inputs)) {
		feed := naming.FeedOfInput(name)
		if feed == "" || slices.ContainsFunc(p.target.Feeds, func(f Feed) bool { return f.ID == feed }) {
			continue
		}
		if !slices.Contains(p.target.Remove, feed) {
			p.plan.RemovedFeeds = append(p.plan.RemovedFeeds, feed)
			continue
		}
		p.add(fmt.Sprintf("Remove the player of %s. Undo does not bring it back; another set-up does.", feed),
			singleRequest(request("RemoveInput", map[string]any{"inputName": name})))
		if scene := p.found.sceneOf(feed); scene != "" {
			p.add(fmt.Sprintf(`Remove the scene "%s".`, scene), singleRequest(request("RemoveScene", map[string]any{"sceneName": scene})))
		}
	}
}
