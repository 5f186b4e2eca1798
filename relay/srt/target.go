package srt

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"obvan/relay"
)

// Bounds of what the handshake can carry.
const (
	maxStreamID   = 512 // bytes
	minPassphrase = 10
	maxPassphrase = 80
	maxLatency    = 30 * time.Second
)

// target is what to call, and with which parameters.
type target struct {
	addr       string
	streamID   string
	passphrase string
	keyLength  int // bytes of the AES key
	latency    time.Duration
	latencySet bool // by the address
}

// adaptLatency adapts the latency to the path's round trip.
func (t *target) adaptLatency(rtt time.Duration) {
	if !t.latencySet {
		t.latency = max(t.latency, min(latencyRTTs*rtt, maxAutoLatency))
	}
}

// CheckAddress is relay.Output's.
func CheckAddress(u *url.URL) error {
	_, err := parse(u, 0)
	return err
}

// parse splits an address. Its errors are without secrets.
func parse(u *url.URL, latency time.Duration) (target, error) {
	t := target{addr: u.Host, keyLength: 16, latency: latency}
	if u.User != nil {
		return t, invalidAddress("SRT URLs can't contain a user name: remove the part before the @")
	}
	if u.Port() == "" {
		return t, invalidAddress("it needs a port: srt://host:port")
	}
	t.addr = net.JoinHostPort(u.Hostname(), u.Port())
	named, err := t.query(u.RawQuery)
	if err != nil {
		return t, err
	}
	key := u.Fragment
	switch {
	case key == "":
	case named && t.streamID == "" && strings.HasPrefix(key, "!::"):
		t.streamID = "#" + key // streamid=#!::r=... was pasted in ffmpeg's form
	case t.streamID == "":
		t.streamID = key
	case t.passphrase == "":
		t.passphrase = key
	default:
		return t, invalidAddress("it has both a stream ID and a passphrase: there is no place for the key; leave the key empty, or remove one of them")
	}
	switch n := len(t.passphrase); {
	case len(t.streamID) > maxStreamID:
		return t, invalidAddress("the stream ID is longer than 512 characters: was something else pasted as the key?")
	case n > 0 && (n < minPassphrase || n >= maxPassphrase):
		return t, invalidAddress("an SRT passphrase has 10 to 79 characters")
	}
	return t, nil
}

// query reads the address' parameters; named reports that it has a stream ID, if an empty
// one. Parameters of other programs are ignored.
func (t *target) query(raw string) (named bool, err error) {
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		// Not QueryUnescape: a '+' is a character of stream ids and passphrases.
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		switch strings.ToLower(name) {
		case "streamid":
			t.streamID, named = value, true
		case "passphrase":
			t.passphrase = value
		case "pbkeylen":
			if t.keyLength, err = strconv.Atoi(value); err != nil || t.keyLength != 16 && t.keyLength != 24 && t.keyLength != 32 {
				return named, invalidAddress("pbkeylen must be 16, 24 or 32")
			}
		case "latency":
			ms, err := strconv.ParseUint(value, 10, 32)
			t.latencySet = true
			if t.latency = time.Duration(ms) * time.Millisecond; err != nil || t.latency > maxLatency {
				return named, invalidAddress("latency must be a number of milliseconds, at most 30000")
			}
		case "mode":
			if value != "" && value != "caller" {
				return named, invalidAddress("only mode=caller is supported: set the receiver to listener")
			}
		}
	}
	return named, nil
}

func invalidAddress(why string) error { return relay.NewRemoteError(relay.ErrInvalidAddress, why) }
