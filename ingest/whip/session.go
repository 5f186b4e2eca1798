package whip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"obvan/ingest"
	"obvan/internal/netaddr"
	"obvan/internal/signalling"
	"obvan/media/rtp"
)

// Why a session ended.
var (
	errDisconnected     = errors.New("the camera disconnected")
	errConnectionFailed = errors.New("the connection failed")
	errSilent           = errors.New("the camera stopped sending")
	errTakenOver        = errors.New("the camera reconnected")
)

// How keyframes are requested. A browser makes none on its own; viewers and cuts need
// one every two seconds.
const (
	checkEvery           = 100 * time.Millisecond
	keyframeEvery        = 2 * time.Second
	keyframeRequestEvery = 500 * time.Millisecond // also after a loss: the network may be congested
)

// session is one camera that publishes.
type session struct {
	id, feed, host string
	log            *slog.Logger

	pc     *webrtc.PeerConnection
	reader *rtp.Reader
	gate   *keyframeGate

	ctx        context.Context
	end        context.CancelCauseFunc
	lastPacket atomic.Int64 // when the last packet arrived, UnixNano
	closed     chan struct{}
}

func newSession(id string, request ingest.Request, feed *ingest.Feed, log *slog.Logger) *session {
	se := &session{id: id, feed: request.Stream, host: netaddr.Host(request.Remote), gate: newKeyframeGate(feed), closed: make(chan struct{})}
	se.log = log.With("feed", request.Stream, "remote", request.Remote)
	se.ctx, se.end = context.WithCancelCause(context.Background())
	se.lastPacket.Store(time.Now().UnixNano())
	return se
}

// silentFor is the time since the last packet.
func (se *session) silentFor(now time.Time) time.Duration {
	return now.Sub(time.Unix(0, se.lastPacket.Load()))
}

// negotiate creates the peer connection and answers the offer.
func (se *session) negotiate(ports Ports, o offer) (string, error) {
	reader, err := rtp.NewBrowserReader(o.h264 != "", o.audio, se.gate)
	if err != nil {
		return "", fmt.Errorf("%w: %w", signalling.ErrAnswer, err)
	}
	se.reader = reader
	m, r, err := engine(o)
	if err != nil {
		return "", err
	}
	api, err := ports.API(m, r, func(set *webrtc.SettingEngine) {
		set.SetSRTPReplayProtectionWindow(1024) // retransmissions arrive late
		role := webrtc.DTLSRoleServer
		if o.passive {
			role = webrtc.DTLSRoleClient
		}
		_ = set.SetAnsweringDTLSRole(role) // both are valid roles
	})
	if err != nil {
		return "", errNotNow
	}
	if se.pc, err = api.NewPeerConnection(webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle}); err != nil {
		return "", fmt.Errorf("%w: %w", signalling.ErrAnswer, err)
	}
	se.pc.OnConnectionStateChange(se.state)
	se.pc.OnTrack(se.track)
	return answer(se.pc, o)
}

// state handles a change of the connection's state. "disconnected" often recovers.
func (se *session) state(s webrtc.PeerConnectionState) {
	switch s {
	case webrtc.PeerConnectionStateFailed:
		se.end(errConnectionFailed)
	case webrtc.PeerConnectionStateClosed:
		se.end(errDisconnected)
	}
}

// run supervises the session until it ends, and returns the reason.
func (se *session) run() error {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	var lastRequest time.Time
	for {
		select {
		case now := <-tick.C:
			if se.silentFor(now) > ingest.PeerTimeout {
				se.end(errSilent)
			}
			if ssrc, needed := se.gate.needsKeyframe(now); needed && now.Sub(lastRequest) >= keyframeRequestEvery {
				lastRequest = now
				_ = se.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}}) // repeated soon
			}
		case <-se.ctx.Done():
			return context.Cause(se.ctx)
		}
	}
}

// close ends the connection and frees the feed's name.
func (se *session) close() {
	if se.pc != nil {
		_ = se.pc.GracefulClose()
	}
	se.gate.close()
	close(se.closed)
}

// track is called for each incoming track, on its own goroutine.
func (se *session) track(t *webrtc.TrackRemote, from *webrtc.RTPReceiver) {
	video := t.Kind() == webrtc.RTPCodecTypeVideo
	if !se.gate.claim(video, uint32(t.SSRC())) {
		return // a second video or audio track: ignored
	}
	defer se.gate.readers.Done()
	defer func() {
		if p := recover(); p != nil { // a faulty client costs only its own session
			se.log.Error("read RTP", "err", p)
			se.end(fmt.Errorf("read RTP: %v", p))
		}
	}()
	input, wait := 0, videoWait
	if !video {
		input, wait = len(se.reader.Formats())-1, audioWait
	}
	var reports sync.WaitGroup
	reports.Go(func() { se.readReports(input, from) })
	defer reports.Wait()
	se.log.Info("codec", "codec", t.Codec().MimeType, "fmtp", t.Codec().SDPFmtpLine)
	se.read(input, t, newJitterBuffer(wait))
}

// maxBad is how many packets in a row may be invalid.
const maxBad = 1000

// read reads a track's packets in order until the connection is closed.
func (se *session) read(input int, t *webrtc.TrackRemote, buffer *jitterBuffer) {
	for bad := 0; bad < maxBad; {
		_ = t.SetReadDeadline(buffer.deadline(time.Now())) // fails only once the connection is closed
		pkt, _, err := t.ReadRTP()
		now := time.Now()
		switch {
		case err == nil:
			bad = 0
			se.lastPacket.Store(now.UnixNano())
			buffer.push(pkt, now)
		case se.ctx.Err() != nil || done(err):
			return
		case !isTimeout(err):
			bad++
			continue
		}
		for {
			pkt, lost := buffer.pop(now)
			if lost {
				se.gate.noteLoss(input == 0 && se.reader.Video())
			}
			if pkt == nil {
				break
			}
			_ = se.reader.Packet(input, pkt, now) // the next packet may be valid
		}
	}
}

// readReports reads the sender reports, which relate RTP timestamps to wall-clock time.
func (se *session) readReports(input int, from *webrtc.RTPReceiver) {
	defer func() {
		if p := recover(); p != nil {
			se.end(fmt.Errorf("read RTCP: %v", p))
		}
	}()
	for bad := 0; bad < maxBad; {
		packets, _, err := from.ReadRTCP()
		if err != nil {
			if done(err) || se.ctx.Err() != nil {
				return
			}
			bad++
			continue
		}
		bad = 0
		for _, p := range packets {
			if sr, ok := p.(*rtcp.SenderReport); ok {
				se.reader.SenderReport(input, sr, time.Now())
			}
		}
	}
}
