package whep

import (
	"bytes"
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	h264 "github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"obvan/hub"
	"obvan/internal/testkit"
	"obvan/media"
)

func TestMain(m *testing.M) {
	if watch := os.Getenv(benchTargetEnv); watch != "" {
		receive(watch)
		return
	}
	testkit.Main(m)
}

// Two decoder configurations made by x264: 320x180 High and 640x360 Baseline.
var (
	track180p = avc("0164000dffe100186764000dacb40a0cfcf80880000003008000001e078a155001000468ef0fcbfdf8f800")
	track360p = avc("0142c01effe100196742c01eda0280bfe5c044000003000400000300f03c58ba8001000468ce0fc8")
)

func avc(config string) media.Track {
	b, err := hex.DecodeString(config)
	if err != nil {
		panic(err)
	}
	return media.Track{Codec: media.H264, Config: b, Width: 320, Height: 180}
}

// rig is a running server with its hub and an HTTP server.
type rig struct {
	t    *testing.T
	hub  *hub.Hub
	whep *Server
	url  string
}

func newRig(t *testing.T) *rig { return newRigAt(t, "127.0.0.1:0") }

func newRigAt(t *testing.T, addr string) *rig {
	t.Helper()
	h := hub.New()
	s, err := New(h, addr, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		web.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	testkit.Eventually(t, 5*time.Second, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.api != nil }, "the server runs")
	return &rig{t, h, s, web.URL}
}

// camera publishes frames with synthetic slices, numbered in their last bytes.
type camera struct {
	*hub.Publisher
	mu    sync.Mutex // a publisher has one writer at a time: video or audio
	at    time.Duration
	step  time.Duration
	count int
}

func (d *rig) camera(name string, tracks ...media.Track) *camera {
	d.t.Helper()
	p, err := d.hub.Publish(name, hub.Origin{Proto: "test"})
	if err != nil {
		d.t.Fatal(err)
	}
	if len(tracks) == 0 {
		tracks = []media.Track{track180p}
	}
	p.SetTracks(tracks)
	d.t.Cleanup(p.Close)
	return &camera{Publisher: p, step: time.Second / 30}
}

// Slice headers: first_mb_in_slice 0 ("1"), then slice_type 7, 5 or 6 (I, P, B).
const (
	sliceI = 0x88 // 1 0001000
	sliceP = 0x98 // 1 00110 00
	sliceB = 0x9c // 1 00111 00
)

func nal(head, slice byte, size, number int) []byte {
	n := bytes.Repeat([]byte{0xab}, size)
	n[0], n[1] = head, slice
	n[size-2], n[size-1] = byte(number>>8), byte(number)
	return n
}

func prefixed(nals ...[]byte) (data []byte) {
	for _, n := range nals {
		data = append(data, byte(len(n)>>24), byte(len(n)>>16), byte(len(n)>>8), byte(len(n)))
		data = append(data, n...)
	}
	return data
}

// publish publishes the next frame and returns it.
func (c *camera) publish(key bool) media.AccessUnit {
	au := c.unit(key)
	c.Write(au)
	return au
}

// Write and SetTracks are the publisher's, serialized.
func (c *camera) Write(au media.AccessUnit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Publisher.Write(au)
}

func (c *camera) SetTracks(tracks media.Tracks) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Publisher.SetTracks(tracks)
}

func (c *camera) unit(key bool) media.AccessUnit {
	data := prefixed(nal(0x41, sliceP, 700, c.count))
	if key {
		data = prefixed(nal(0x65, sliceI, 5000, c.count))
	}
	au := media.AccessUnit{PTS: c.at, DTS: c.at, Key: key, Data: data}
	c.at += c.step
	c.count++
	return au
}

// run publishes in real time, a keyframe every half second, until the test ends.
func (c *camera) run(t *testing.T) {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(c.step)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-tick.C:
				c.publish(n%15 == 0)
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-ended })
}

// frame is one access unit as reassembled by a player.
type frame struct {
	data []byte
	time uint32
	at   time.Time
}

// player is a WHEP player.
type player struct {
	t        *testing.T
	pc       *webrtc.PeerConnection
	location string
	answer   string
	posted   time.Time

	mu     sync.Mutex
	frames []frame
	audio  []frame
	seqs   []uint16
	delays map[string]int
	ssrc   uint32
	state  webrtc.PeerConnectionState
}

func (d *rig) watch(stream string, networks ...webrtc.NetworkType) *player {
	d.t.Helper()
	return d.watchBy(stream, func(answer string) string { return answer }, networks...)
}

// watchBy is watch with the addresses in the answer changed by reroute.
func (d *rig) watchBy(stream string, reroute func(answer string) string, networks ...webrtc.NetworkType) *player {
	d.t.Helper()
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		d.t.Fatal(err)
	}
	if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: playoutDelayURI}, webrtc.RTPCodecTypeVideo); err != nil {
		d.t.Fatal(err)
	}
	var set webrtc.SettingEngine
	set.SetIncludeLoopbackCandidate(true)
	if networks != nil {
		set.SetNetworkTypes(networks)
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(set)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		d.t.Fatal(err)
	}
	p := &player{t: d.t, pc: pc, delays: map[string]int{}}
	d.t.Cleanup(p.leave)
	pc.OnTrack(p.receive)
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { p.mu.Lock(); p.state = s; p.mu.Unlock() })
	only := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		if _, err := pc.AddTransceiverFromKind(kind, only); err != nil {
			d.t.Fatal(err)
		}
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := pc.SetLocalDescription(offer); err != nil {
		d.t.Fatal(err)
	}
	p.posted = time.Now()
	resp := d.post("/whep/"+stream, offer.SDP)
	if resp.code != http.StatusCreated {
		d.t.Fatalf("POST: %d %s", resp.code, resp.body)
	}
	p.location, p.answer = resp.location, resp.body
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: reroute(resp.body)}); err != nil {
		d.t.Fatal(err)
	}
	return p
}

func (p *player) leave() { _ = p.pc.GracefulClose() }

func (p *player) receive(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	delayID := uint8(0)
	for _, ext := range receiver.GetParameters().HeaderExtensions {
		if ext.URI == playoutDelayURI {
			delayID = uint8(ext.ID)
		}
	}
	if track.Kind() == webrtc.RTPCodecTypeAudio {
		p.receiveAudio(track)
		return
	}
	var now frame
	depacketizer := h264.H264Packet{IsAVC: true}
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		data, err := depacketizer.Unmarshal(packet.Payload)
		if err != nil {
			p.t.Errorf("depacketize: %v", err)
		}
		now.data, now.time = append(now.data, data...), packet.Timestamp
		p.mu.Lock()
		p.ssrc = packet.SSRC
		p.seqs = append(p.seqs, packet.SequenceNumber)
		p.delays[hex.EncodeToString(packet.GetExtension(delayID))]++
		if packet.Marker {
			now.at = time.Now()
			p.frames = append(p.frames, now)
			now = frame{}
		}
		p.mu.Unlock()
	}
}

func (p *player) receiveAudio(track *webrtc.TrackRemote) {
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.audio = append(p.audio, frame{packet.Payload, packet.Timestamp, time.Now()})
		p.mu.Unlock()
	}
}

func (p *player) audioReceived() []frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]frame(nil), p.audio...)
}

func (p *player) received() []frame {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]frame(nil), p.frames...)
}

func (p *player) await(n int) []frame {
	p.t.Helper()
	testkit.Eventually(p.t, 5*time.Second, func() bool { return len(p.received()) >= n }, "%d frames arrive", n)
	return p.received()
}

type reply struct {
	code           int
	location, body string
	header         http.Header
}

func (d *rig) do(method, path, contentType, body string) reply {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	return reply{resp.StatusCode, resp.Header.Get("Location"), string(text), resp.Header}
}

func (d *rig) post(path, body string) reply {
	return d.do(http.MethodPost, path, "application/sdp", body)
}

// withParameterSets is what a player must receive: a keyframe is preceded by its parameter sets.
func withParameterSets(au media.AccessUnit, track media.Track) []byte {
	if !au.Key {
		return au.Data
	}
	sps, pps, _ := media.H264ParameterSets(track.Config)
	return append(prefixed(sps[0], pps[0]), au.Data...)
}
