package relay

import (
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// hidden stands where a secret was.
const hidden = "***"

// maxWords bounds what a far end may say into our state.
const maxWords = 200

// leastValue is how long a query's value must be to be taken for a secret: "backup=1"
// is none, and striking each 1 would make nonsense of a sentence.
const leastValue = 4

// Redact is the one place where secrets leave a text. Besides each secret it looks
// for the spellings a server or a library may echo: the part before the query, the
// query's values, the URL-escaped forms.
func Redact(text string, secrets ...string) string {
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

// Redacted is err without secrets, for errors whose text a far end had a part in. What
// the supervisor judges by stays.
func Redacted(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	clean := Redact(err.Error(), secrets...)
	if clean == err.Error() {
		return err
	}
	if said := (*RemoteError)(nil); errors.As(err, &said) {
		return NewRemoteError(said.Class, Redact(said.Text, secrets...))
	}
	for _, class := range []error{ErrInvalidAddress, ErrRefused, ErrUnsupported, ErrStalled, io.EOF} {
		if errors.Is(err, class) {
			return NewRemoteError(class, clean)
		}
	}
	return errors.New(clean)
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
			if _, value, ok := strings.Cut(pair, "="); ok && len(value) >= leastValue {
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
			out.WriteString(text[:i] + hidden)
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

// leastElement is how long an element of a WHIP address' path must be to be taken for a
// key: shorter ones are words like "whip" and "publish", which sentences need.
const leastElement = 8

// OverHTTP reports whether a scheme is of WHIP. Some platforms have the key in the path of
// its addresses, at the end or in the middle, and nothing tells it from the rest.
func OverHTTP(scheme string) bool {
	switch strings.ToLower(scheme) {
	case "whip", "whips", "http", "https":
		return true
	}
	return false
}

// InPath is what may be a key in the path of a WHIP address.
func InPath(u *url.URL) (secrets []string) {
	if !OverHTTP(u.Scheme) {
		return nil
	}
	for element := range strings.SplitSeq(u.EscapedPath(), "/") {
		if len(element) >= leastElement {
			secrets = append(secrets, element)
		}
	}
	return secrets
}

// Secrets is what must not be repeated of a destination's address: the key, the
// password, the query's values, what may be a key in the path, and the path's last element
// when no key is apart.
func Secrets(u *url.URL) []string {
	if u == nil {
		return nil
	}
	secrets := append(InPath(u), u.Fragment)
	if password, ok := u.User.Password(); ok {
		secrets = append(secrets, password)
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		_, value, ok := strings.Cut(pair, "=")
		if !ok {
			value = pair
		}
		if len(value) >= leastValue {
			secrets = append(secrets, value)
		}
	}
	if elements := strings.Split(strings.Trim(u.Path, "/"), "/"); u.Fragment == "" && len(elements) > 1 {
		secrets = append(secrets, elements[len(elements)-1])
	}
	return secrets
}

// RedactURL is a destination's address fit for state and logs: without password,
// query values and fragment, and of WHIP without path. An address that is none is hidden
// altogether.
func RedactURL(raw string) string {
	if raw == "" {
		return ""
	}
	raw, _, _ = strings.Cut(raw, "#")
	raw, query, asked := strings.Cut(raw, "?")
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return hidden
	}
	authority, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		user, _, protected := strings.Cut(authority[:i], ":")
		if protected {
			user += ":" + hidden
		}
		authority = user + authority[i:]
	}
	if path != "" && OverHTTP(scheme) {
		path = hidden
	}
	shown := scheme + "://" + authority
	if path != "" || strings.HasSuffix(rest, "/") {
		shown += "/" + path
	}
	if asked {
		shown += "?" + redactQuery(query)
	}
	return shown
}

func redactQuery(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, _, valued := strings.Cut(pair, "=")
		if valued {
			pairs[i] = name + "=" + hidden
		} else {
			pairs[i] = hidden
		}
	}
	return strings.Join(pairs, "&")
}

// Words makes a far end's text fit to be shown: one line of printable characters,
// at most 200 of them.
func Words(text string) string {
	if len(text) > 4*maxWords { // no need to look further than 200 characters can reach
		text = text[:4*maxWords]
	}
	text = strings.ToValidUTF8(text, "")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxWords {
		text = string(runes[:maxWords-1]) + "…"
	}
	return text
}
