// Package graphics is the lower thirds: prepared names, what is on air, what is next,
// and when it is taken off automatically. A Renderer puts them into the video: the
// mixer's own text, or the overlay page as a browser source.
package graphics

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// Errors a caller can act on.
var (
	ErrNoItem      = errors.New("there is no such lower third")
	ErrNoTemplate  = errors.New("there is no such template")
	ErrNotOnAir    = errors.New("nothing is on air")
	ErrNoNext      = errors.New("there is no next lower third")
	ErrInvalidText = errors.New("the text does not fit the template")
	ErrFull        = errors.New("the list is full")
)

// Limits of what is stored.
const (
	MaxItems    = 500
	MaxRunes    = 200 // of one field: three times what fits a line; the renderer truncates the rest
	MaxAutoOut  = 10 * time.Minute
	showTimeout = 5 * time.Second
)

// Field is one line of a template, or its logo.
type Field struct {
	Name     string `json:"name"`
	Label    string `json:"label"`
	Optional bool   `json:"optional,omitempty"`
	Logo     bool   `json:"logo,omitempty"` // its value is the name of a logo instead of a text
}

// Template is a kind of lower third.
type Template struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	Fields []Field `json:"fields"`
}

// Templates are the built-in kinds. Their design is up to the renderer.
func Templates() []Template {
	name, title := Field{Name: "name", Label: "Name"}, Field{Name: "title", Label: "Title", Optional: true}
	logo := Field{Name: LogoField, Label: "Logo", Optional: true, Logo: true}
	return []Template{
		{ID: "person", Name: "Name and title", Fields: []Field{name, title, logo}},
		{ID: "headline", Name: "Headline", Fields: []Field{{Name: "name", Label: "Headline"}}},
		{ID: "place", Name: "Place and time", Fields: []Field{{Name: "name", Label: "Place"}, {Name: "title", Label: "Time", Optional: true}}},
	}
}

// LogoField is the field whose value is a logo's name.
const LogoField = "logo"

// Item is a prepared lower third.
type Item struct {
	ID        string            `json:"id"`
	Template  string            `json:"template"`
	Text      map[string]string `json:"text"`                // by field name
	AutoOutMs int               `json:"autoOutMs,omitempty"` // taken off automatically after this; 0 for never
}

func (it *Item) clone() Item {
	c := *it
	c.Text = maps.Clone(it.Text)
	return c
}

// OnAir is the lower third that is shown, or should be.
type OnAir struct {
	Item
	Since     time.Time  `json:"since"`
	OutAt     *time.Time `json:"outAt,omitempty"`
	Confirmed bool       `json:"confirmed"` // the renderer reports exactly this
}

// State is the section a panel shows.
type State struct {
	Templates []Template `json:"templates"`
	Items     []Item     `json:"items"`
	Logos     []string   `json:"logos,omitempty"` // the names of the stored logos
	OnAir     *OnAir     `json:"onAir,omitempty"`
	Next      string     `json:"next,omitempty"`    // the item that next takes
	Via       string     `json:"via,omitempty"`     // "mixer" or "overlay"; "" without a renderer
	Problem   string     `json:"problem,omitempty"` // as a sentence
}

// How a lower third gets into the video.
const (
	ViaMixer   = "mixer"   // the mixer's own text
	ViaOverlay = "overlay" // the overlay page
)

// Renderer draws lower thirds. Each call returns once the renderer accepted or refused
// it; what is really shown is reported to Queue.Report.
type Renderer interface {
	ShowGraphic(ctx context.Context, text map[string]string) error
	UpdateGraphic(ctx context.Context, text map[string]string) error
	HideGraphic(ctx context.Context) error
}

// Report is what a renderer says is shown.
type Report struct {
	Via     string // "mixer" or "overlay"
	Ready   bool   // it can draw
	Shown   bool
	Hidden  bool // enabled, but not part of what is on air
	Text    map[string]string
	Problem string
}

// validate checks text against the template: unknown and over-long fields are refused,
// and missing ones must be optional.
func validate(template string, text map[string]string) error {
	i := slices.IndexFunc(Templates(), func(t Template) bool { return t.ID == template })
	if i < 0 {
		return ErrNoTemplate
	}
	fields := Templates()[i].Fields
	for name, value := range text {
		if !slices.ContainsFunc(fields, func(f Field) bool { return f.Name == name }) {
			return invalidText("there is no field %q in the template %q", name, template)
		}
		if name == LogoField && value != "" && !logoName.MatchString(value) {
			return invalidText("%q is not a valid logo name", value)
		}
		if !utf8.ValidString(value) || utf8.RuneCountInString(value) > MaxRunes {
			return invalidText("%s is longer than %d characters, or not UTF-8", name, MaxRunes)
		}
	}
	for _, f := range fields {
		if !f.Optional && text[f.Name] == "" {
			return invalidText("%s is missing", f.Label)
		}
	}
	return nil
}
