// Package rtsp sends the program to RTSP servers: ANNOUNCE and RECORD (RFC 2326), RTP
// interleaved on the one TCP connection.
//
// The stream key of a destination is the end of its address: rtsp://host/live and the key
// "cam" are rtsp://host/live/cam. An address that ends in "=" is completed by the key as
// it is: rtsp://host/live/cam?key= is what another OB Van expects. A server's user name
// and password are part of the address.
//
// gortsplib does the handshake. The media is written by us, one access unit at a time and
// straight to the socket: its queue would hide a backlog, and drop packets when it is
// full.
package rtsp

import (
	"context"
	"crypto/tls"
	"errors"
	"net/url"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/media/rtp"
	"obvan/relay"
)

const (
	// DefaultBacklog is how far a destination may fall behind before frames are dropped up to
	// a keyframe.
	DefaultBacklog = 5 * time.Second

	// DefaultStall is how long a server may take nothing at most: the deadline of each write.
	// The supervisor, which knows the platform, gives up earlier.
	DefaultStall = time.Minute
)

// Output sends to RTSP servers. Change its fields before the first Push only.
type Output struct {
	Backlog time.Duration
	Stall   time.Duration

	tls *tls.Config
}

// New makes an output; config, which may be nil, is for rtsps: the server's name is added
// to it.
func New(config *tls.Config) *Output {
	return &Output{Backlog: DefaultBacklog, Stall: DefaultStall, tls: config}
}

// Push is relay.Push for rtsp:// and rtsps://.
func (o *Output) Push(ctx context.Context, u *url.URL, sub *hub.Subscriber, link *relay.Link) error {
	to, err := parse(u)
	if err != nil {
		return err
	}
	var start *media.AccessUnit
	for {
		if start == nil { // a description needs the tracks as they will be sent
			au, err := first(ctx, sub)
			if au == nil {
				return err
			}
			start = au
		}
		s, err := o.session(ctx, to, sub, link, start)
		if !errors.Is(err, errNewCodec) || ctx.Err() != nil {
			return relay.Redacted(err, to.secrets...)
		}
		start = s.pending
	}
}

// first is the unit to start with; nil when there will be none.
func first(ctx context.Context, sub *hub.Subscriber) (*media.AccessUnit, error) {
	for {
		au, err := sub.Next(ctx)
		if err != nil {
			return nil, nil // cancelled, or the program ended
		}
		if au.Key && (au.Video() || au.Tracks.Video() < 0) {
			return &au, nil
		}
	}
}

// session is one connection, which starts with the unit start.
func (o *Output) session(ctx context.Context, to target, sub *hub.Subscriber, link *relay.Link, start *media.AccessUnit) (*sender, error) {
	out, err := rtp.NewWriter(start.Tracks)
	if err != nil {
		return nil, relay.NewRemoteError(relay.ErrUnsupported, "RTSP can't carry the program's codecs; set its encoder to H.264 and AAC")
	}
	c, err := record(ctx, to, out.Description(), &serverConn{link: link, stall: o.Stall}, o.tls)
	if err != nil {
		if ctx.Err() != nil {
			err = nil
		}
		return nil, err
	}
	link.Accepted()
	s := newSender(c, out, sub, o, start)
	link.OnMeasure(s.measure)
	return s, s.run(ctx)
}

var _ relay.Push = (&Output{}).Push
