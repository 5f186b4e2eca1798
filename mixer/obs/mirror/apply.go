package mirror

import (
	"slices"
	"time"

	"github.com/andreykaipov/goobs/api/events"
	"github.com/andreykaipov/goobs/api/typedefs"
)

// UsesEvent reports whether the mirror uses events of that name.
func UsesEvent(event string) bool {
	switch event {
	case "CustomEvent", "VendorEvent", "SceneItemSelected", "SceneItemTransformChanged",
		"SceneItemLockStateChanged", "InputShowStateChanged", "ScreenshotSaved":
		return false
	}
	return true
}

// Apply applies an event: its new value where it has one; where it only says that
// something has changed, that part becomes stale. Applying it twice does no harm.
func (m *Mirror) Apply(event any) {
	switch e := event.(type) {
	case *events.SceneCreated, *events.SceneRemoved, *events.SceneListChanged:
		m.stale |= Buses | Items
	case *events.SceneNameChanged:
		m.renamed(e.OldSceneName, e.SceneName)
	case *events.SceneItemCreated, *events.SceneItemRemoved, *events.SceneItemListReindexed:
		m.stale |= Items
	case *events.SceneItemEnableStateChanged:
		m.itemEnabled(e)
		m.stale |= Active
	case *events.CurrentSceneCollectionChanging:
		m.choices.switching = true
	case *events.CurrentSceneCollectionChanged:
		m.choices.switching, m.stale = false, All
	case *events.SceneCollectionListChanged, *events.ProfileListChanged:
		m.stale |= Choices
	case *events.CurrentProfileChanged:
		m.stale |= Choices | Outputs
	case *events.ExitStarted:
		m.leaving = true
	default:
		if !m.applyBus(event) && !m.applyInput(event) {
			m.applyOutput(event)
		}
	}
}

func (m *Mirror) renamed(old, name string) {
	for i := range m.bus.scenes {
		if m.bus.scenes[i] == old {
			m.bus.scenes[i] = name
		}
	}
	if items, ok := m.items[old]; ok {
		delete(m.items, old)
		m.items[name] = items
	}
	for _, on := range []*string{&m.bus.program, &m.bus.preview} {
		if *on == old {
			*on = name
		}
	}
	m.stale |= Buses | Items
}

func (m *Mirror) itemEnabled(e *events.SceneItemEnableStateChanged) {
	items := m.items[e.SceneName]
	i := slices.IndexFunc(items, func(i typedefs.SceneItem) bool { return i.SceneItemID == e.SceneItemId })
	if i < 0 {
		m.stale |= Items
		return
	}
	items[i].SceneItemEnabled = e.SceneItemEnabled
}

func (m *Mirror) applyBus(event any) bool {
	switch e := event.(type) {
	case *events.CurrentProgramSceneChanged:
		m.bus.program = e.SceneName
	case *events.CurrentPreviewSceneChanged:
		m.bus.preview = e.SceneName
	case *events.StudioModeStateChanged:
		m.bus.studio = e.StudioModeEnabled
		m.stale |= Buses
	case *events.SceneTransitionStarted:
		m.bus.running, m.bus.position = true, 0
	case *events.SceneTransitionEnded:
		m.bus.running, m.bus.position = false, 0
	case *events.SceneTransitionVideoEnded:
	case *events.CurrentSceneTransitionChanged:
		m.bus.current.Kind = e.TransitionName
		m.stale |= Transitions // for its duration, and it may be a new one
	case *events.CurrentSceneTransitionDurationChanged:
		m.bus.current.DurationMs = int(e.TransitionDuration)
	default:
		return false
	}
	return true
}

func (m *Mirror) applyInput(event any) bool {
	switch e := event.(type) {
	case *events.InputSettingsChanged:
		m.stale |= Inputs
	case *events.InputCreated:
		delete(m.removed, e.InputName)
		m.stale |= Inputs
	case *events.InputRemoved:
		// It is removed by the next answer: an OBS that is quitting removes everything and
		// does not answer any more.
		m.removed[e.InputName] = time.Now()
		m.stale |= Inputs
	case *events.InputNameChanged:
		delete(m.removed, e.InputName)
		m.stale |= Inputs | Items
	case *events.InputActiveStateChanged:
		m.onInput(e.InputName, func(in *input) { in.active = e.VideoActive })
	case *events.InputMuteStateChanged:
		m.onInput(e.InputName, func(in *input) {
			if in.audio != nil {
				in.audio.Muted = e.InputMuted
			}
		})
	case *events.InputVolumeChanged:
		m.onInput(e.InputName, func(in *input) {
			if in.audio != nil {
				in.audio.DB = decibel(e.InputVolumeDb)
			}
		})
	case *events.MediaInputPlaybackStarted:
		m.mediaIs(e.InputName, "playing")
	case *events.MediaInputPlaybackEnded:
		m.onInput(e.InputName, func(in *input) {
			// A manual stop also ends the playback; the events arrive in either order.
			if in.media != nil && in.media.State != "stopped" {
				in.media.State = "ended"
			}
		})
	case *events.MediaInputActionTriggered:
		m.mediaIs(e.InputName, afterAction[e.MediaAction])
	default:
		return false
	}
	return true
}

func (m *Mirror) onInput(name string, change func(*input)) {
	if in := m.inputs[name]; in != nil {
		change(in)
		return
	}
	m.stale |= Inputs
}

var afterAction = map[string]string{
	"OBS_WEBSOCKET_MEDIA_INPUT_ACTION_PLAY":    "playing",
	"OBS_WEBSOCKET_MEDIA_INPUT_ACTION_PAUSE":   "paused",
	"OBS_WEBSOCKET_MEDIA_INPUT_ACTION_STOP":    "stopped",
	"OBS_WEBSOCKET_MEDIA_INPUT_ACTION_RESTART": "playing",
}

func (m *Mirror) mediaIs(name, state string) {
	m.onInput(name, func(in *input) {
		if in.media != nil && state != "" {
			in.media.State = state
		}
	})
}

// decibel turns OBS' value for silence, minus infinity, into a number.
func decibel(db float64) float64 { return max(-100, min(26, db)) }

func (m *Mirror) applyOutput(event any) {
	switch e := event.(type) {
	case *events.StreamStateChanged:
		m.outputIs(Stream, e.OutputState)
	case *events.RecordStateChanged:
		m.outputIs(Record, e.OutputState)
	case *events.ReplayBufferStateChanged:
		m.outputIs(Replay, e.OutputState)
	case *events.VirtualcamStateChanged:
		m.outputIs(VirtualCam, e.OutputState)
	}
}
