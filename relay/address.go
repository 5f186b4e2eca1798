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

// ErrAddress is an address that can't be a destination's. The error that is returned says
// why, as a sentence for the operator who typed it.
var ErrAddress = errors.New("invalid address")

// addressError is an ErrAddress with a text of its own.
type addressError string

func (m addressError) Error() string        { return string(m) }
func (m addressError) Is(target error) bool { return target == ErrAddress }

// keyPlaceholders are what platforms' help pages write where the key goes; an operator who
// pastes one means that the key goes there.
var keyPlaceholders = [...]string{"{stream_key}", "{streamkey}", "{key}", "<stream_key>", "<streamkey>", "<key>", "[key]", "YOUR_STREAM_KEY", "STREAM_KEY"}

// address makes the URL that a Push gets: raw without the key (for WHIP, with it where raw
// has a place for it), and the key as Fragment. The key stays as it was typed, whatever
// characters it has: platforms compare it byte by byte and hand out keys with '?', '=' and
// '&' in them. Its errors are clauses on what is wrong.
func (p Protocols) address(raw, key string) (*url.URL, error) {
	raw = strings.TrimSpace(raw)
	key = strings.TrimSpace(key) // a clipboard may add spaces
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
	if err != nil { // the error's text repeats the address, which may hold a password
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

// usableAddress is address, checked by its output too.
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

// checkAddresses reports what is wrong with d's addresses.
func (p Protocols) checkAddresses(d *Destination, key string) error {
	first, err := p.usableAddress(d.URL, key)
	if err != nil {
		return fmt.Errorf("invalid address: %w", err)
	}
	if d.BackupURL == "" {
		if d.SendToBoth {
			return addressError("to send to primary and backup at the same time, enter the backup URL too")
		}
		return nil
	}
	second, err := p.usableAddress(d.BackupURL, key)
	if err != nil {
		return fmt.Errorf("invalid backup address: %w", err)
	}
	// A platform takes one session per key and address: two connections to the same one
	// would keep replacing each other.
	if d.SendToBoth && first.String() == second.String() {
		return addressError("to send to primary and backup at the same time, the two URLs must differ")
	}
	return nil
}

// withKeyInPlace removes the key, or a placeholder for it, from the end of an address. For
// WHIP the key belongs there: a placeholder is replaced by it.
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
