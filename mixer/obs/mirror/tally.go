package mirror

import (
	"slices"
	"time"

	"github.com/andreykaipov/goobs/api/typedefs"
)

// maxDepth is how far nested scenes are followed. OBS allows no cycles, but what we
// fetched at different moments may look like one.
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

// onAir is the feeds that are visible on air. OBS itself reports which inputs are: that
// is correct during a transition, when both scenes are visible, and in studio mode, where
// changes to the scene on air are not shown before the next take. Only where OBS does not
// report it, the program scene is walked.
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

// Shown reports whether what is on air is what a scene shows. OBS in studio mode can name
// a scene as program that it never put on air.
func (m *Mirror) Shown(scene string) bool {
	shown := true
	m.walk(scene, 0, func(in *input) { shown = shown && (in.active || in.activeUnknown) })
	return shown
}

// frozenAfter is how long a camera input may not advance before there is a warning.
const frozenAfter = 4 * time.Second

// frozenFeeds is the feeds on air whose input in OBS receives no video.
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
