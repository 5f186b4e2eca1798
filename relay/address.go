package relay

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// ErrAddress is an address that can't be a destination's; the text says why.
var ErrAddress = errors.New("the address can't be used")

// keySlots are the places where platforms' help pages write "your key here"; an
// operator who pastes one means that the key goes there.
var keySlots = [...]string{"{stream_key}", "{streamkey}", "{key}", "<stream_key>", "<streamkey>", "<key>", "[key]", "YOUR_STREAM_KEY", "STREAM_KEY"}

// address makes what a Push is handed: raw without the key, the key as Fragment.
// The key is kept as it was typed, whatever characters it has: platforms compare
// it byte by byte and hand out keys with '?', '=' and '&' in them.
func (p Protocols) address(raw, key string) (*url.URL, error) {
	raw = strings.TrimSpace(raw)
	key = strings.TrimSpace(key) // what a clipboard brings along
	if raw == "" {
		return nil, fmt.Errorf("%w: it is empty", ErrAddress)
	}
	scheme, _, ok := strings.Cut(raw, "://")
	if !ok {
		return nil, fmt.Errorf("%w: it does not start with %s", ErrAddress, p.schemes())
	}
	if p[strings.ToLower(scheme)] == nil {
		return nil, fmt.Errorf("%w: %q addresses are not supported, only %s", ErrUnsupported, Words(scheme), p.schemes())
	}
	u, err := url.Parse(freeOfKey(raw, key))
	if err != nil { // its text repeats the address, and that may hold a password
		return nil, fmt.Errorf("%w: it is not written like %s://host/path", ErrAddress, strings.ToLower(scheme))
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("%w: the host is missing", ErrAddress)
	}
	if key != "" {
		u.Fragment, u.RawFragment = key, ""
	}
	return u, nil
}

// freeOfKey takes the key, or the slot for it, off the end of an address.
func freeOfKey(raw, key string) string {
	if key == "" {
		return raw
	}
	for _, end := range append([]string{key}, keySlots[:]...) {
		if short, ok := strings.CutSuffix(raw, "/"+end); ok {
			return short
		}
	}
	return raw
}

func (p Protocols) schemes() string {
	var all []string
	for scheme := range p {
		all = append(all, scheme+"://")
	}
	slices.Sort(all)
	return strings.Join(all, " or ")
}
