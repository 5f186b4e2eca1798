package text_test

import (
	"strings"
	"testing"

	"obvan/internal/text"
)

func TestAPeersTextIsQuotedShortAndOnOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"cam1": `"cam1"`, "a\nb": `"a\nb"`, `say "hi"`: `"say \"hi\""`,
		strings.Repeat("x", 100): `"` + strings.Repeat("x", 60) + `..."`,
	} {
		if got := text.Quote(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestASentenceEndsWithOneMark(t *testing.T) {
	for in, want := range map[string]string{"it failed": "it failed.", "it failed. ": "it failed.", "is it on?": "is it on?", "stop!": "stop!"} {
		if got := text.Sentence(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestAReasonNamesWhatItIsAboutOnce(t *testing.T) {
	for reason, want := range map[string]string{"Twitch closed the connection": "Twitch closed the connection.", "no route": "Twitch: no route."} {
		if got := text.About("Twitch", reason); got != want {
			t.Errorf("%q: %q, want %q", reason, got, want)
		}
	}
}
