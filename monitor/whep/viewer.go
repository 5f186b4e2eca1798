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

// Limits for one viewer.
const (
	// A viewer that is further behind than this resumes at the next keyframe, to stay live.
	maxLag           = time.Second
	reportInterval   = time.Second
	retransmitBudget = 4000 // packets retransmitted per second, at most
	// Browsers repeat a keyframe request until they get one.
	restartInterval = 500 * time.Millisecond
	catchUpLag      = 400 * time.Millisecond // further behind, the viewer is still catching up
)

// Why a session ended, besides the reasons why a stream can't be played.
var (
	errViewerLeft       = errors.New("the viewer left")
	errNotConnected     = errors.New("the viewer never connected")
	errConnectionFailed = errors.New("the connection failed")
	errRevoked          = errors.New("access was revoked")
	errStreamEnded      = errors.New("the stream ended")
)

// viewer is one WHEP session. One goroutine sends its video, so a slow viewer delays no
// other. Another goroutine reads its feedback.
type viewer struct {
	id string
	request
	content

	pc    *webrtc.PeerConnection
	video *sender
	audio *sender // nil when the viewer requests none
	udp   *udpPort
	path  atomic.Pointer[netip.AddrPort] // the viewer's address; nil over TCP

	epochOnce sync.Once
	epoch     time.Time // when the stream's time 0 was

	feedback
	lifecycle
}

// request is a client's request for a stream.
type request struct {
	stream, remote, who string

	keyframesOnly bool // keyframes and all of the audio
}

// content is what a viewer gets.
type content struct {
	hub         *hub.Hub
	source      *source
	transcoders *audioTranscoders
	leaveLowRes func() // leaves the low-resolution stream; nil when the original stream is sent
}

// feedback is what readRTCP received. wake wakes the sender for it.
type feedback struct {
	nacks            chan []rtcp.NackPair
	keyframeRequests chan struct{}
	wake             chan struct{}
}

// lifecycle is the start and the end of a viewer's connection.
type lifecycle struct {
	connectTimeout time.Duration // after the answer
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

// release leaves the low-resolution stream, if the viewer has it.
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
		audioCtx, stop := context.WithCancel(ctx)
		defer stop()
		parts.Go(func() { v.sendAudio(audioCtx) })
	}
	return v.sendVideo(ctx)
}

// subscribe reads the stream from its newest keyframe on; for a keyframe viewer, only the
// keyframes.
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

// sendVideo sends the video, starting at the newest keyframe.
func (v *viewer) sendVideo(ctx context.Context) error {
	sub, err := v.subscribe()
	if err != nil {
		return err
	}
	defer func() { sub.Close() }()
	session := videoSession{viewer: v, burstAt: time.Now()}
	defer session.close()
	for {
		// Feedback first: a viewer that is always behind would otherwise never be served.
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
		if err := session.send(&au, sub.Latency()); err != nil {
			return err
		}
		if sub.Latency() > maxLag {
			sub.SkipToKeyframe() // only if a newer one exists: the initial burst stays complete
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

// sendAudio sends the audio from the live position on. The video decides when the session
// ends.
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
		if sub.Latency() > maxLag+maxOffset {
			sub.SkipToLive()
		}
	}
}

// waitUntil waits until due, at most maxOffset. It returns false when ctx is done.
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

// report sends a sender report when one is due. Audio and video report the same clock;
// otherwise they would not be in sync.
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
		if p := recover(); p != nil { // in the parser: only this viewer is affected
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

// trySend sends unless the channel is full, and then drops: viewers repeat their requests.
func trySend[T any](to chan<- T, what T) {
	select {
	case to <- what:
	default:
	}
}

// pathSelected stores the viewer's address when ICE has selected a path.
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

// connectionChanged handles a new connection state.
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
