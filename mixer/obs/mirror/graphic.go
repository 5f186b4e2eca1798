package mirror

import (
	"slices"
	"strings"
	"time"

	"github.com/andreykaipov/goobs/api/typedefs"

	"obvan/mixer"
	"obvan/mixer/obs/ours"
)

// forReading is how long OBS may take to read a logo.
const forReading = 2 * time.Second

// graphic is the lower third, nil when this OBS has none of ours.
func (m *Mirror) graphic() *mixer.Graphic {
	plate := m.plate()
	if plate == nil {
		return nil
	}
	g := &mixer.Graphic{Text: map[string]string{}, Shown: plate.SceneItemEnabled}
	for _, field := range ours.Fields {
		in := m.inputs[ours.Text(field)]
		if in == nil {
			continue
		}
		g.Fields = append(g.Fields, field)
		g.Text[field] = in.text
		g.OnAir = g.OnAir || in.active || in.blind && m.inProgram(in)
	}
	if in := m.inputs[ours.Text(ours.Logo)]; in != nil && in.text != "" && time.Since(in.moved) > forReading && !m.logoIsRead() {
		g.Problem = "OBS can't read the logo: it has to run on the studio's machine, and may read its data directory"
	}
	if len(g.Fields) == 0 {
		return nil
	}
	return g
}

func (m *Mirror) inProgram(in *input) (found bool) {
	m.walk(m.bus.program, 0, func(seen *input) { found = found || seen == in })
	return found
}

// logoIsRead says whether OBS has a picture of the logo.
func (m *Mirror) logoIsRead() bool {
	return slices.ContainsFunc(m.items[ours.Plate], func(i typedefs.SceneItem) bool {
		return i.SourceName == ours.Text(ours.Logo) && i.SceneItemTransform.SourceWidth > 0
	})
}

// plate is the one item of the lower third's layer that is switched.
func (m *Mirror) plate() *typedefs.SceneItem {
	items := m.items[ours.Layer]
	i := slices.IndexFunc(items, func(i typedefs.SceneItem) bool { return i.SourceName == ours.Plate })
	if i < 0 {
		return nil
	}
	return &items[i]
}

// PlateItem is the plate's number in its layer, 0 when there is none.
func (m *Mirror) PlateItem() int {
	if p := m.plate(); p != nil {
		return p.SceneItemID
	}
	return 0
}

// LetterByLetter says whether the lower third's text is drawn so, by FreeType.
func (m *Mirror) LetterByLetter() bool {
	in := m.inputs[ours.Text(ours.Fields[0])]
	return in != nil && strings.HasPrefix(in.kind, "text_ft2")
}
