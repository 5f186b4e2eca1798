package obstest

import (
	"slices"
	"time"

	"github.com/andreykaipov/goobs/api/events"
	"github.com/andreykaipov/goobs/api/events/subscriptions"
	"github.com/andreykaipov/goobs/api/typedefs"
)

// state is what is in the fake OBS. The server's mutex guards it.
type state struct {
	emit   func(event string, intent int, data any)
	after  func(d time.Duration, f func())
	scenes []*scene // bottom first, groups left out
	inputs map[string]*input
	buses
	outputs map[string]*output

	service    typedefs.StreamServiceSettings
	parameters map[string]string // by category/name
	lists      map[string]*choice

	began      time.Time
	overlapped bool
	nextID     int
}

type buses struct {
	program, preview string
	shown            string // what is really shown; differs from program when OBS ignored a change
	next             string // what a running transition goes to
	studio           bool
	transition       string
	duration         int
	tbar             bool // the T-bar is being moved
	started          time.Time
	swapTo           *string       // what the pending swap puts in preview
	swapDelay        time.Duration // until the swap
	noSwap           bool          // OBS is set not to swap
}

type scene struct {
	name     string
	group    bool
	items    []*typedefs.SceneItem
	override struct {
		name string
		ms   int
	}
}

type input struct {
	name, kind string
	settings   map[string]any
	muted      bool
	db         float64
	active     bool
	media      string
}

type choice struct {
	current string
	all     []string
}

var kinds = []string{"image_source", "color_source_v3", "ffmpeg_source", "text_ft2_source_v2"}

var transitionList = []*typedefs.Transition{
	{TransitionName: "Cut", TransitionKind: "cut_transition", TransitionFixed: true},
	{TransitionName: "Fade", TransitionKind: "fade_transition"},
	{TransitionName: "Swipe", TransitionKind: "swipe_transition"},
}

func newState(srv *Server, feeds []string) *state {
	s := &state{
		emit: srv.broadcast, after: srv.after, inputs: map[string]*input{}, outputs: map[string]*output{}, parameters: map[string]string{},
		lists: map[string]*choice{
			"collections": {"Untitled", []string{"Untitled", "Second"}},
			"profiles":    {"Untitled", []string{"Untitled", "Second"}},
		},
		began: time.Now().Add(-time.Minute),
	}
	s.studio, s.transition, s.duration = true, "Fade", 60
	for _, name := range []string{"stream", "record"} {
		s.outputs[name] = &output{state: "STOPPED"}
	}
	s.scenes = append(s.scenes, &scene{name: "Scene"})
	for _, feed := range feeds {
		s.scenes = append(s.scenes, &scene{name: feed})
		s.addInput(feed, &input{name: feed + " input", kind: "ffmpeg_source", settings: map[string]any{
			"is_local_file": false, "input": "rtsp://127.0.0.1:8555/" + feed,
		}})
	}
	s.program, s.preview, s.shown = s.scenes[0].name, s.scenes[0].name, s.scenes[0].name
	return s
}

func (s *state) restart() {
	s.studio, s.next, s.tbar, s.swapTo = false, "", false, nil
	s.shown = s.scenes[0].name
	s.program = s.shown
	s.began = time.Now()
	for _, o := range s.outputs {
		o.state = "STOPPED"
	}
	s.updateActive()
}

func (s *state) scene(name string) *scene {
	for _, sc := range s.scenes {
		if sc.name == name {
			return sc
		}
	}
	return nil
}

func (s *state) addInput(to string, in *input) int {
	if in.kind == "ffmpeg_source" {
		in.media = "OBS_MEDIA_STATE_PLAYING"
	}
	s.inputs[in.name] = in
	return s.addItem(s.scene(to), in.name, in.kind, "OBS_SOURCE_TYPE_INPUT")
}

func (s *state) addItem(to *scene, source, kind, sourceType string) int {
	s.nextID++
	group := s.scene(source) != nil && s.scene(source).group
	to.items = append(to.items, &typedefs.SceneItem{
		SceneItemID: s.nextID, SourceName: source, InputKind: kind, SourceType: sourceType, SceneItemEnabled: true, IsGroup: group,
		SceneItemIndex:     len(to.items),
		SceneItemTransform: typedefs.SceneItemTransform{BoundsType: "OBS_BOUNDS_NONE", ScaleX: 1, ScaleY: 1, Alignment: 5},
	})
	s.emit("SceneItemCreated", subscriptions.SceneItems, &events.SceneItemCreated{SceneName: to.name, SourceName: source, SceneItemId: s.nextID})
	return s.nextID
}

// visible collects the inputs that are visible in a scene.
func (s *state) visible(name string, into map[string]bool) {
	sc := s.scene(name)
	if sc == nil {
		return
	}
	for _, item := range sc.items {
		if !item.SceneItemEnabled {
			continue
		}
		into[item.SourceName] = true
		s.visible(item.SourceName, into)
	}
}

// updateActive determines what is visible on air and reports changes.
func (s *state) updateActive() {
	on := map[string]bool{}
	s.visible(s.shown, on)
	if s.next != "" {
		s.visible(s.next, on)
	}
	var names []string
	for name := range s.inputs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if in := s.inputs[name]; in.active != on[name] {
			in.active = on[name]
			s.emit("InputActiveStateChanged", subscriptions.InputActiveStateChanged,
				&events.InputActiveStateChanged{InputName: name, VideoActive: in.active})
		}
	}
}

// changeProgram is how OBS changes what is on air. In studio mode it names the new
// program although nothing happens while a transition is running.
func (s *state) changeProgram(to string) {
	s.swap()
	name, ms := s.transition, s.duration
	if o := s.scene(to).override; o.name != "" {
		name, ms = o.name, o.ms
		if ms == 0 {
			ms = 300
		}
	}
	if !s.studio && to == s.program && s.next == "" {
		return
	}
	if s.studio && s.next != "" {
		s.program = to
		return
	}
	old, studio := s.shown, s.studio
	if name == "Cut" {
		ms = 0
	}
	s.next, s.started = to, time.Now()
	s.program = to
	s.emit("SceneTransitionStarted", subscriptions.Transitions, &events.SceneTransitionStarted{TransitionName: name})
	if !s.studio {
		s.emit("CurrentProgramSceneChanged", subscriptions.Scenes, &events.CurrentProgramSceneChanged{SceneName: to})
	}
	s.updateActive()
	s.after(time.Duration(ms)*time.Millisecond, func() { s.arrived(name, old, to, studio) })
}

func (s *state) arrived(name, old, to string, swap bool) {
	if s.next != to {
		return
	}
	s.emit("SceneTransitionVideoEnded", subscriptions.Transitions, &events.SceneTransitionVideoEnded{TransitionName: name})
	s.shown, s.next = to, ""
	s.emit("SceneTransitionEnded", subscriptions.Transitions, &events.SceneTransitionEnded{TransitionName: name})
	s.updateActive()
	if !swap {
		return
	}
	s.swapTo = &old
	s.after(s.swapDelay, s.swap)
}

// swap is done on OBS' main thread, in order with other requests for its buses, and after
// the render thread has reported that the transition is over.
func (s *state) swap() {
	if s.swapTo == nil {
		return
	}
	if s.preview != *s.swapTo && !s.noSwap {
		s.preview = *s.swapTo
		s.emit("CurrentPreviewSceneChanged", subscriptions.Scenes, &events.CurrentPreviewSceneChanged{SceneName: s.preview})
	}
	s.swapTo = nil
	s.emit("CurrentProgramSceneChanged", subscriptions.Scenes, &events.CurrentProgramSceneChanged{SceneName: s.program})
}
