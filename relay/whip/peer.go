package whip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"obvan/internal/netaddr"
	"obvan/relay"
)

const (
	gatherTimeout  = 2 * time.Second
	connectTimeout = 10 * time.Second
	directTimeout  = 3 * time.Second // when there are servers that can help

	// A path without packets for disconnectedAfter is disconnected, which may recover; it is
	// given up failedAfter later.
	disconnectedAfter = 3 * time.Second
	failedAfter       = 7 * time.Second
	keepAlive         = time.Second

	nackBuffer = 1024 // packets that can be requested again
)

// peer is the WebRTC side.
type peer struct {
	pc         *webrtc.PeerConnection
	video      *webrtc.TrackLocalStaticRTP
	audio      *webrtc.TrackLocalStaticRTP
	senders    [2]*webrtc.RTPSender // video, audio
	accepts    [2]bool              // the receiver, per track
	hasServers bool                 // by STUN and TURN servers
	states     chan webrtc.PeerConnectionState
}

// errNoPath is for a server that accepted, but to which no packet gets through.
var errNoPath = errors.New("the server answered, but no network path was found for the media: allow outgoing UDP through the firewall")

// newPeer makes a connection that only sends, through the servers where that is needed.
func newPeer(host string, servers []webrtc.ICEServer) (*peer, error) {
	engine, err := codecs()
	if err != nil {
		return nil, err
	}
	responder, err := nack.NewResponderInterceptor(nack.ResponderSize(nackBuffer))
	if err != nil {
		return nil, err
	}
	chain := &interceptor.Registry{}
	chain.Add(responder)
	set := webrtc.SettingEngine{LoggerFactory: &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}}
	set.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	set.SetIncludeLoopbackCandidate(netaddr.Loopback(host))
	set.SetICETimeouts(disconnectedAfter, failedAfter, keepAlive)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(chain), webrtc.WithSettingEngine(set))
	pc, err := api.NewPeerConnection(webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle, ICEServers: servers})
	if err != nil {
		return nil, err
	}
	p := &peer{pc: pc, hasServers: len(servers) > 0, states: make(chan webrtc.PeerConnectionState, 16)}
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		select {
		case p.states <- s:
		default: // more than are needed
		}
	})
	if err := p.addTracks(); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *peer) addTracks() (err error) {
	// One stream name: receivers play its video and audio in sync (RFC 8830).
	p.video, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264}, "video", "obvan")
	if err != nil {
		return err
	}
	p.audio, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "audio", "obvan")
	if err != nil {
		return err
	}
	for i, track := range []webrtc.TrackLocal{p.video, p.audio} {
		t, err := p.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return err
		}
		p.senders[i] = t.Sender()
	}
	return nil
}

// codecs is what is offered. High profile is sent under the payload type of whichever
// H.264 was agreed on: receivers that don't list it decode it all the same.
func codecs() (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	feedback := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}}
	for i, profile := range []string{"42e01f", "4d001f", "640c1f"} {
		err := m.RegisterCodec(webrtc.RTPCodecParameters{
			PayloadType: webrtc.PayloadType(96 + i),
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: webrtc.MimeTypeH264, ClockRate: videoRate, RTCPFeedback: feedback,
				SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=" + profile,
			},
		}, webrtc.RTPCodecTypeVideo)
		if err != nil {
			return nil, err
		}
	}
	return m, m.RegisterCodec(webrtc.RTPCodecParameters{
		PayloadType: 111,
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: audioRate, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1",
		},
	}, webrtc.RTPCodecTypeAudio)
}

// publish asks the endpoint to take the stream and connects.
func (p *peer) publish(ctx context.Context, e *endpoint) error {
	offer, err := p.pc.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("WebRTC: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(offer); err != nil {
		return fmt.Errorf("WebRTC: %w", err)
	}
	select {
	case <-gathered:
	case <-time.After(gatherTimeout): // with the addresses that are known
	case <-ctx.Done():
		return ctx.Err()
	}
	answer, err := e.offer(ctx, p.pc.LocalDescription().SDP)
	if err != nil {
		return err
	}
	if err := p.accept(answer); err != nil {
		return errors.New("the server's answer can't be used: check that this is a WHIP address")
	}
	if !p.accepts[0] {
		return relay.NewRemoteError(relay.ErrUnsupported, "the server does not accept H.264 video: enable it there")
	}
	within := connectTimeout
	if !p.hasServers && len(e.servers) > 0 {
		within = directTimeout
	}
	return p.connected(ctx, within)
}

// connected waits until packets get through.
func (p *peer) connected(ctx context.Context, within time.Duration) error {
	late := time.NewTimer(within)
	defer late.Stop()
	for {
		select {
		case s := <-p.states:
			switch s {
			case webrtc.PeerConnectionStateConnected:
				return nil
			case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
				return errNoPath
			}
		case <-late.C:
			return errNoPath
		case <-ctx.Done():
			return fmt.Errorf("connect the media: %w", ctx.Err())
		}
	}
}

// accept notes which of video (0) and audio (1) the answer accepts.
func (p *peer) accept(answer string) error {
	description := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}
	parsed, err := description.Unmarshal()
	if err != nil {
		return err
	}
	for i, m := range parsed.MediaDescriptions {
		if i < len(p.accepts) {
			p.accepts[i] = m.MediaName.Port.Value != 0
		}
	}
	return p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}

// close ends everything the connection started.
func (p *peer) close() { _ = p.pc.GracefulClose() }
