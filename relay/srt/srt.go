// Package srt sends the program to SRT listeners as an MPEG transport stream
// (draft-sharabayko-srt-01, live mode, caller).
//
// The address is srt://host:port?streamid=...&passphrase=...&latency=ms. The stream key of
// a destination is its stream ID, since that is what platforms hand out; when the address
// has a stream ID, the key is the passphrase.
//
// The protocol is implemented here, with gosrt's cryptography. UDP neither holds data back
// nor shows congestion, so what TCP does for other outputs is done here: packets are kept
// until they are acknowledged, repeated when they were lost, and nothing new is sent while
// the path is full. A backlog therefore is a cursor into the program that is behind, as in
// the other outputs, and frames are dropped by what refers to them, not at random.
package srt

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/media/mpegts"
	"obvan/relay"
)

const (
	// DefaultLatency is how long a receiver holds packets back at least so that lost ones can
	// be repeated, unless the address sets it. Platforms are seconds behind anyway. On a long
	// path it is latencyRTTs round trips, enough to recover up to 7 % packet loss
	// (doc.haivision.com/additional-resources/rtt-multiplier), up to maxAutoLatency.
	DefaultLatency = 500 * time.Millisecond
	latencyRTTs    = 5
	maxAutoLatency = 2 * time.Second

	// DefaultBacklog is how far a destination may fall behind before frames are dropped up to
	// a keyframe.
	DefaultBacklog = 5 * time.Second

	// DefaultStall is how long a server may acknowledge nothing at most. The supervisor,
	// which knows the platform, gives up earlier.
	DefaultStall = time.Minute
)

// Output sends to SRT listeners. Change its fields before the first Push only.
type Output struct {
	Latency time.Duration
	Backlog time.Duration
	Stall   time.Duration
}

// New makes an output.
func New() *Output {
	return &Output{Latency: DefaultLatency, Backlog: DefaultBacklog, Stall: DefaultStall}
}

// Push is relay.Push for srt://.
func (o *Output) Push(ctx context.Context, u *url.URL, sub *hub.Subscriber, link *relay.Link) error {
	to, err := parse(u, o.Latency)
	if err != nil {
		return err
	}
	if tracks := sub.Tracks(); tracks != nil {
		if err := canCarry(tracks); err != nil {
			return err
		}
	}
	var first *media.AccessUnit
	for {
		s, err := o.session(ctx, to, sub, link, first)
		if !errors.Is(err, errNewCodec) || ctx.Err() != nil {
			return err
		}
		first = s.pending
	}
}

// session is one connection.
func (o *Output) session(ctx context.Context, to target, sub *hub.Subscriber, link *relay.Link, first *media.AccessUnit) (*sender, error) {
	c, err := dial(ctx, to, link)
	if err != nil {
		if ctx.Err() != nil {
			err = nil
		}
		return nil, err
	}
	defer c.Close()
	link.Accepted()
	s := newSender(c, sub, o, first)
	link.OnMeasure(c.measure)
	return s, s.run(ctx)
}

// canCarry reports an error unless a transport stream can carry all tracks.
func canCarry(tracks *media.Tracks) error {
	if _, err := mpegts.NewWriter(tracks); err != nil {
		for i := range *tracks {
			if c := (*tracks)[i].Codec; c != media.H264 && c != media.H265 && c != media.AAC && c != media.Opus {
				return relay.NewRemoteError(relay.ErrUnsupported, fmt.Sprintf("SRT can't carry %v; set the program's encoder to H.264 and AAC", c))
			}
		}
		return relay.NewRemoteError(relay.ErrUnsupported, "invalid decoder configuration; restart the encoder of the on-air source")
	}
	return nil
}

var _ relay.Push = (&Output{}).Push
