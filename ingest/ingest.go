// Package ingest is how feeds arrive: what all ingest protocols have in common. The
// protocols are its folders, one each.
//
// A client is hostile until proven otherwise: a protocol checks every length before it
// allocates memory, times out handshakes and idle clients, and a misbehaving client
// costs only its own connection.
package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"sync/atomic"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/media/clock"
)

// Errors that a protocol turns into its own refusal.
var (
	ErrUnauthorised = errors.New("the stream key is wrong or missing")
	ErrBadName      = errors.New("a feed name is 1 to 64 letters, digits, '.', '_' or '-', and starts with a letter or digit")
	ErrReserved     = errors.New("this name is reserved for the studio")
)

// PeerTimeout is how long a publisher may send nothing before it is disconnected and
// its name is free again.
const PeerTimeout = 8 * time.Second

// Mixer is the stream that the vision mixer publishes its output to (OBS does); no
// feed may have its name. rtmp://HOST/mixer/<key> publishes to it.
const Mixer = "mixer"

// Request is a request to publish.
type Request struct {
	Stream                string // the stream's name in the hub: a feed's id, or Mixer
	Key                   string // the stream key or token that was sent; "" for none
	Proto                 string // "rtmp", "rtsp", "whip"
	Remote                string // the client's address, host:port
	UnsupportedAudioCodec string // the feed's audio codec when it is not supported, as "G711"; "" otherwise

	// Proves reports whether the client proved that it knows a key without sending it, as
	// with Digest (RFC 7616); nil when it did not try.
	Proves func(key string) bool
}

// Authorise decides for every protocol: nil, or ErrUnauthorised. It is also asked about
// names that were never added as feeds.
type Authorise func(Request) error

// Env is what every protocol is given.
type Env struct {
	Hub       *hub.Hub
	Authorise Authorise
	TLS       *tls.Config // nil when the server has no certificate
	Log       *slog.Logger
}

// Protocol is an ingest protocol; a nil field is a direction it does not support.
type Protocol struct {
	// Listen binds u (scheme://host:port) for devices that push to us.
	Listen func(u *url.URL, env Env) (Server, error)
	// Pull connects to the device and writes to feed until ctx is done (nil) or the
	// device fails. One call is one attempt: the caller retries. live is called when the
	// first unit has arrived.
	Pull func(ctx context.Context, u *url.URL, env Env, feed string, live func()) error
}

// Server is a bound listener. Run serves until ctx is done and everything it
// started has ended; Addr is where it listens ("127.0.0.1:1935").
type Server interface {
	Run(ctx context.Context) error
	Addr() string
}

// Protocols is the ingest protocols by URL scheme.
type Protocols map[string]Protocol

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// CheckName checks that a feed may have this name.
func CheckName(name string) error {
	switch {
	case !namePattern.MatchString(name):
		return ErrBadName
	case name == hub.Program || name == Mixer:
		return ErrReserved
	}
	return nil
}

// Publish asks the authoriser and claims the stream's name. Its errors wrap ErrBadName,
// ErrReserved, ErrUnauthorised and hub.ErrPublishing.
func (e Env) Publish(r Request) (*Feed, error) {
	if err := CheckName(r.Stream); err != nil && r.Stream != Mixer {
		return nil, fmt.Errorf("publish: %w", err)
	}
	if err := e.Authorise(r); err != nil {
		return nil, fmt.Errorf("publish %s: %w", r.Stream, err)
	}
	f := &Feed{}
	p, err := e.Hub.Publish(r.Stream, hub.Origin{Proto: r.Proto, Remote: r.Remote, UnsupportedAudioCodec: r.UnsupportedAudioCodec, Corrections: f.corrections})
	if err != nil {
		return nil, fmt.Errorf("publish %s: %w", r.Stream, err)
	}
	f.Publisher = p
	return f, nil
}

// Feed is a publisher that corrects its stream's timestamps. Like the publisher it is
// for one goroutine.
type Feed struct {
	*hub.Publisher
	Lost  atomic.Uint64 // packets that never arrived, for protocols that can tell
	clock clock.Corrector
}

// corrections counts what was corrected, and packets that were lost, by kind.
func (f *Feed) corrections() map[string]uint64 {
	counts := f.clock.Counts.Map()
	if lost := f.Lost.Load(); lost > 0 {
		counts["lost"] = lost
	}
	return counts
}

// SetTracks starts a new generation of tracks.
func (f *Feed) SetTracks(tracks media.Tracks) {
	f.clock.Reset(tracks)
	f.Publisher.SetTracks(tracks)
}

// Aligned notes that the protocol has synchronised audio and video.
func (f *Feed) Aligned() { f.clock.Aligned() }

// Write corrects the unit's timestamps and publishes it.
func (f *Feed) Write(au media.AccessUnit) {
	if len(au.Data) == 0 {
		return // some cameras send empty frames
	}
	f.clock.Fix(&au)
	f.Publisher.Write(au)
}
