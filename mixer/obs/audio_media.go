package obs

import (
	"context"
	"fmt"
	"slices"

	"github.com/andreykaipov/goobs/api/requests/config"
	"github.com/andreykaipov/goobs/api/requests/inputs"
	"github.com/andreykaipov/goobs/api/requests/mediainputs"

	"obvan/mixer"
)

// Mute mutes or unmutes an input.
func (m *Mixer) Mute(ctx context.Context, input string, muted bool) error {
	return m.call(ctx, mixer.ErrNoInput, inputs.NewSetInputMuteParams().WithInputName(input).WithInputMuted(muted), nil)
}

// Volume sets an input's fader, -100 to +26 dB.
func (m *Mixer) Volume(ctx context.Context, input string, db float64) error {
	db = max(-100, min(26, db))
	return m.call(ctx, mixer.ErrNoInput, inputs.NewSetInputVolumeParams().WithInputName(input).WithInputVolumeDb(db), nil)
}

// PlayMedia plays or resumes a player.
func (m *Mixer) PlayMedia(ctx context.Context, input string) error {
	return m.media(ctx, input, "PLAY")
}

// PauseMedia pauses a player.
func (m *Mixer) PauseMedia(ctx context.Context, input string) error {
	return m.media(ctx, input, "PAUSE")
}

// RestartMedia plays from the start.
func (m *Mixer) RestartMedia(ctx context.Context, input string) error {
	return m.media(ctx, input, "RESTART")
}

// StopMedia stops a player.
func (m *Mixer) StopMedia(ctx context.Context, input string) error {
	return m.media(ctx, input, "STOP")
}

// media acts on clip players only: an input that plays a camera is not one.
func (m *Mixer) media(ctx context.Context, input, action string) error {
	v, _ := m.shared.current()
	player := slices.ContainsFunc(v.Media, func(p mixer.MediaInput) bool { return p.Name == input })
	if v.Connected && !player {
		return fmt.Errorf("%w: no media player is named %q", mixer.ErrNoInput, input)
	}
	return m.call(ctx, mixer.ErrNoInput, mediainputs.NewTriggerMediaInputActionParams().
		WithInputName(input).WithMediaAction("OBS_WEBSOCKET_MEDIA_INPUT_ACTION_"+action), nil)
}

// SetCollection changes to another scene collection.
func (m *Mixer) SetCollection(ctx context.Context, name string) error {
	v, _ := m.shared.current()
	if err := known(v.Collections, name); err != nil || v.Collections != nil && v.Collections.Current == name {
		return err
	}
	return m.call(ctx, mixer.ErrNoChoice, config.NewSetCurrentSceneCollectionParams().WithSceneCollectionName(name), nil)
}

// SetProfile changes to another profile; OBS refuses while it streams or records.
func (m *Mixer) SetProfile(ctx context.Context, name string) error {
	v, _ := m.shared.current()
	if err := known(v.Profiles, name); err != nil || v.Profiles != nil && v.Profiles.Current == name {
		return err
	}
	return m.call(ctx, mixer.ErrNoChoice, config.NewSetCurrentProfileParams().WithProfileName(name), nil)
}

func known(c *mixer.Choice, name string) error {
	if c == nil || slices.Contains(c.All, name) {
		return nil
	}
	return fmt.Errorf("%w: %q", mixer.ErrNoChoice, name)
}
