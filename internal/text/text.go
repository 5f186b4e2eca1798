// Package text has the few things that every room does to a sentence it shows.
package text

import (
	"strconv"
	"strings"
)

// longestQuote is how much of a peer's text fits in one of our sentences.
const longestQuote = 60

// Quote is a peer's text in one of our sentences: short, quoted, and on one line.
func Quote(s string) string {
	if len(s) > longestQuote {
		s = s[:longestQuote] + "..."
	}
	return strconv.Quote(s)
}

// Sentence ends a text with one full stop, unless it ends with a question mark or an
// exclamation mark.
func Sentence(s string) string {
	s = strings.TrimRight(s, ". ")
	if strings.HasSuffix(s, "?") || strings.HasSuffix(s, "!") {
		return s
	}
	return s + "."
}

// About is a reason as a sentence that begins with the name of what it is about. Many
// reasons do already.
func About(name, reason string) string {
	if strings.HasPrefix(reason, name) {
		return Sentence(reason)
	}
	return name + ": " + Sentence(reason)
}
