// Package ingest is how feeds arrive: what every way in has in common. The ways
// themselves are its folders, one a protocol.
//
// A peer is hostile until proven: a protocol bounds every length before it takes
// memory, times out handshakes and idle peers, and a broken peer costs its own
// connection only.
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

// Errors a protocol turns into its own refusal.
var (
	ErrUnauthorised = errors.New("the stream key is wrong or missing")
	ErrBadName      = errors.New("a feed name is 1 to 64 letters, digits, '.', '_' or '-', and starts with a letter or digit")
	ErrReserved     = errors.New("this name is reserved for the studio")
)

// PeerTimeout is how long a publisher may stay silent before it is taken for dead
// and its name is free again.
const PeerTimeout = 8 * time.Second

// Mixer is the stream the vision mixer publishes its output to (OBS does so); no
// feed may have its name. rtmp://HOST/mixer/<key> leads here.
const Mixer = "mixer"

// Request is somebody who wants to publish.
type Request struct {
	Stream                string // the stream's name in the hub: a feed's id, or Mixer
	Key                   string // what the peer showed; "" for nothing
	Proto                 string // "rtmp", "rtsp", "whip"
	Remote                string // the peer's address, host:port
	UnsupportedAudioCodec string // how its sound is coded when that can't be carried, as "G711"; "" for none

	// Proves says whether the peer proved that it knows a key without showing it, as
	// with Digest (RFC 7616); nil where it did not try.
	Proves func(key string) bool
}

// Authorise answers for every protocol: nil, or ErrUnauthorised. It also sees
// names that were never added as feeds.
type Authorise func(Request) error

// Env is what every way in is handed.
type Env struct {
	Hub       *hub.Hub
	Authorise Authorise
	TLS       *tls.Config // nil when the server has no certificate
	Log       *slog.Logger
}

// Protocol is one way for a feed to arrive; a nil field is a direction it does
// not have.
type Protocol struct {
	// Listen binds u (scheme://host:port) for devices that push to us.
	Listen func(u *url.URL, env Env) (Server, error)
	// Pull dials the device and writes to feed until ctx is done (nil) or the
	// device fails. One call is one attempt: the caller retries. live is called
	// once the first unit arrived.
	Pull func(ctx context.Context, u *url.URL, env Env, feed string, live func()) error
}

// Server is a bound listener. Run serves until ctx is done and everything it
// started has ended; Addr is where it listens ("127.0.0.1:1935").
type Server interface {
	Run(ctx context.Context) error
	Addr() string
}

// Protocols is a table of ways in by URL scheme.
type Protocols map[string]Protocol

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// CheckName says whether a feed may be called name.
func CheckName(name string) error {
	switch {
	case !namePattern.MatchString(name):
		return ErrBadName
	case name == hub.Program || name == Mixer:
		return ErrReserved
	}
	return nil
}

// Publish asks the authoriser and claims the stream. Its errors wrap ErrBadName,
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

// Feed is a publisher that mends its stream's clock. Like the publisher it is for
// one goroutine.
type Feed struct {
	*hub.Publisher
	Lost  atomic.Uint64 // packets that never came, for protocols that can tell
	clock clock.Corrector
}

// repairs is what was mended, and what could not be.
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

// Aligned is told that the protocol has put sound and picture together.
func (f *Feed) Aligned() { f.clock.Aligned() }

// Write mends the unit's times and passes it on.
func (f *Feed) Write(au media.AccessUnit) {
	if len(au.Data) == 0 {
		return // a picture or sound of nothing: some cameras send them
	}
	f.clock.Fix(&au)
	f.Publisher.Write(au)
}
