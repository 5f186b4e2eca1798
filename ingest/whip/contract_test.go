package whip_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	pion "github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/ingesttest"
	"obvan/ingest/whip"
	"obvan/internal/testkit"
	"obvan/media"
	"obvan/monitor/whep"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// tracks is what browsers send.
func tracks() media.Tracks {
	t := ingesttest.Tracks()
	t[1] = media.Track{Codec: media.Opus, SampleRate: 48000, Channels: 2}
	return t
}

func TestContract(t *testing.T) {
	ingesttest.Test(t, ingesttest.Protocol{Scheme: "whip", Listen: listen, Publish: publish, Tracks: tracks(), ClockTolerance: 100 * time.Millisecond})
}

// whipServer is a WHIP server with its web server and WebRTC port.
type whipServer struct {
	ports *whep.Server
	whip  *whip.Server
	web   net.Listener
}

func listen(u *url.URL, env ingest.Env) (ingest.Server, error) {
	ports, err := whep.New(hub.New(), "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	web, err := net.Listen("tcp", u.Host)
	return &whipServer{ports, whip.New(env, ports), web}, err
}

func (s *whipServer) Addr() string { return s.web.Addr().String() }

func (s *whipServer) Run(ctx context.Context) error {
	server := &http.Server{Handler: s.whip, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 3)
	ports, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { ended <- s.ports.Run(ports) }()
	go func() { ended <- s.whip.Run(ctx) }()
	go func() { server.Serve(s.web); ended <- nil }()
	<-ctx.Done()
	err := errors.Join(<-ended, server.Close(), <-ended)
	stop()
	return errors.Join(err, <-ended)
}

// camera is a device built on pion's client.
type camera struct {
	pc      *webrtc.PeerConnection
	session string
	tracks  []*webrtc.TrackLocalStaticRTP
	media   media.Tracks
	h264    codecs.H264Payloader
	seq     [2]uint16
}

func publish(ctx context.Context, p ingesttest.Publication) (ingesttest.Camera, error) {
	return publishAs(ctx, p, "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1")
}

func publishAs(ctx context.Context, p ingesttest.Publication, fmtp string) (_ *camera, err error) {
	engine := &webrtc.MediaEngine{}
	for i, c := range []webrtc.RTPCodecCapability{
		{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}, // browsers list it first
		{MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: fmtp},
	} {
		if err := engine.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: webrtc.PayloadType(100 + i), RTPCodecCapability: c}, webrtc.RTPCodecTypeVideo); err != nil {
			return nil, err
		}
	}
	opus := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}
	if err := engine.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 111, RTPCodecCapability: opus}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	set := webrtc.SettingEngine{}
	set.SetIncludeLoopbackCandidate(true)
	set.SetIPFilter(net.IP.IsLoopback)
	c := &camera{media: p.Tracks}
	if c.pc, err = webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithSettingEngine(set)).NewPeerConnection(webrtc.Configuration{}); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.pc.GracefulClose()
		}
	}()
	connected := make(chan struct{})
	c.pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			close(connected)
		}
	})
	for _, t := range p.Tracks {
		mime, kind := webrtc.MimeTypeH264, "video"
		if t.Codec.Audio() {
			mime, kind = webrtc.MimeTypeOpus, "audio"
		}
		local, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, kind, "camera")
		if err != nil {
			return nil, err
		}
		if _, err := c.pc.AddTransceiverFromTrack(local, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
			return nil, err
		}
		c.tracks = append(c.tracks, local)
	}
	if err := c.negotiate(ctx, p); err != nil {
		return nil, err
	}
	select {
	case <-connected:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// negotiate posts the offer and applies the answer.
func (c *camera) negotiate(ctx context.Context, p ingesttest.Publication) error {
	offer, err := c.pc.CreateOffer(nil)
	if err == nil {
		err = c.pc.SetLocalDescription(offer)
	}
	if err != nil {
		return err
	}
	answer, header, err := post(ctx, p, c.pc.LocalDescription().SDP)
	for err != nil && strings.HasPrefix(err.Error(), "503 ") && ctx.Err() == nil { // the port is open before the server runs
		runtime.Gosched()
		answer, header, err = post(ctx, p, c.pc.LocalDescription().SDP)
	}
	if err != nil {
		return err
	}
	c.session = "http://" + p.Addr + header.Get("Location")
	return c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
}

func post(ctx context.Context, p ingesttest.Publication, offer string) (string, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, "POST", "http://"+p.Addr+"/whip/"+p.Stream, strings.NewReader(offer))
	if err != nil {
		return "", nil, err
	}
	req.Header.Set("Content-Type", "application/sdp")
	if p.Key != "" {
		req.Header.Set("Authorization", "Bearer "+p.Key)
	}
	resp, err := oneShotClient().Do(req)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return string(body), resp.Header, err
}

// oneShotClient is a client that keeps no connections open.
func oneShotClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
}

// Send sends a unit, a keyframe with its parameter sets.
func (c *camera) Send(au media.AccessUnit) error {
	payloads, rate := [][]byte{au.Data}, int64(48000)
	if c.media[au.Track].Codec.Video() {
		payloads, rate = nil, 90000
		if au.Key {
			sps, pps, err := media.H264ParameterSets(c.media[au.Track].Config)
			if err != nil {
				return err
			}
			payloads = append(payloads, sps[0], pps[0])
		}
		for data := au.Data; len(data) > 0; {
			n := int(data[2])<<8 | int(data[3])
			payloads = append(payloads, c.h264.Payload(1200, append([]byte{0, 0, 0, 1}, data[4:4+n]...))...)
			data = data[4+n:]
		}
	}
	for i, payload := range payloads {
		c.seq[au.Track]++
		pkt := &pion.Packet{Payload: payload, Header: pion.Header{
			Version: 2, SequenceNumber: c.seq[au.Track], Timestamp: uint32(int64(au.PTS) * rate / int64(time.Second)), Marker: i == len(payloads)-1,
		}}
		if err := c.tracks[au.Track].WriteRTP(pkt); err != nil {
			return err
		}
	}
	return nil
}

// Leave ends the session by DELETE, after a moment for media that is still under way:
// HTTP may overtake UDP.
func (c *camera) Leave() {
	<-time.After(200 * time.Millisecond)
	req, _ := http.NewRequest("DELETE", c.session, nil)
	if resp, err := oneShotClient().Do(req); err == nil {
		resp.Body.Close()
	}
	c.pc.GracefulClose()
}

// Cut closes the connection, as a closed page does.
func (c *camera) Cut() { c.pc.GracefulClose() }
