// Package redact takes secrets out of texts: the only place in this repository that does.
package redact

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Hidden stands where a secret was.
const Hidden = "***"

// ShortestValue is how long a query's value must be to be taken for a secret: "backup=1"
// is none, and striking each 1 would make nonsense of a sentence.
const ShortestValue = 4

// Text is text without the secrets. Besides each secret it looks for the spellings a
// server or a library may echo: the part before the query, the query's values, the
// URL-escaped forms.
func Text(text string, secrets ...string) string {
	var all []string
	for _, s := range secrets {
		all = append(all, spellings(s)...)
	}
	// The longest first, so that a secret inside another leaves no rest behind.
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	for _, s := range all {
		text = strike(text, s)
	}
	return text
}

// spellings is the ways in which a secret may be repeated.
func spellings(secret string) []string {
	if secret == "" {
		return nil
	}
	all := []string{secret}
	if name, query, ok := strings.Cut(secret, "?"); ok {
		all = append(all, name)
		for pair := range strings.SplitSeq(query, "&") {
			if _, value, ok := strings.Cut(pair, "="); ok && len(value) >= ShortestValue {
				all = append(all, value)
			}
		}
	}
	for _, s := range slices.Clone(all) {
		all = append(all, url.QueryEscape(s), url.PathEscape(s))
		if plain, err := url.PathUnescape(s); err == nil {
			all = append(all, plain)
		}
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// strike replaces s in text, whatever its case. A very short secret is only struck
// where it stands alone: else a key "a" would make every sentence unreadable.
func strike(text, s string) string {
	low, want := strings.ToLower(text), strings.ToLower(s)
	if len(low) != len(text) { // case folding moved the bytes: compare as it stands
		low, want = text, s
	}
	var out strings.Builder
	for {
		i := strings.Index(low, want)
		if i < 0 {
			break
		}
		end := i + len(want)
		if len(want) < 4 && !alone(low, i, end) {
			out.WriteString(text[:end])
		} else {
			out.WriteString(text[:i] + Hidden)
		}
		text, low = text[end:], low[end:]
	}
	return out.String() + text
}

func alone(text string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:from])
	after, _ := utf8.DecodeRuneInString(text[to:])
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	return !word(before) && !word(after)
}
