// Package rtmp sends the program to RTMP and RTMPS servers.
//
// The path of a video frame: it is made into messages once for all destinations that keep
// up (sharedBatch), and sent with one system call for each, from memory that their sockets
// share (zeroCopyBuffer). A destination that is late or has just joined writes on its own:
// it has a cursor into the program, a few bytes of header and one vectored write. Nothing
// is queued, copied or allocated per destination (TLS has to copy: it encrypts). A backlog
// therefore is only a cursor that is behind, and the socket is told to hold little, so
// that the backlog stays visible to us and frames can be dropped from it.
package rtmp

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"sync"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/media/flv"
	"obvan/relay"
)

const (
	// DefaultMerge is how long a unit may wait for others: system calls are the cost of a
	// destination, and platforms are seconds behind anyway.
	DefaultMerge = 50 * time.Millisecond

	// DefaultBacklog is how far a destination may fall behind before frames are dropped up to
	// a keyframe. It is two of the keyframe intervals that platforms ask for, plus one
	// second: a shorter one would drop frames on a hiccup that the server's own buffer hides,
	// a longer one would delay the show too much.
	DefaultBacklog = 5 * time.Second

	// DefaultStall is how long a server may take nothing at most: the deadline of each write.
	// The supervisor, which knows the platform, gives up earlier.
	DefaultStall = time.Minute
)

// Output sends to RTMP servers. Change its fields before the first Push only.
type Output struct {
	Merge   time.Duration // 0 writes each unit at once
	Backlog time.Duration
	Stall   time.Duration

	tls    *tls.Config
	once   sync.Once
	shared pump
	noPing noPingHosts
}

// New makes an output; config, which may be nil, is for RTMPS: the server's name is added
// to it.
func New(config *tls.Config) *Output {
	return &Output{Merge: DefaultMerge, Backlog: DefaultBacklog, Stall: DefaultStall, tls: config}
}

// pump is what this output's destinations share.
func (o *Output) pump() *pump {
	o.once.Do(func() { o.shared.maxWait, o.shared.wakeUp = o.Merge, make(chan struct{}, 1) })
	return &o.shared
}

// Push is relay.Push for rtmp:// and rtmps://.
func (o *Output) Push(ctx context.Context, u *url.URL, sub *hub.Subscriber, link *relay.Link) error {
	to, err := parse(u)
	if err != nil {
		return err
	}
	if err := canCarry(sub.Tracks()); err != nil {
		return err
	}
	l, err := dial(ctx, to, o.tls, link)
	if err != nil {
		return unlessDone(ctx, err)
	}
	defer l.Close()
	l.stall, l.deadlineSet = o.Stall, time.Time{} // not the handshake's deadline
	s := newSession(l, to, link)
	// Cancelled during the handshake: there is nothing to unpublish yet.
	stop := context.AfterFunc(ctx, l.interrupt)
	err = s.establish(sub.Tracks())
	if !stop() || err != nil {
		return unlessDone(ctx, relay.Redacted(err, s.to.secrets...))
	}
	link.Accepted()
	sd := newSender(s, sub, o)
	s.pings.disabled = o.noPing.has(to.addr)
	sd.dropper.Ahead = sd.ahead
	link.OnMeasure(func() { sd.measure(); s.measureRemote(time.Now()) })
	err = sd.run(ctx)
	if err != nil && s.pings.mayHaveCausedClose(time.Now()) {
		o.noPing.add(to.addr)
	}
	return relay.Redacted(err, s.to.secrets...)
}

// unlessDone is err, or nil when it is only the consequence of cancelling.
func unlessDone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// canCarry reports an error unless RTMP can carry all tracks.
func canCarry(tracks *media.Tracks) error {
	if tracks == nil {
		return nil // not known yet; the first unit tells
	}
	for i := range *tracks {
		if c := (*tracks)[i].Codec; !flv.CanCarry(c) {
			return relay.NewRemoteError(relay.ErrUnsupported, fmt.Sprintf("RTMP can't carry %v; set the program's encoder to H.264 and AAC", c))
		}
	}
	return nil
}
