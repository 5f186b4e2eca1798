// Package naming names what the studio creates in an operator's OBS. Everything that is
// created there carries the mark; nothing without it is ever changed or removed. Scenes
// and inputs share one namespace in OBS, so a feed's scene and input have different
// names.
package naming

import "strings"

// Mark is at the end of each name.
const Mark = " [obvan]"

// The lower third: Layer is on top of each feed's scene and is always enabled; in it is
// one item, Content, that is enabled and moved; Content contains the box and the text.
// The layer is a nested scene because in studio mode OBS shows changes to the scene on
// air itself only after the next take.
const (
	Layer   = "Lower third" + Mark
	Content = "Lower third content" + Mark
	Box     = "Lower third box" + Mark
)

// Fields of the lower third, the upper line first. The logo is an image, the others are
// text.
var Fields = [...]string{"name", "title", Logo}

// Logo is the field whose value names a logo, and LogoSuffix the suffix of its file's
// name.
const (
	Logo       = "logo"
	LogoSuffix = ".png"
)

// TextKey is the setting in which a text input stores its text as it was given, beside
// the text as it is rendered.
const TextKey = "obvan_text"

// Multi-camera scenes.
const (
	TwoUp  = "2-up" + Mark
	FourUp = "4-up" + Mark
	PiP    = "Picture in picture" + Mark
)

const inputMark = " feed" + Mark

// Scene is the scene of a feed.
func Scene(feed string) string { return feed + Mark }

// Input is the media input that plays a feed.
func Input(feed string) string { return feed + inputMark }

// Text is the input that shows a field of the lower third.
func Text(field string) string { return "Lower third " + field + Mark }

// Is reports whether something in OBS was created by the studio.
func Is(name string) bool { return strings.HasSuffix(name, Mark) }

// LogoOf is the logo that a file contains; the path may be a Windows or a Unix one.
func LogoOf(file string) string {
	return strings.TrimSuffix(file[strings.LastIndexAny(file, `/\`)+1:], LogoSuffix)
}

// FeedOfInput is the feed that one of our inputs plays, "" for any other.
func FeedOfInput(name string) string {
	feed, ok := strings.CutSuffix(name, inputMark)
	if !ok {
		return ""
	}
	return feed
}
