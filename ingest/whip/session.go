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
	errDisconnected     = errors.New("the camera left")
	errConnectionFailed = errors.New("the connection failed")
	errSilent           = errors.New("nothing came from it any more")
	errTakenOver        = errors.New("the camera came back on another connection")
)

// How key pictures are asked for. A browser makes none by itself; one every two
// seconds is what viewers and cuts start from.
const (
	checkEvery           = 100 * time.Millisecond
	keyframeEvery        = 2 * time.Second
	keyframeRequestEvery = 500 * time.Millisecond // also when it was lost: the network may be full
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
	lastPacket atomic.Int64 // when the last packet came, UnixNano
	closed     chan struct{}
}

func newSession(id string, request ingest.Request, feed *ingest.Feed, log *slog.Logger) *session {
	se := &session{id: id, feed: request.Stream, host: netaddr.Host(request.Remote), gate: newKeyframeGate(feed), closed: make(chan struct{})}
	se.log = log.With("feed", request.Stream, "remote", request.Remote)
	se.ctx, se.end = context.WithCancelCause(context.Background())
	se.lastPacket.Store(time.Now().UnixNano())
	return se
}

// silent is how long nothing came.
func (se *session) silentFor(now time.Time) time.Duration {
	return now.Sub(time.Unix(0, se.lastPacket.Load()))
}

// negotiate makes the peer connection and answers the offer.
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
		set.SetSRTPReplayProtectionWindow(1024) // what is sent again comes late
		role := webrtc.DTLSRoleServer
		if o.passive {
			role = webrtc.DTLSRoleClient
		}
		_ = set.SetAnsweringDTLSRole(role) // both are roles
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

// state is told how the connection fares. "disconnected" often heals.
func (se *session) state(s webrtc.PeerConnectionState) {
	switch s {
	case webrtc.PeerConnectionStateFailed:
		se.end(errConnectionFailed)
	case webrtc.PeerConnectionStateClosed:
		se.end(errDisconnected)
	}
}

// run looks after the session until it ends, and says why it did.
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
				_ = se.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}}) // asked again soon
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

// track is called for each track that comes, on a goroutine of its own.
func (se *session) track(t *webrtc.TrackRemote, from *webrtc.RTPReceiver) {
	video := t.Kind() == webrtc.RTPCodecTypeVideo
	if !se.gate.claim(video, uint32(t.SSRC())) {
		return // a second picture or sound: nobody reads it
	}
	defer se.gate.readers.Done()
	defer func() {
		if p := recover(); p != nil { // a broken peer costs its own session only
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
	se.log.Info("coding", "codec", t.Codec().MimeType, "fmtp", t.Codec().SDPFmtpLine)
	se.read(input, t, newJitterBuffer(wait))
}

// maxBad is how many packets in a row may be unreadable.
const maxBad = 1000

// read takes a track's packets in order until the connection is closed.
func (se *session) read(input int, t *webrtc.TrackRemote, buffer *jitterBuffer) {
	for bad := 0; bad < maxBad; {
		_ = t.SetReadDeadline(buffer.deadline(time.Now())) // an open connection has deadlines
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
			_ = se.reader.Packet(input, pkt, now) // the next packet may be well again
		}
	}
}

// readReports reads what the sender says of its clocks.
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
