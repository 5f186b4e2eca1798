// Package mirror is what OBS has reported about itself: the scenes, the buses, the audio
// inputs, the outputs. It is filled by complete answers (Fetch) and kept up to date by
// events (Apply), and knows which parts of it have become stale and must be fetched
// again. What OBS reports is the truth; what we requested is not in here.
package mirror

import (
	"slices"
	"time"

	"github.com/andreykaipov/goobs/api/typedefs"

	"obvan/mixer"
	"obvan/mixer/obs/naming"
)

// Part is a section of the mirror that is fetched as a whole.
type Part uint

// The parts; Buses includes the scene list.
const (
	Buses Part = 1 << iota
	Items
	Inputs
	Transitions
	Outputs
	Choices
	About
	Active // which inputs are visible on air; a part of Inputs

	All = Buses | Items | Inputs | Transitions | Outputs | Choices | About
)

// Mirror is for one goroutine. State copies what it hands out.
type Mirror struct {
	feedOf  func(url string) string
	bus     buses
	items   map[string][]typedefs.SceneItem // by scene or group, bottom first
	inputs  map[string]*input
	removed map[string]time.Time // inputs that were removed, and when; OBS still lists them for a while
	outputs outputStates
	health  health

	choices choices
	leaving bool // OBS reported that it is quitting

	version string // of OBS itself
	stale   Part
}

// choices are the scene collections and profiles.
type choices struct {
	collections, profiles *mixer.Choice
	switching             bool // between two scene collections
}

// buses are what is on air and in preview, and the transitions between them.
type buses struct {
	scenes           []string // top first, as OBS shows them
	program, preview string
	studio           bool
	transitions      []string
	cut              string // the one that takes no time; its name is in OBS' user interface language
	current          mixer.Transition
	running          bool    // a transition is
	position         float64 // of the running one
	idle             int     // consecutive polls that found it not moving
}

// input is one source of video or audio.
type input struct {
	name, kind    string
	feed          string // the hub stream it plays, "" for none
	text          string // of a text input
	active        bool   // visible in what is on air
	activeUnknown bool   // this OBS does not report whether it is active

	audio        *mixer.AudioInput // nil without audio
	media        *mixer.MediaInput // nil when it is not a media player
	lastProgress time.Time         // when the media cursor last advanced, or the logo was changed
}

// New makes an empty mirror. feedOf says which hub stream a URL plays, "" for none.
func New(feedOf func(url string) string) *Mirror {
	return &Mirror{
		feedOf: feedOf, stale: All,
		items: map[string][]typedefs.SceneItem{}, inputs: map[string]*input{}, removed: map[string]time.Time{},
		outputs: outputStates{all: map[string]*mixer.Output{}, warnings: map[string]uint64{}},
	}
}

// TakeStale is which parts must be fetched again, and marks them as fresh.
func (m *Mirror) TakeStale() Part {
	d := m.stale
	m.stale = 0
	if d&Inputs != 0 {
		d &^= Active // the inputs are fetched with it
	}
	return d
}

// MarkStale marks parts as stale.
func (m *Mirror) MarkStale(p Part) { m.stale |= p }

// Running reports whether a transition is running.
func (m *Mirror) Running() bool { return m.bus.running }

// Cut is the name of the transition that takes no time, "" when there is none.
func (m *Mirror) Cut() string { return m.bus.cut }

// Leaving reports whether OBS announced that it is quitting.
func (m *Mirror) Leaving() bool { return m.leaving }

// State is the mirror as the state that all mixers have. Output is not in it.
func (m *Mirror) State() mixer.State {
	s := mixer.State{
		Kind: "obs", Version: m.version, Connected: true,
		Sources: []mixer.Source{}, Program: m.bus.program, StudioMode: m.bus.studio,
		Transitions: slices.Clone(m.bus.transitions), Transition: m.bus.current, InTransition: m.bus.running,
		OnAir: m.onAir(), OnPreview: []string{},
	}
	if m.choices.switching {
		s.Problem = "OBS is switching its scene collection"
	}
	for _, name := range m.bus.scenes {
		if name == naming.Layer || name == naming.Content { // parts of other scenes: not meant to be put on air alone
			continue
		}
		s.Sources = append(s.Sources, mixer.Source{Name: name, Feeds: m.feedsIn(name)})
	}
	if m.bus.studio {
		s.Preview = m.bus.preview
		s.OnPreview = m.feedsIn(m.bus.preview)
		s.TBar = &mixer.TBar{Position: m.bus.position}
	}
	s.Audio, s.Media = m.audioAndMedia()
	s.Outputs = m.outputList()
	s.Collections, s.Profiles = clone(m.choices.collections), clone(m.choices.profiles)
	s.Health = m.health.state(m.frozenFeeds())
	s.Graphic = m.graphic()
	return s
}

func (m *Mirror) audioAndMedia() (audio []mixer.AudioInput, media []mixer.MediaInput) {
	for _, name := range sortedKeys(m.inputs) {
		in := m.inputs[name]
		if in.audio != nil {
			audio = append(audio, *in.audio)
		}
		if in.media != nil && in.feed == "" { // a camera must not be paused
			media = append(media, *in.media)
		}
	}
	return audio, media
}

func (m *Mirror) outputList() []mixer.Output {
	var all []mixer.Output
	for _, name := range OutputNames {
		if o := m.outputs.all[name]; o != nil {
			all = append(all, *o)
		}
	}
	return all
}

func clone(c *mixer.Choice) *mixer.Choice {
	if c == nil {
		return nil
	}
	return &mixer.Choice{Current: c.Current, All: slices.Clone(c.All)}
}

func sortedKeys[V any](all map[string]V) []string {
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
