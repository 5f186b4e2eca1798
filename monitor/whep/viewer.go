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
	// A viewer that is later than this goes on at the next keyframe: it shows
	// what is, not what was.
	maxLag           = time.Second
	reportInterval   = time.Second
	retransmitBudget = 4000 // packets sent again in a second, at most
	// Browsers ask for a keyframe again and again until they have one.
	restartInterval = 500 * time.Millisecond
	catchUpLag      = 400 * time.Millisecond // behind the stream by more
)

// Why a viewer ended, beside the reasons for not showing a stream.
var (
	errViewerLeft       = errors.New("the viewer left")
	errNotConnected     = errors.New("no connection came about")
	errConnectionFailed = errors.New("the connection failed")
	errRevoked          = errors.New("the access was taken away")
	errStreamEnded      = errors.New("the stream left")
)

// viewer is one WHEP session. One goroutine sends its frames, so a slow viewer
// delays no other; what the viewer reports is read in another and handed over.
type viewer struct {
	id string
	request
	content

	pc    *webrtc.PeerConnection
	video *sender
	audio *sender // nil when the viewer requests none
	udp   *udpPort
	path  atomic.Pointer[netip.AddrPort] // by which the viewer is reached; nil for TCP

	epochOnce sync.Once
	epoch     time.Time // when the stream's time 0 was

	feedback
	lifecycle
}

// request is who requests which stream, and how.
type request struct {
	stream, remote, who string

	keyframesOnly bool // only keyframes
}

// content is what a viewer is shown, and hears.
type content struct {
	hub         *hub.Hub
	source      *source
	transcoders *audioTranscoders
	leaveLowRes func() // leaves the low-resolution stream; nil when the stream's own is shown
}

// feedback is what listen received, with a token for it.
type feedback struct {
	nacks            chan []rtcp.NackPair
	keyframeRequests chan struct{}
	wake             chan struct{}
}

// lifecycle is how a viewer's connection begins and ends.
type lifecycle struct {
	connectTimeout time.Duration // it has to be connected
	once           sync.Once
	connected      chan struct{}
	done           <-chan struct{}
	end            context.CancelCauseFunc
}

// useLowRes switches the viewer to the low-resolution stream.
func (v *viewer) useLowRes(of *lowResStreams) error {
	p, leave, err := of.join(v.stream)
	if err != nil {
		return err
	}
	v.hub, v.source, v.leaveLowRes = p.hub, p.source, leave
	return nil
}

// release gives back what the viewer was handed.
func (v *viewer) release() {
	if v.leaveLowRes != nil {
		v.leaveLowRes()
	}
}

// serve runs until the viewer leaves, the stream ends or ctx is done, and returns why.
func (v *viewer) serve(ctx context.Context) error {
	var parts sync.WaitGroup
	for _, from := range v.pc.GetSenders() {
		parts.Go(func() { v.readRTCP(from) })
	}
	defer parts.Wait()
	defer func() { _ = v.pc.GracefulClose() }()

	v.source.join()
	defer v.source.leave()
	connect, cancel := context.WithTimeoutCause(ctx, v.connectTimeout, errNotConnected)
	defer cancel()
	for _, ready := range []<-chan struct{}{v.connected, v.video.bound} {
		select {
		case <-ready:
		case <-connect.Done():
			return context.Cause(connect)
		}
	}
	if v.audio != nil {
		hear, stop := context.WithCancel(ctx)
		defer stop()
		parts.Go(func() { v.sendAudio(hear) })
	}
	return v.sendVideo(ctx)
}

// subscribe reads the stream from its newest keyframe on. To a viewer of keyframes
// the stream has no others.
func (v *viewer) subscribe() (*hub.Subscriber, error) {
	sub, err := v.hub.Subscribe(v.stream)
	if err != nil {
		return nil, errStreamEnded
	}
	if v.keyframesOnly {
		sub.Filter(func(au *media.AccessUnit) bool { return au.Key || !au.Video() })
	}
	return sub, nil
}

// sendVideo sends frames, beginning with all since the newest keyframe.
func (v *viewer) sendVideo(ctx context.Context) error {
	sub, err := v.subscribe()
	if err != nil {
		return err
	}
	defer func() { sub.Close() }()
	session := videoSession{viewer: v, burstAt: time.Now()}
	defer session.close()
	for {
		// Also a viewer who is always behind is heard.
		select {
		case lost := <-v.nacks:
			session.retransmit(lost)
		case <-v.keyframeRequests:
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
			v.wait(ctx, sub)
			continue
		case errors.Is(err, io.EOF):
			return errStreamEnded
		case err != nil:
			return fmt.Errorf("read the stream: %w", err)
		}
		if err := session.send(&au, sub.Lag()); err != nil {
			return err
		}
		if sub.Lag() > maxLag {
			sub.SkipToKeyframe() // only if one lies ahead: the burst at the start stays whole
		}
	}
}

// wait waits until there is something to do.
func (v *viewer) wait(ctx context.Context, sub *hub.Subscriber) {
	select {
	case <-sub.Ready():
	case <-v.wake:
	case <-ctx.Done():
	}
}

// sendAudio sends the audio from now on. The video decides when the session ends.
func (v *viewer) sendAudio(ctx context.Context) {
	select {
	case <-v.audio.bound:
	case <-ctx.Done():
		return
	}
	sub, leave, err := v.transcoders.subscribe(v.stream)
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
		if !waitUntil(ctx, v.source.scheduleAudio(&au)) {
			return
		}
		if v.audio.send([][]byte{au.Data}, rtpTime(au.PTS, audioRate)) != nil {
			return
		}
		reported = v.report(v.audio, &au, reported)
		if sub.Lag() > maxLag+maxOffset {
			sub.SkipToLive()
		}
	}
}

// waitUntil waits until due, which is never far off. It reports whether ctx is not done.
func waitUntil(ctx context.Context, due time.Time) bool {
	wait := min(time.Until(due), maxOffset)
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

// report sends the viewer sender reports from time to time. Audio and
// video report by the same clock, or they would not be played in sync.
func (v *viewer) report(of *sender, au *media.AccessUnit, last time.Time) time.Time {
	now := time.Now()
	if now.Sub(last) < reportInterval {
		return last
	}
	v.epochOnce.Do(func() { v.epoch = au.Arrived.Add(-au.PTS) })
	if r := of.report(now, v.epoch); r != nil {
		_ = v.pc.WriteRTCP([]rtcp.Packet{r}) // a dead connection is noticed at the next frame
	}
	return now
}

// readRTCP reads the viewer's feedback on one track until the connection is closed.
func (v *viewer) readRTCP(from *webrtc.RTPSender) {
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
				trySend(v.nacks, p.Nacks)
				trySend(v.wake, struct{}{})
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				trySend(v.keyframeRequests, struct{}{})
				trySend(v.wake, struct{}{})
			}
		}
	}
}

// trySend hands over what there is room for: a viewer asks again.
func trySend[T any](to chan<- T, what T) {
	select {
	case to <- what:
	default:
	}
}

// pathSelected takes note of the path by which the viewer is reached.
func (v *viewer) pathSelected(pair *webrtc.ICECandidatePair) {
	var path *netip.AddrPort
	if pair != nil && pair.Remote.Protocol == webrtc.ICEProtocolUDP {
		if ip, err := netip.ParseAddr(pair.Remote.Address); err == nil {
			to := netip.AddrPortFrom(ip, pair.Remote.Port)
			path = &to
		}
	}
	v.path.Store(path)
}

// connectionChanged takes note of the connection's state.
func (v *viewer) connectionChanged(s webrtc.PeerConnectionState) {
	switch s {
	case webrtc.PeerConnectionStateConnected:
		v.once.Do(func() { close(v.connected) })
	case webrtc.PeerConnectionStateFailed:
		v.end(errConnectionFailed)
	case webrtc.PeerConnectionStateClosed:
		v.end(errViewerLeft)
	}
}

func (v *viewer) attrs() []any {
	return []any{slog.String("viewer", v.id[:6]), slog.String("stream", v.stream), slog.String("remote", v.remote)}
}
