package mirror

import (
	"slices"
	"strings"
	"time"

	"github.com/andreykaipov/goobs/api/typedefs"

	"obvan/mixer"
	"obvan/mixer/obs/naming"
)

// logoReadTime is how long OBS may take to read a logo.
const logoReadTime = 2 * time.Second

// graphic is the lower third, nil when this OBS has none of ours.
func (m *Mirror) graphic() *mixer.Graphic {
	item := m.contentItem()
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
		g.Problem = "OBS can't read the logo: OBS has to run on the studio's computer, with access to its data directory"
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

// logoIsRead reports whether OBS has loaded the logo's image.
func (m *Mirror) logoIsRead() bool {
	return slices.ContainsFunc(m.items[naming.Content], func(i typedefs.SceneItem) bool {
		return i.SourceName == naming.Text(naming.Logo) && i.SceneItemTransform.SourceWidth > 0
	})
}

// contentItem is the one item of the lower third's layer, which is switched on and off.
func (m *Mirror) contentItem() *typedefs.SceneItem {
	items := m.items[naming.Layer]
	i := slices.IndexFunc(items, func(i typedefs.SceneItem) bool { return i.SourceName == naming.Content })
	if i < 0 {
		return nil
	}
	return &items[i]
}

// GraphicItem is the scene item ID of the lower third in its layer, 0 when there is none.
func (m *Mirror) GraphicItem() int {
	if p := m.contentItem(); p != nil {
		return p.SceneItemID
	}
	return 0
}

// LetterByLetter reports whether the lower third's text is rendered letter by letter, by
// FreeType.
func (m *Mirror) LetterByLetter() bool {
	in := m.inputs[naming.Text(naming.Fields[0])]
	return in != nil && strings.HasPrefix(in.kind, "text_ft2")
}
