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

// Time limits of a connection.
const (
	handshakeTimeout = 5 * time.Second
	loginTimeout     = 10 * time.Second // from the handshake to publish or play
	writeTimeout     = 10 * time.Second
	lingerTime       = time.Second // for the last message to reach the client before the connection is closed
)

// Limits of one server.
const (
	maxConns   = 1024
	maxPerHost = 256
	maxStreams = 8 // createStream calls of one connection
	playBuffer = 512 << 10
)

// Request is what a client requests. App and name are joined and split again, because
// clients disagree on where one ends: "live/cam1" may be all app, or app and name.
type Request struct {
	App    string     // the first part of the path
	Name   string     // the rest of it
	Query  url.Values // of app and name together
	Remote string     // host:port
}

// Handlers are what a server lets clients do; nil refuses it. Their errors should be a
// Refusal, with a message that helps the person who reads it on the device.
type Handlers struct {
	Publish func(Request) (Sink, error)
	Play    func(Request) (Player, error)
}

// Refusal is an error with the status code and the message that the client gets.
type Refusal struct {
	Code    string // NetStream.Publish.BadName, ...
	Message string
}

// Error returns the message.
func (r Refusal) Error() string { return r.Message }

// Sink receives what a publisher sends. Its methods are called from one goroutine; Close
// comes last, as soon as the publisher has stopped or disconnected.
type Sink interface {
	Message(m *rtmp.Message) // audio, video or data; the sink owns the payload
	Close()
}

// Player sends to a client until the stream ends, ctx is done or out fails. After it
// returns, the client is notified that the stream has ended, and is disconnected.
type Player func(ctx context.Context, out *Out) error

// Options are the rest of what a server needs.
type Options struct {
	TLS         *tls.Config   // nil for plain RTMP
	PeerTimeout time.Duration // how long a publisher may send no media
	Log         *slog.Logger
}

// request joins the app of connect and the name of publish or play.
func request(app, name, remote string) Request {
	app, appQuery, _ := strings.Cut(app, "?")
	name, nameQuery, _ := strings.Cut(name, "?")
	path := strings.Trim(strings.Trim(app, "/")+"/"+strings.Trim(name, "/"), "/")
	r := Request{Remote: remote}
	r.App, r.Name, _ = strings.Cut(path, "/")
	// ParseQuery returns the valid parts of a query also when others are invalid.
	r.Query, _ = url.ParseQuery(nameQuery)
	more, _ := url.ParseQuery(appQuery)
	for k, v := range more {
		r.Query[k] = append(r.Query[k], v...)
	}
	return r
}
