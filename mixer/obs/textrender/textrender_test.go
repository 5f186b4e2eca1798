package textrender_test

import (
	"slices"
	"testing"
	"unicode/utf8"

	"obvan/mixer/obs/textrender"
)

func TestTextIsInTheOrderInWhichItIsRendered(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "",
		"Grace Hopper (1906)": "Grace Hopper (1906)",
		"שלום":                "םולש",
		"שלום עולם":           "םלוע םולש",
		"שלום 2026":           "2026 םולש",
		"Dr. שלום, MD":        "Dr. םולש, MD",
		"שלום (BBC) עולם":     "םלוע (BBC) םולש",
		"עמוד 1.5":            "1.5 דומע",
		"بيت":                 "\uFE96\uFEF4\uFE91", // initial, medial, final, from the right
		"دار":                 "\uFEAD\uFE8D\uFEA9", // letters that join to nothing after them
		"سلام":                "\uFEE1\uFEFC\uFEB3", // lam and alef are one
		"ماء":                 "\uFE80\uFE8E\uFEE3", // hamza joins to nothing
		"پرچم":                "\uFEE2\uFB7C\uFEAE\uFB58",
	} {
		if got := textrender.Line(text); got != want {
			t.Errorf("%q is rendered as %+q, not %+q", text, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, seed := range []string{"שלום (BBC) 1.5", "لا إله", "a\u0301ב\u05B0", "\u202e(", "ـلـ", "1.٢"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		drawn := []rune(textrender.Line(text))
		if len(drawn) > len([]rune(text)) {
			t.Fatalf("%q grew to %q", text, string(drawn))
		}
		if slices.Contains(drawn, utf8.RuneError) && !slices.Contains([]rune(text), utf8.RuneError) {
			t.Fatalf("%q was broken: %q", text, string(drawn))
		}
	})
}
