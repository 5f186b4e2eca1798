// Package edge is the server's side of RTMP connections, for ingest and play-out
// alike: it accepts them, bounds them, and finds out who wants to publish or play
// what.
//
// go-rtmp does the handshake and the command talk, but it never sees a byte that
// a stranger wrote: it is handed the edge as its connection, and the edge reads the
// chunks itself, keeps the media, decodes commands within limits, and passes on
// the few that matter in a form of its own. The same way back, so that each
// direction of a connection has one writer of chunk headers.
package edge

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"obvan/media/rtmp"
)

// How long a peer may take.
const (
	handshakeTime = 5 * time.Second
	loginTime     = 10 * time.Second // from the handshake to publish or play
	writeTime     = 10 * time.Second
	lingerTime    = time.Second // for the last words to reach the peer before the connection ends
)

// Limits of one server.
const (
	maxConns   = 1024
	maxPerHost = 256
	maxStreams = 8 // createStream calls of one connection
	playBuffer = 512 << 10
)

// Request is what a client asks for. App and name are joined, because clients
// disagree on where one ends: "live/cam1" may be all app, or app and name.
type Request struct {
	App    string     // the first part of the path
	Name   string     // the rest of it
	Query  url.Values // of app and name together
	Remote string     // host:port
}

// Doors are what a server lets clients do. Errors should be a Refusal, in words
// that help who reads them on the device.
type Handlers struct {
	Publish func(Request) (Sink, error)
	Play    func(Request) (Player, error)
}

// Refusal is a no with its code and words.
type Refusal struct {
	Code    string // NetStream.Publish.BadName, ...
	Message string
}

// Error is the refusal's words.
func (r Refusal) Error() string { return r.Message }

// Sink takes what a publisher sends. Its methods are called by one goroutine;
// Close comes last, and as soon as the publisher is gone.
type Sink interface {
	Message(m *rtmp.Message) // audio, video or data; the payload is its own to keep
	Close()
}

// Player sends to a client until the stream ends, ctx is done or out fails. The
// client is told that the stream ended, and the connection with it.
type Player func(ctx context.Context, out *Out) error

// Options are the rest of what a server needs.
type Options struct {
	TLS         *tls.Config   // nil for plain RTMP
	PeerTimeout time.Duration // how long a publisher may stay silent
	Log         *slog.Logger
}

// request joins what connect and publish or play said.
func request(app, name, remote string) Request {
	app, appQuery, _ := strings.Cut(app, "?")
	name, nameQuery, _ := strings.Cut(name, "?")
	path := strings.Trim(strings.Trim(app, "/")+"/"+strings.Trim(name, "/"), "/")
	r := Request{Remote: remote}
	r.App, r.Name, _ = strings.Cut(path, "/")
	// A query that does not parse in full has its good parts.
	r.Query, _ = url.ParseQuery(nameQuery)
	more, _ := url.ParseQuery(appQuery)
	for k, v := range more {
		r.Query[k] = append(r.Query[k], v...)
	}
	return r
}
