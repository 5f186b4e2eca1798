// Package whip sends the program to WHIP endpoints (RFC 9725): web platforms, LiveKit,
// MediaMTX, another OB Van.
//
// The address is whips://host/path (https) or whip://host/path (http); https:// and
// http:// mean the same here. The stream key of a destination is the bearer token. Some
// platforms have a key in the path instead: it is never shown either.
//
// The video is H.264 as it is: with B-frames it can't be carried, since receivers don't
// play it smoothly. Opus passes, AAC is transcoded to Opus; where that is not possible
// video is sent alone, with a warning. A receiver that requests a keyframe gets the
// program's next one. STUN and TURN servers that the endpoint names are used when there is
// no direct path to it.
package whip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"time"

	"github.com/pion/webrtc/v4"

	"obvan/hub"
	"obvan/media"
	"obvan/relay"
)

const (
	// DefaultStall is how long a receiver may report nothing at most. The supervisor, which
	// knows the platform, gives up earlier.
	DefaultStall = time.Minute

	// DefaultBacklog is how far a destination may fall behind before frames are dropped up to
	// a keyframe: WebRTC is for what is watched live.
	DefaultBacklog = 2 * time.Second
)

// Output sends to WHIP endpoints. Change its fields before the first Push only.
type Output struct {
	Stall   time.Duration
	Backlog time.Duration

	tls    *tls.Config
	ffmpeg string // its path, or "": for audio that is not plain AAC-LC
}

// New makes an output; config, which may be nil, is for https.
func New(config *tls.Config) *Output {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		ffmpeg = ""
	}
	return &Output{Stall: DefaultStall, Backlog: DefaultBacklog, tls: config, ffmpeg: ffmpeg}
}

// Push is relay.Push for whip://, whips://, http:// and https://.
func (o *Output) Push(ctx context.Context, u *url.URL, sub *hub.Subscriber, link *relay.Link) error {
	if err := canCarry(sub.Tracks()); err != nil {
		return err
	}
	end := newEndpoint(u, o.tls)
	p, err := connect(ctx, end, u.Hostname())
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return relay.Redacted(err, end.secrets...)
	}
	defer p.close()
	link.Accepted()
	s := newSender(p, sub, o, link)
	link.OnMeasure(s.measure)
	err = s.run(ctx)
	end.leave() // also when it was given up: the server would count the next session as a second one
	return relay.Redacted(err, end.secrets...)
}

// connect finds a path to the endpoint: directly, or through the servers that its answer
// names. Those arrive too late for the offer that was answered, and few endpoints allow it
// to be changed: another session is made.
func connect(ctx context.Context, end *endpoint, host string) (p *peer, err error) {
	var servers []webrtc.ICEServer
	for {
		if p, err = newPeer(host, servers); err != nil {
			return nil, fmt.Errorf("WebRTC: %w", err)
		}
		if err = p.publish(ctx, end); err == nil {
			return p, nil
		}
		p.close()
		end.leave()
		if !errors.Is(err, errNoPath) || servers != nil || len(end.servers) == 0 {
			return nil, err
		}
		servers = end.servers
	}
}

// canCarry reports an error unless WebRTC can carry the video.
func canCarry(tracks *media.Tracks) error {
	if tracks == nil {
		return nil // not known yet; the first unit shows it
	}
	v := tracks.Video()
	if v < 0 {
		return relay.NewRemoteError(relay.ErrUnsupported, "it has no video; put a source with video on air")
	}
	if c := (*tracks)[v].Codec; c != media.H264 {
		return relay.NewRemoteError(relay.ErrUnsupported, fmt.Sprintf("WHIP receivers require H.264, the program is %v; set its encoder to H.264", c))
	}
	return nil
}

var _ relay.Push = (&Output{}).Push
