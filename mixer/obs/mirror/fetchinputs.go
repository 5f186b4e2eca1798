package mirror

import (
	"context"
	"sync"
	"time"

	"github.com/andreykaipov/goobs/api/requests/general"
	"github.com/andreykaipov/goobs/api/requests/inputs"
	"github.com/andreykaipov/goobs/api/requests/mediainputs"
	"github.com/andreykaipov/goobs/api/requests/sources"
	"github.com/andreykaipov/goobs/api/requests/stream"
	"golang.org/x/sync/errgroup"

	"obvan/mixer"
	"obvan/mixer/obs/naming"
	"obvan/mixer/obs/textrender"
	"obvan/mixer/obs/wire"
)

func fetchInputs(feedOf func(string) string) Fetch {
	return func(ctx context.Context, c Caller) (Patch, error) {
		var list inputs.GetInputListResponse
		if err := c.Call(ctx, &inputs.GetInputListParams{}, &list); err != nil {
			return nil, err
		}
		var mu sync.Mutex
		all := map[string]*input{}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(atOnce)
		for _, in := range list.Inputs {
			group.Go(func() error {
				one := &input{name: in.InputName, kind: in.InputKind}
				err := fetchInput(ctx, c, one, feedOf)
				if wire.Refusal(err) == wire.CodeNotFound {
					return nil // it was removed meanwhile; there is an event for that
				}
				mu.Lock()
				defer mu.Unlock()
				all[one.name] = one
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		return func(m *Mirror) { m.putInputs(all) }, nil
	}
}

// fetchActive asks which inputs are visible on air, after an item was shown or hidden. OBS
// reports a change only when it finds one with its next frame: an input that an Inputs
// fetch found off air meanwhile, and that is on air again by then, gets no event.
func fetchActive(names []string) Fetch {
	return func(ctx context.Context, c Caller) (Patch, error) {
		var mu sync.Mutex
		active := map[string]bool{}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(atOnce)
		for _, name := range names {
			group.Go(func() error {
				var answer sources.GetSourceActiveResponse
				err := c.Call(ctx, sources.NewGetSourceActiveParams().WithSourceName(name), &answer)
				if wire.Refusal(err) != 0 && wire.Refusal(err) != wire.CodeNotReady {
					return nil // it was removed meanwhile, or this OBS can't say
				}
				mu.Lock()
				defer mu.Unlock()
				active[name] = answer.VideoActive
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		return func(m *Mirror) {
			for name, is := range active {
				if in := m.inputs[name]; in != nil {
					in.active = is
				}
			}
		}, nil
	}
}

// stillListed is how long a removed input may be in OBS' list: until the last frame with
// it is rendered.
const stillListed = 5 * time.Second

func (m *Mirror) putInputs(all map[string]*input) {
	for name, at := range m.removed {
		if time.Since(at) > stillListed {
			delete(m.removed, name)
		} else {
			delete(all, name)
		}
	}
	for name, in := range all {
		switch old := m.inputs[name]; {
		case old != nil && old.text == in.text:
			in.lastProgress = old.lastProgress
		case name == naming.Text(naming.Logo):
			in.lastProgress = time.Now()
		case old != nil:
			in.lastProgress = old.lastProgress
		}
	}
	m.inputs = all
}

// fetchInput fills in what one input is.
func fetchInput(ctx context.Context, c Caller, in *input, feedOf func(string) string) error {
	var active sources.GetSourceActiveResponse
	err := c.Call(ctx, sources.NewGetSourceActiveParams().WithSourceName(in.name), &active)
	if in.activeUnknown = wire.Refusal(err) == wire.CodeUnknownRequest; err != nil && !in.activeUnknown {
		return err
	}
	in.active = active.VideoActive
	if err := fetchAudio(ctx, c, in); err != nil {
		return err
	}
	switch in.kind {
	case "ffmpeg_source", "vlc_source":
		if err := fetchFeed(ctx, c, in, feedOf); err != nil {
			return err
		}
		in.media = &mixer.MediaInput{Name: in.name, State: "stopped"}
		return fetchMedia(ctx, c, in.media)
	}
	if naming.Is(in.name) {
		var s inputs.GetInputSettingsResponse
		if err := optional(c.Call(ctx, inputs.NewGetInputSettingsParams().WithInputName(in.name), &s)); err != nil {
			return err
		}
		in.text = givenText(s.InputSettings)
		if in.name == naming.Text(naming.Logo) {
			file, _ := s.InputSettings["file"].(string)
			in.text = naming.LogoOf(file)
		}
	}
	return nil
}

// givenText is the text that an input was given, unless someone has changed it in OBS.
func givenText(settings map[string]any) string {
	drawn, _ := settings["text"].(string)
	if text, ok := settings[naming.TextKey].(string); ok && (drawn == text || drawn == textrender.Line(text)) {
		return text
	}
	return drawn
}

// fetchFeed finds the feed that an input plays: by its address, else by its name.
func fetchFeed(ctx context.Context, c Caller, in *input, feedOf func(string) string) error {
	var s inputs.GetInputSettingsResponse
	if err := optional(c.Call(ctx, inputs.NewGetInputSettingsParams().WithInputName(in.name), &s)); err != nil {
		return err
	}
	if local, _ := s.InputSettings["is_local_file"].(bool); !local {
		url, _ := s.InputSettings["input"].(string)
		in.feed = feedOf(url)
	}
	if in.feed == "" {
		in.feed = naming.FeedOfInput(in.name)
	}
	return nil
}

// fetchAudio leaves audio nil for an input without audio: OBS refuses then.
func fetchAudio(ctx context.Context, c Caller, in *input) error {
	var volume inputs.GetInputVolumeResponse
	if err := c.Call(ctx, inputs.NewGetInputVolumeParams().WithInputName(in.name), &volume); err != nil {
		return optional(err)
	}
	var mute inputs.GetInputMuteResponse
	if err := c.Call(ctx, inputs.NewGetInputMuteParams().WithInputName(in.name), &mute); err != nil {
		return optional(err)
	}
	in.audio = &mixer.AudioInput{Name: in.name, Muted: mute.InputMuted, DB: decibel(volume.InputVolumeDb)}
	return nil
}

var mediaStates = map[string]string{
	"OBS_MEDIA_STATE_NONE": "stopped", "OBS_MEDIA_STATE_STOPPED": "stopped",
	"OBS_MEDIA_STATE_PLAYING": "playing", "OBS_MEDIA_STATE_PAUSED": "paused",
	"OBS_MEDIA_STATE_ENDED": "ended", "OBS_MEDIA_STATE_ERROR": "error",
	"OBS_MEDIA_STATE_OPENING": "opening", "OBS_MEDIA_STATE_BUFFERING": "opening",
}

func fetchMedia(ctx context.Context, c Caller, media *mixer.MediaInput) error {
	var status mediainputs.GetMediaInputStatusResponse
	err := optional(c.Call(ctx, mediainputs.NewGetMediaInputStatusParams().WithInputName(media.Name), &status))
	if err != nil {
		return err
	}
	if state := mediaStates[status.MediaState]; state != "" {
		media.State = state
	}
	media.CursorMs = int64(status.MediaCursor)
	media.LengthMs = max(0, int64(status.MediaDuration)) // negative for RTSP
	return nil
}

// FetchStats fetches what no event reports: the positions of the media players, and how
// well OBS keeps up.
func (m *Mirror) FetchStats() Fetch {
	var players []string
	for _, in := range m.inputs {
		if in.media != nil {
			players = append(players, in.name)
		}
	}
	return func(ctx context.Context, c Caller) (Patch, error) {
		var stats general.GetStatsResponse
		if err := c.Call(ctx, &general.GetStatsParams{}, &stats); err != nil {
			return nil, err
		}
		var sent stream.GetStreamStatusResponse
		if err := optional(c.Call(ctx, &stream.GetStreamStatusParams{}, &sent)); err != nil {
			return nil, err
		}
		media := make([]mixer.MediaInput, len(players))
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(atOnce)
		for i, name := range players {
			media[i].Name = name
			group.Go(func() error { return fetchMedia(ctx, c, &media[i]) })
		}
		if err := group.Wait(); err != nil {
			return nil, err
		}
		return func(m *Mirror) {
			m.health.add(&stats, sent)
			m.players(media)
		}, nil
	}
}

func (m *Mirror) players(media []mixer.MediaInput) {
	for _, now := range media {
		in := m.inputs[now.Name]
		if in == nil || in.media == nil || now.State == "" {
			continue
		}
		if now.CursorMs != in.media.CursorMs || in.lastProgress.IsZero() {
			in.lastProgress = time.Now()
		}
		*in.media = now
	}
}
