package obs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/andreykaipov/goobs/api/requests/config"
	"github.com/andreykaipov/goobs/api/requests/inputs"
	"github.com/andreykaipov/goobs/api/requests/sceneitems"

	"obvan/internal/retry"
	"obvan/mixer"
	"obvan/mixer/obs/mirror"
	"obvan/mixer/obs/naming"
	"obvan/mixer/obs/textrender"
	"obvan/mixer/obs/wire"
)

// Limits of the lower third.
const (
	maxLine        = 80 // characters of a line; OBS scales longer text down, up to a point
	slideFrames    = 12 // frames that the animation in or out takes
	confirmTimeout = 5 * time.Second
	imageReadTime  = 200 * time.Millisecond // OBS reads an image with its next frame, and does not report it
)

// ShowGraphic shows the lower third with a text, and returns once OBS has confirmed it.
func (m *Mixer) ShowGraphic(ctx context.Context, text map[string]string) error {
	return m.graphic(ctx, text, func(ctx context.Context, conn *wire.Conn, v *view) error {
		if v.Graphic.Shown {
			return nil
		}
		return m.slideGraphic(ctx, conn, v.graphicItem, true)
	}, func(g *mixer.Graphic) bool { return g.Shown })
}

// UpdateGraphic changes the text of the lower third, on or off air.
func (m *Mixer) UpdateGraphic(ctx context.Context, text map[string]string) error {
	return m.graphic(ctx, text, nil, func(*mixer.Graphic) bool { return true })
}

// HideGraphic hides the lower third, and returns once OBS has confirmed it.
func (m *Mixer) HideGraphic(ctx context.Context) error {
	return m.graphic(ctx, nil, func(ctx context.Context, conn *wire.Conn, v *view) error {
		if !v.Graphic.Shown {
			return nil
		}
		return m.slideGraphic(ctx, conn, v.graphicItem, false)
	}, func(g *mixer.Graphic) bool { return !g.Shown })
}

// graphic sets the text, moves the lower third, and waits until OBS reports both.
func (m *Mixer) graphic(
	ctx context.Context, text map[string]string,
	move func(ctx context.Context, conn *wire.Conn, v *view) error, done func(g *mixer.Graphic) bool,
) error {
	release, err := lock(ctx, m.graphicLock)
	if err != nil {
		return err
	}
	defer release()
	conn, err := m.shared.online()
	if err != nil {
		return err
	}
	v, _ := m.shared.current()
	if v.Graphic == nil {
		return fmt.Errorf("%w: OBS has no lower third yet: set it up first", mixer.ErrNotNow)
	}
	want := v.Graphic.Text
	if text != nil {
		want = m.fieldTexts(v.Graphic.Fields, text)
		if err := m.setTexts(ctx, conn, &v, want); err != nil {
			return err
		}
	}
	if move != nil {
		if err := move(ctx, conn, &v); err != nil {
			return outcome(err, mixer.ErrNotNow)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, confirmTimeout)
	defer cancel()
	if want[naming.Logo] != v.Graphic.Text[naming.Logo] {
		_ = retry.Sleep(ctx, imageReadTime) // if ctx ends, the wait below reports it
		m.refetch(mirror.Inputs | mirror.Items)
	}
	err = m.shared.await(ctx, func(v *view) bool {
		return v.Graphic != nil && maps.Equal(v.Graphic.Text, want) && done(v.Graphic)
	})
	if err != nil {
		return fmt.Errorf("%w: OBS did not confirm the lower third: %w", mixer.ErrUnsure, err)
	}
	return nil
}

// fieldTexts is what each field will contain. A logo whose file OBS can't get is left
// out.
func (m *Mixer) fieldTexts(fields []string, text map[string]string) map[string]string {
	want := map[string]string{}
	for _, field := range fields {
		want[field] = fitLine(text[field])
	}
	if want[naming.Logo] != "" && m.logo(want[naming.Logo]) == "" {
		want[naming.Logo] = ""
	}
	return want
}

// logo is the file of a logo, "" without one.
func (m *Mixer) logo(name string) string {
	if m.cfg.Logo == nil || name == "" {
		return ""
	}
	return m.cfg.Logo(name)
}

// fitLine makes text fit on one line: line breaks become spaces, and text that is too
// long ends in an ellipsis.
func fitLine(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if runes := []rune(text); len(runes) > maxLine {
		text = strings.TrimSpace(string(runes[:maxLine-1])) + "…"
	}
	return text
}

func (m *Mixer) setTexts(ctx context.Context, conn *wire.Conn, v *view, want map[string]string) error {
	for field, text := range want {
		if v.Graphic.Text[field] == text {
			continue
		}
		settings := map[string]any{"text": text, naming.TextKey: text}
		switch {
		case field == naming.Logo:
			settings = map[string]any{"file": m.logo(text)}
		case v.letterByLetter:
			settings["text"] = textrender.Line(text)
		}
		err := conn.Call(ctx, inputs.NewSetInputSettingsParams().WithInputName(naming.Text(field)).WithInputSettings(settings), nil)
		if err != nil {
			return outcome(err, mixer.ErrNotNow)
		}
		if field != naming.Logo {
			m.refetch(mirror.Inputs) // OBS 29 has no event for it
		}
	}
	return nil
}

// refetch makes the session fetch a part of OBS' state again.
func (m *Mixer) refetch(p mirror.Part) {
	for {
		select {
		case m.refetches <- p:
			return
		case other := <-m.refetches:
			p |= other
		}
	}
}

// itemPosition moves a scene item without changing the rest of its transform.
type itemPosition struct {
	Scene     string             `json:"sceneName"`
	Item      int                `json:"sceneItemId"`
	Transform map[string]float64 `json:"sceneItemTransform"`
}

func (itemPosition) GetRequestName() string { return "SetSceneItemTransform" }

// slideGraphic slides the lower third in or out and switches it, in one batch in step
// with OBS' frames: once OBS has it, it completes even if we disconnect.
func (m *Mixer) slideGraphic(ctx context.Context, conn *wire.Conn, item int, in bool) error {
	var video config.GetVideoSettingsResponse
	if err := conn.Call(ctx, &config.GetVideoSettingsParams{}, &video); err != nil {
		return err
	}
	at := func(x float64) wire.Params {
		return itemPosition{naming.Layer, item, map[string]float64{"positionX": x}}
	}
	enable := sceneitems.NewSetSceneItemEnabledParams().WithSceneName(naming.Layer).WithSceneItemId(item).WithSceneItemEnabled(in)
	var steps []wire.Params
	if in {
		steps = append(steps, at(-video.BaseWidth), enable)
	}
	for i := 1; i <= slideFrames; i++ {
		hidden := float64(i) / slideFrames
		if in {
			hidden = 1 - hidden
		}
		steps = append(steps, at(-video.BaseWidth*hidden*hidden), wire.Sleep{Frames: 1})
	}
	if !in {
		steps = append(steps, enable, at(0))
	}
	errs, err := conn.Batch(ctx, wire.ByFrame, steps...)
	if err != nil {
		return err
	}
	return errors.Join(errs...)
}
