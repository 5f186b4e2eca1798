package relay

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"obvan/internal/redact"
)

// ErrAddress is an address that can't be a destination's. What is returned says why, in
// words for the operator who typed it.
var ErrAddress = errors.New("the address makes no sense")

// misfit is an ErrAddress in words of its own.
type addressError string

func (m addressError) Error() string        { return string(m) }
func (m addressError) Is(target error) bool { return target == ErrAddress }

// keySlots are the places where platforms' help pages write "your key here"; an
// operator who pastes one means that the key goes there.
var keyPlaceholders = [...]string{"{stream_key}", "{streamkey}", "{key}", "<stream_key>", "<streamkey>", "<key>", "[key]", "YOUR_STREAM_KEY", "STREAM_KEY"}

// address makes what a Push is handed: raw without the key (of WHIP, with it where raw has
// a place for it), the key as Fragment.
// The key is kept as it was typed, whatever characters it has: platforms compare
// it byte by byte and hand out keys with '?', '=' and '&' in them. Its errors are
// clauses on what is wrong.
func (p Protocols) address(raw, key string) (*url.URL, error) {
	raw = strings.TrimSpace(raw)
	key = strings.TrimSpace(key) // what a clipboard brings along
	if raw == "" {
		return nil, addressError("it is empty")
	}
	scheme, _, ok := strings.Cut(raw, "://")
	if !ok {
		return nil, addressError("it must start with " + p.schemes())
	}
	if _, ok := p[strings.ToLower(scheme)]; !ok {
		return nil, addressError(fmt.Sprintf("the program can't be sent to %s://; it must start with %s", CleanText(scheme), p.schemes()))
	}
	u, err := url.Parse(withKeyInPlace(raw, key, IsWHIP(scheme)))
	if err != nil { // its text repeats the address, and that may hold a password
		return nil, addressError(fmt.Sprintf("it must look like %s://server/path", strings.ToLower(scheme)))
	}
	if u.Hostname() == "" {
		return nil, addressError("the server's name is missing")
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || n == 0) {
		return nil, addressError("its port is not a number from 1 to 65535")
	}
	if key != "" {
		u.Fragment, u.RawFragment = key, ""
	}
	return u, nil
}

// usable is address, of what its output can use.
func (p Protocols) usableAddress(raw, key string) (*url.URL, error) {
	u, err := p.address(raw, key)
	if err != nil || p[u.Scheme].CheckAddress == nil {
		return u, err
	}
	var remote *RemoteError
	if err := p[u.Scheme].CheckAddress(u); errors.As(err, &remote) {
		return nil, addressError(redact.Text(remote.Text, Secrets(u)...))
	}
	return u, nil
}

// check says whether d's addresses can be used.
func (p Protocols) checkAddresses(d *Destination, key string) error {
	first, err := p.usableAddress(d.URL, key)
	if err != nil {
		return fmt.Errorf("this address makes no sense: %w", err)
	}
	if d.BackupURL == "" {
		if d.SendToBoth {
			return addressError("to send to both servers at once, give the backup's address too")
		}
		return nil
	}
	second, err := p.usableAddress(d.BackupURL, key)
	if err != nil {
		return fmt.Errorf("the backup address makes no sense: %w", err)
	}
	// A platform takes one session for a key at an address: twins would push each other
	// out for ever.
	if d.SendToBoth && first.String() == second.String() {
		return addressError("to send to both servers at once, the two addresses must differ")
	}
	return nil
}

// placed takes the key, or the slot for it, off the end of an address. Of WHIP that end
// is where the key has its place.
func withKeyInPlace(raw, key string, inPath bool) string {
	if key == "" {
		return raw
	}
	for _, end := range append([]string{key}, keyPlaceholders[:]...) {
		short, ok := strings.CutSuffix(raw, "/"+end)
		switch {
		case !ok:
		case !inPath:
			return short
		case end != key:
			return short + "/" + url.PathEscape(key)
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
