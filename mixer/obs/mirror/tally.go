package mirror

import (
	"slices"
	"time"

	"github.com/andreykaipov/goobs/api/typedefs"
)

// deepest is how far scenes are followed into each other. OBS allows no circles,
// but between two of our questions the tree may look like one.
const maxDepth = 16

const sceneType = "OBS_SOURCE_TYPE_SCENE"

// walk calls see with each input that is visible in a scene or group.
func (m *Mirror) walk(scene string, depth int, see func(in *input)) {
	if depth > maxDepth {
		return
	}
	for _, item := range m.items[scene] {
		if !item.SceneItemEnabled {
			continue
		}
		if nested(&item) {
			m.walk(item.SourceName, depth+1, see)
		} else if in := m.inputs[item.SourceName]; in != nil {
			see(in)
		}
	}
}

func nested(item *typedefs.SceneItem) bool { return item.IsGroup || item.SourceType == sceneType }

// feedsIn is the feeds that are visible in a scene.
func (m *Mirror) feedsIn(scene string) []string {
	feeds := []string{}
	m.walk(scene, 0, func(in *input) {
		if in.feed != "" && !slices.Contains(feeds, in.feed) {
			feeds = append(feeds, in.feed)
		}
	})
	return feeds
}

// onAir is the feeds that are visible on air. OBS itself says which inputs are:
// that holds during a transition, when both sides are, and in studio mode, where
// changes to the scene on air are not shown before the next take. Only where it
// does not say, the program scene is walked.
func (m *Mirror) onAir() []string {
	feeds := []string{}
	blind := false
	for _, in := range m.inputs {
		blind = blind || in.activeUnknown
		if in.active && in.feed != "" && !slices.Contains(feeds, in.feed) {
			feeds = append(feeds, in.feed)
		}
	}
	if blind {
		return m.walkOnAir()
	}
	slices.Sort(feeds)
	return feeds
}

func (m *Mirror) walkOnAir() []string {
	feeds := m.feedsIn(m.bus.program)
	if m.bus.running && m.bus.studio {
		for _, feed := range m.feedsIn(m.bus.preview) {
			if !slices.Contains(feeds, feed) {
				feeds = append(feeds, feed)
			}
		}
	}
	slices.Sort(feeds)
	return feeds
}

// Shown says whether what is on air is what a scene shows. OBS in studio mode can
// name a scene as program that it never brought on air.
func (m *Mirror) Shown(scene string) bool {
	shown := true
	m.walk(scene, 0, func(in *input) { shown = shown && (in.active || in.activeUnknown) })
	return shown
}

// slack is how long a camera input may stand still before it is said.
const frozenAfter = 4 * time.Second

// frozen is the feeds on air whose input in OBS gets no pictures.
func (m *Mirror) frozenFeeds() []string {
	var feeds []string
	for _, in := range m.inputs {
		if in.feed != "" && in.active && in.media != nil && !in.lastProgress.IsZero() && time.Since(in.lastProgress) > frozenAfter {
			feeds = append(feeds, in.feed)
		}
	}
	slices.Sort(feeds)
	return slices.Compact(feeds)
}
