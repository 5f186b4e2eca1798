package provision

import "obvan/mixer/obs/naming"

// Style of the lower third, in fractions of the canvas and OBS' 0xAABBGGRR.
const (
	boxColor  = 0xD92A1A10
	textColor = 0xFFFFFFFF
	nameSize  = 0.052
	titleSize = 0.036
)

// lowerThird creates the layer that is on top of our scenes: in it the content, which is
// switched and moved, and in that a box and two lines of text.
func (p *planner) lowerThird() {
	text := p.found.kind("text_ft2_source_v2", "text_gdiplus_v3", "text_gdiplus_v2", "text_ft2_source", "text_gdiplus")
	box := p.found.kind("color_source_v3", "color_source_v2", "color_source")
	if text == "" || box == "" {
		p.note("This OBS has no text input, so it will have no lower third.")
		return
	}
	p.layer = true
	p.scene(naming.Content, "Create the content of the lower third.")
	c := p.canvas()
	if !p.found.hasInput(naming.Box) {
		size := p.part(0, 0, 0.6, 0.15)
		p.input(naming.Content, naming.Box, box, map[string]any{"color": boxColor, "width": int(size.w), "height": int(size.h)},
			map[string]any{"positionX": 0.04 * c.w, "positionY": 0.78 * c.h, "alignment": topLeft}, "Add the box of the lower third.")
	}
	p.logo()
	lines := map[string]struct{ y, size float64 }{"name": {0.795, nameSize}, "title": {0.87, titleSize}}
	for _, field := range naming.Fields {
		line, isText := lines[field]
		if !isText || p.found.hasInput(naming.Text(field)) {
			continue
		}
		// Text that is longer than the box is scaled down.
		place := p.part(0.055, line.y, 0.57, line.size*1.2).fit(atMost)
		place["boundsAlignment"] = left
		p.input(naming.Content, naming.Text(field), text, map[string]any{
			"text": "", "antialiasing": true, "color1": textColor, "color2": textColor, "color": textColor & 0xFFFFFF,
			"font": map[string]any{"face": "Sans Serif", "style": "Regular", "size": int(line.size * c.h), "flags": 0},
		}, place, "Add the "+field+" to the lower third.")
	}
	p.scene(naming.Layer, "Create the layer of the lower third.")
	p.item(naming.Layer, naming.Content, nil, false, "Add the content to the layer, hidden.")
}

// logo adds the logo, beside the box: the text keeps all of its space.
func (p *planner) logo() {
	name, kind := naming.Text(naming.Logo), p.found.kind("image_source")
	switch {
	case p.found.hasInput(name):
	case kind == "":
		p.note("This OBS has no image input, so its lower thirds have no logo.")
	case !p.target.Logos:
		p.note("Lower thirds have no logo in this OBS: the studio's files are not on its computer.")
	default:
		place := p.part(0.65, 0.78, 0.12, 0.15).fit(whole)
		place["boundsAlignment"] = left
		p.input(naming.Content, name, kind, map[string]any{"file": "", "unload": false}, place, "Add the logo to the lower third.")
	}
}
