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
	"obvan/mixer/obs/ours"
	"obvan/mixer/obs/visual"
	"obvan/mixer/obs/wire"
)

// Limits of the lower third.
const (
	longest = 80 // characters of a line; OBS makes longer text smaller, up to a point
	moves   = 12 // pictures that coming in or going out takes
	confirm = 5 * time.Second
	reads   = 200 * time.Millisecond // OBS reads a picture with its next frame, and says so never
)

// ShowGraphic brings the lower third in with a text, and returns once OBS has it so.
func (m *Mixer) ShowGraphic(ctx context.Context, text map[string]string) error {
	return m.graphic(ctx, text, func(ctx context.Context, conn *wire.Conn, v *view) error {
		if v.Graphic.Shown {
			return nil
		}
		return m.movePlate(ctx, conn, v.plate, true)
	}, func(g *mixer.Graphic) bool { return g.Shown })
}

// UpdateGraphic changes the text of the lower third where it is.
func (m *Mixer) UpdateGraphic(ctx context.Context, text map[string]string) error {
	return m.graphic(ctx, text, nil, func(*mixer.Graphic) bool { return true })
}

// HideGraphic takes the lower third out, and returns once it is.
func (m *Mixer) HideGraphic(ctx context.Context) error {
	return m.graphic(ctx, nil, func(ctx context.Context, conn *wire.Conn, v *view) error {
		if !v.Graphic.Shown {
			return nil
		}
		return m.movePlate(ctx, conn, v.plate, false)
	}, func(g *mixer.Graphic) bool { return !g.Shown })
}

// graphic sets the text, moves the plate, and waits until OBS reports both.
func (m *Mixer) graphic(
	ctx context.Context, text map[string]string,
	move func(ctx context.Context, conn *wire.Conn, v *view) error, done func(g *mixer.Graphic) bool,
) error {
	release, err := hold(ctx, m.plate)
	if err != nil {
		return err
	}
	defer release()
	conn, err := m.board.online()
	if err != nil {
		return err
	}
	v, _ := m.board.now()
	if v.Graphic == nil {
		return fmt.Errorf("%w: this OBS has no lower third; set it up first", mixer.ErrNotNow)
	}
	want := v.Graphic.Text
	if text != nil {
		want = m.lines(v.Graphic.Fields, text)
		if err := m.write(ctx, conn, &v, want); err != nil {
			return err
		}
	}
	if move != nil {
		if err := move(ctx, conn, &v); err != nil {
			return outcome(err, mixer.ErrNotNow)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, confirm)
	defer cancel()
	if want[ours.Logo] != v.Graphic.Text[ours.Logo] {
		_ = retry.Sleep(ctx, reads) // without the time the wait below says so
		m.suspect(mirror.Inputs | mirror.Items)
	}
	err = m.board.await(ctx, func(v *view) bool {
		return v.Graphic != nil && maps.Equal(v.Graphic.Text, want) && done(v.Graphic)
	})
	if err != nil {
		return fmt.Errorf("%w: OBS did not confirm the lower third: %w", mixer.ErrUnsure, err)
	}
	return nil
}

// lines is what each field will say. A logo whose file OBS can't have is left out.
func (m *Mixer) lines(fields []string, text map[string]string) map[string]string {
	want := map[string]string{}
	for _, field := range fields {
		want[field] = line(text[field])
	}
	if want[ours.Logo] != "" && m.logo(want[ours.Logo]) == "" {
		want[ours.Logo] = ""
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

// line makes text fit one line: what breaks it becomes a space, and what is too
// long to be read ends in an ellipsis.
func line(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if runes := []rune(text); len(runes) > longest {
		text = strings.TrimSpace(string(runes[:longest-1])) + "…"
	}
	return text
}

func (m *Mixer) write(ctx context.Context, conn *wire.Conn, v *view, want map[string]string) error {
	for field, text := range want {
		if v.Graphic.Text[field] == text {
			continue
		}
		settings := map[string]any{"text": text, ours.TextKey: text}
		switch {
		case field == ours.Logo:
			settings = map[string]any{"file": m.logo(text)}
		case v.plain:
			settings["text"] = visual.Line(text)
		}
		err := conn.Call(ctx, inputs.NewSetInputSettingsParams().WithInputName(ours.Text(field)).WithInputSettings(settings), nil)
		if err != nil {
			return outcome(err, mixer.ErrNotNow)
		}
		if field != ours.Logo {
			m.suspect(mirror.Inputs) // OBS 29 has no event for it
		}
	}
	return nil
}

// suspect has the running session ask OBS anew.
func (m *Mixer) suspect(p mirror.Part) {
	for {
		select {
		case m.doubts <- p:
			return
		case other := <-m.doubts:
			p |= other
		}
	}
}

// plateAt places the plate without touching the rest of its transform.
type plateAt struct {
	Scene     string             `json:"sceneName"`
	Item      int                `json:"sceneItemId"`
	Transform map[string]float64 `json:"sceneItemTransform"`
}

func (plateAt) GetRequestName() string { return "SetSceneItemTransform" }

// movePlate slides the plate in or out and switches it, in one batch in step with
// OBS' pictures: once OBS has it, it ends right even if we are gone.
func (m *Mixer) movePlate(ctx context.Context, conn *wire.Conn, item int, in bool) error {
	var video config.GetVideoSettingsResponse
	if err := conn.Call(ctx, &config.GetVideoSettingsParams{}, &video); err != nil {
		return err
	}
	at := func(x float64) wire.Params {
		return plateAt{ours.Layer, item, map[string]float64{"positionX": x}}
	}
	enable := sceneitems.NewSetSceneItemEnabledParams().WithSceneName(ours.Layer).WithSceneItemId(item).WithSceneItemEnabled(in)
	var steps []wire.Params
	if in {
		steps = append(steps, at(-video.BaseWidth), enable)
	}
	for i := 1; i <= moves; i++ {
		gone := float64(i) / moves
		if in {
			gone = 1 - gone
		}
		steps = append(steps, at(-video.BaseWidth*gone*gone), wire.Sleep{Frames: 1})
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
