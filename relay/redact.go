package relay

import (
	"errors"
	"io"
	"net/url"
	"strings"
	"unicode"

	"obvan/internal/redact"
)

// hidden stands where a secret was.
const hidden = redact.Hidden

// maxTextLength bounds a remote server's text in our state.
const maxTextLength = 200

// Redacted is err without secrets, for errors whose text comes from a remote server. What
// the supervisor classifies it by stays.
func Redacted(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	clean := redact.Text(err.Error(), secrets...)
	if clean == err.Error() {
		return err
	}
	if remote := (*RemoteError)(nil); errors.As(err, &remote) {
		return NewRemoteError(remote.Class, redact.Text(remote.Text, secrets...))
	}
	for _, class := range []error{ErrInvalidAddress, ErrRefused, ErrUnsupported, ErrStalled, io.EOF} {
		if errors.Is(err, class) {
			return NewRemoteError(class, clean)
		}
	}
	return errors.New(clean)
}

// minKeyElement is how long an element of a WHIP address' path must be to be considered a
// key: shorter ones are words like "whip" and "publish", which sentences need.
const minKeyElement = 8

// IsWHIP reports whether a scheme is WHIP's. Some platforms have the key in the path of
// such addresses, at the end or in the middle, and nothing distinguishes it from the rest.
func IsWHIP(scheme string) bool {
	switch strings.ToLower(scheme) {
	case "whip", "whips", "http", "https":
		return true
	}
	return false
}

// PathSecrets is what may be a key in the path of a WHIP address.
func PathSecrets(u *url.URL) (secrets []string) {
	if !IsWHIP(u.Scheme) {
		return nil
	}
	for element := range strings.SplitSeq(u.EscapedPath(), "/") {
		if len(element) >= minKeyElement {
			secrets = append(secrets, element)
		}
	}
	return secrets
}

// Secrets is what must not be repeated from a destination's address: the key, the
// password, the query's values, what may be a key in the path, and the path's last element
// when there is no separate key.
func Secrets(u *url.URL) []string {
	if u == nil {
		return nil
	}
	secrets := append(PathSecrets(u), u.Fragment)
	if password, ok := u.User.Password(); ok {
		secrets = append(secrets, password)
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		_, value, ok := strings.Cut(pair, "=")
		if !ok {
			value = pair
		}
		if len(value) >= redact.ShortestValue {
			secrets = append(secrets, value)
		}
	}
	if elements := strings.Split(strings.Trim(u.Path, "/"), "/"); u.Fragment == "" && len(elements) > 1 {
		secrets = append(secrets, elements[len(elements)-1])
	}
	return secrets
}

// RedactURL is a destination's address fit for state and logs: without password, query
// values and fragment, and for WHIP without path. Text that is not an address is hidden
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
	if path != "" && IsWHIP(scheme) {
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

// CleanText makes a remote server's text fit to be shown: one line of printable
// characters, at most 200 of them.
func CleanText(text string) string {
	if len(text) > 4*maxTextLength { // 200 characters take no more bytes than this
		text = text[:4*maxTextLength]
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
	if runes := []rune(text); len(runes) > maxTextLength {
		text = string(runes[:maxTextLength-1]) + "…"
	}
	return text
}
