package whep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"obvan/hub"
	"obvan/media"
)

// How a viewer is treated.
const (
	// A viewer that is later than this goes on at the next key picture: it shows
	// what is, not what was.
	tooLate      = time.Second
	reportEvery  = time.Second
	repeatBudget = 4000 // packets sent again in a second, at most
	// Browsers ask for a key picture again and again until they have one.
	restartEvery = 500 * time.Millisecond
	catchingUp   = 400 * time.Millisecond // behind the stream by more
)

// Why a viewer ended, beside the reasons for not showing a stream.
var (
	errLeft         = errors.New("the viewer left")
	errNotConnected = errors.New("no connection came about")
	errPathDead     = errors.New("the connection failed")
	errAccess       = errors.New("the access was taken away")
	errStreamLeft   = errors.New("the stream left")
)

// viewer is one WHEP session. One goroutine sends its pictures, so a slow viewer
// delays nobody; what the viewer says back is read in another and handed over.
type viewer struct {
	id string
	asking
	watched

	pc      *webrtc.PeerConnection
	picture *sender
	sound   *sender // nil when the viewer wants none
	udp     *udpPort
	path    atomic.Pointer[netip.AddrPort] // by which the viewer is reached; nil for TCP

	epochOnce sync.Once
	epoch     time.Time // when the stream's time 0 was

	wants
	life
}

// asking is who wants to watch what, and how.
type asking struct {
	stream, remote, who string

	keys bool // only key pictures
}

// watched is what a viewer is shown, and hears.
type watched struct {
	hub    *hub.Hub
	source *source
	sounds *sounds
	left   func() // leaves the small picture; nil when the stream's own is shown
}

// wants is what listen heard, and that it heard something.
type wants struct {
	lost    chan []rtcp.NackPair
	restart chan struct{}
	heard   chan struct{}
}

// life is how a viewer's connection begins and ends.
type life struct {
	within    time.Duration // it has to be connected
	once      sync.Once
	connected chan struct{}
	done      <-chan struct{}
	end       context.CancelCauseFunc
}

// beSmall has the viewer watch the stream's small picture.
func (v *viewer) beSmall(of *smalls) error {
	p, leave, err := of.join(v.stream)
	if err != nil {
		return err
	}
	v.hub, v.source, v.left = p.hub, p.source, leave
	return nil
}

// release gives back what the viewer was handed.
func (v *viewer) release() {
	if v.left != nil {
		v.left()
	}
}

// serve runs until the viewer leaves, the stream ends or ctx is done, and says why.
func (v *viewer) serve(ctx context.Context) error {
	var parts sync.WaitGroup
	for _, from := range v.pc.GetSenders() {
		parts.Go(func() { v.listen(from) })
	}
	defer parts.Wait()
	defer func() { _ = v.pc.GracefulClose() }()

	v.source.join()
	defer v.source.leave()
	connect, cancel := context.WithTimeoutCause(ctx, v.within, errNotConnected)
	defer cancel()
	for _, ready := range []<-chan struct{}{v.connected, v.picture.bound} {
		select {
		case <-ready:
		case <-connect.Done():
			return context.Cause(connect)
		}
	}
	if v.sound != nil {
		hear, stop := context.WithCancel(ctx)
		defer stop()
		parts.Go(func() { v.play(hear) })
	}
	return v.show(ctx)
}

// follow reads the stream from its newest key picture on. To a viewer of key pictures
// the stream has no others.
func (v *viewer) follow() (*hub.Subscriber, error) {
	sub, err := v.hub.Subscribe(v.stream)
	if err != nil {
		return nil, errStreamLeft
	}
	if v.keys {
		sub.Filter(func(au *media.AccessUnit) bool { return au.Key || !au.Video() })
	}
	return sub, nil
}

// show sends pictures, beginning with all since the newest key picture.
func (v *viewer) show(ctx context.Context) error {
	sub, err := v.follow()
	if err != nil {
		return err
	}
	defer func() { sub.Close() }()
	session := session{viewer: v, begun: time.Now()}
	defer session.close()
	for {
		// Also a viewer who is always behind is heard.
		select {
		case lost := <-v.lost:
			session.repeat(lost)
		case <-v.restart:
			if again := session.restart(); again != nil {
				sub.Close()
				sub = again
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		default:
		}
		au, err := sub.TryNext()
		switch {
		case errors.Is(err, hub.ErrNotYet):
			v.pause(ctx, sub)
			continue
		case errors.Is(err, io.EOF):
			return errStreamLeft
		case err != nil:
			return fmt.Errorf("read the stream: %w", err)
		}
		if err := session.unit(&au, sub.Lag()); err != nil {
			return err
		}
		if sub.Lag() > tooLate {
			sub.SkipToKeyframe() // only if one lies ahead: the burst at the start stays whole
		}
	}
}

// pause waits until there is something to do.
func (v *viewer) pause(ctx context.Context, sub *hub.Subscriber) {
	select {
	case <-sub.Ready():
	case <-v.heard:
	case <-ctx.Done():
	}
}

// play sends the sound, from now on. The picture decides when the viewer ends.
func (v *viewer) play(ctx context.Context) {
	select {
	case <-v.sound.bound:
	case <-ctx.Done():
		return
	}
	sub, leave, err := v.sounds.listen(v.stream)
	if err != nil {
		return
	}
	defer leave()
	var reported time.Time
	for {
		au, err := sub.Next(ctx)
		if err != nil {
			return
		}
		if !waitFor(ctx, v.source.heard(&au)) {
			return
		}
		if v.sound.send([][]byte{au.Data}, rtpTime(au.PTS, audioRate)) != nil {
			return
		}
		reported = v.report(v.sound, &au, reported)
		if sub.Lag() > tooLate+lagMost {
			sub.SkipToLive()
		}
	}
}

// waitFor waits until due, which is never far off. It reports whether ctx is not done.
func waitFor(ctx context.Context, due time.Time) bool {
	wait := min(time.Until(due), lagMost)
	if wait < time.Millisecond {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// report tells the viewer now and then what time it is in the stream. Sound and
// picture report by the same clock, or they would not be played in sync.
func (v *viewer) report(of *sender, au *media.AccessUnit, last time.Time) time.Time {
	now := time.Now()
	if now.Sub(last) < reportEvery {
		return last
	}
	v.epochOnce.Do(func() { v.epoch = au.Arrived.Add(-au.PTS) })
	if r := of.report(now, v.epoch); r != nil {
		_ = v.pc.WriteRTCP([]rtcp.Packet{r}) // a dead connection shows in the next picture
	}
	return now
}

// listen reads what the viewer says of one track until the connection is closed.
func (v *viewer) listen(from *webrtc.RTPSender) {
	defer func() {
		if p := recover(); p != nil { // the parser's: this viewer only
			v.end(fmt.Errorf("read RTCP: %v", p))
		}
	}()
	for {
		packets, _, err := from.ReadRTCP()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
			return
		}
		if err != nil {
			select {
			case <-v.done:
				return
			default:
				continue // a packet that can't be read
			}
		}
		for _, p := range packets {
			switch p := p.(type) {
			case *rtcp.TransportLayerNack:
				offer(v.lost, p.Nacks)
				offer(v.heard, struct{}{})
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				offer(v.restart, struct{}{})
				offer(v.heard, struct{}{})
			}
		}
	}
}

// offer hands over what the other end has room for: a viewer asks again.
func offer[T any](to chan<- T, what T) {
	select {
	case to <- what:
	default:
	}
}

// reached is told by which path the viewer is reached.
func (v *viewer) reached(pair *webrtc.ICECandidatePair) {
	var path *netip.AddrPort
	if pair != nil && pair.Remote.Protocol == webrtc.ICEProtocolUDP {
		if ip, err := netip.ParseAddr(pair.Remote.Address); err == nil {
			to := netip.AddrPortFrom(ip, pair.Remote.Port)
			path = &to
		}
	}
	v.path.Store(path)
}

// state is told how the connection fares.
func (v *viewer) state(s webrtc.PeerConnectionState) {
	switch s {
	case webrtc.PeerConnectionStateConnected:
		v.once.Do(func() { close(v.connected) })
	case webrtc.PeerConnectionStateFailed:
		v.end(errPathDead)
	case webrtc.PeerConnectionStateClosed:
		v.end(errLeft)
	}
}

func (v *viewer) attrs() []any {
	return []any{slog.String("viewer", v.id[:6]), slog.String("stream", v.stream), slog.String("remote", v.remote)}
}
