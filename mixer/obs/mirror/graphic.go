package mirror

import (
	"slices"
	"strings"
	"time"

	"github.com/andreykaipov/goobs/api/typedefs"

	"obvan/mixer"
	"obvan/mixer/obs/naming"
)

// forReading is how long OBS may take to read a logo.
const logoReadTime = 2 * time.Second

// graphic is the lower third, nil when this OBS has none of ours.
func (m *Mirror) graphic() *mixer.Graphic {
	item := m.item()
	if item == nil {
		return nil
	}
	g := &mixer.Graphic{Text: map[string]string{}, Shown: item.SceneItemEnabled}
	for _, field := range naming.Fields {
		in := m.inputs[naming.Text(field)]
		if in == nil {
			continue
		}
		g.Fields = append(g.Fields, field)
		g.Text[field] = in.text
		g.OnAir = g.OnAir || in.active || in.activeUnknown && m.inProgram(in)
	}
	if in := m.inputs[naming.Text(naming.Logo)]; in != nil && in.text != "" && time.Since(in.lastProgress) > logoReadTime && !m.logoIsRead() {
		g.Problem = "OBS can't read the logo: it has to run on the studio's machine, and may read its data directory"
	}
	if len(g.Fields) == 0 {
		return nil
	}
	return g
}

func (m *Mirror) inProgram(in *input) (found bool) {
	m.walk(m.bus.program, 0, func(input *input) { found = found || input == in })
	return found
}

// logoIsRead says whether OBS has a picture of the logo.
func (m *Mirror) logoIsRead() bool {
	return slices.ContainsFunc(m.items[naming.Content], func(i typedefs.SceneItem) bool {
		return i.SourceName == naming.Text(naming.Logo) && i.SceneItemTransform.SourceWidth > 0
	})
}

// plate is the one item of the lower third's layer that is switched.
func (m *Mirror) item() *typedefs.SceneItem {
	items := m.items[naming.Layer]
	i := slices.IndexFunc(items, func(i typedefs.SceneItem) bool { return i.SourceName == naming.Content })
	if i < 0 {
		return nil
	}
	return &items[i]
}

// PlateItem is the plate's number in its layer, 0 when there is none.
func (m *Mirror) GraphicItem() int {
	if p := m.item(); p != nil {
		return p.SceneItemID
	}
	return 0
}

// LetterByLetter says whether the lower third's text is drawn so, by FreeType.
func (m *Mirror) LetterByLetter() bool {
	in := m.inputs[naming.Text(naming.Fields[0])]
	return in != nil && strings.HasPrefix(in.kind, "text_ft2")
}
