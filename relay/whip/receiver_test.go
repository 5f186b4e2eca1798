package whip_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	pion "github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"obvan/media"
	"obvan/media/rtp"
	"obvan/relay/testserver"
)

// endpointServer is a WHIP endpoint made with pion.
type endpointServer struct {
	t       testing.TB
	http    *httptest.Server
	udp     *udp
	api     *webrtc.API
	closing chan struct{}
	testserver.SessionLog

	mu       sync.Mutex
	redirect int                   // status of the answer under /elsewhere
	links    []string              // headers of the answer
	hidden   bool                  // only a client that comes through a relay learns its address
	peers    map[string]*publisher // by resource
	open     sync.WaitGroup
}

// publisher is one session.
type publisher struct {
	ses    *testserver.Session
	pc     *webrtc.PeerConnection
	tracks media.Tracks
	mu     sync.Mutex
	opus   []pion.Header
}

// opusHeaders is the headers of the audio packets that arrived.
func (p *publisher) opusHeaders() []pion.Header {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.opus)
}

func (p *publisher) Aligned() {}

func (p *publisher) SetTracks(tracks media.Tracks) { p.tracks = tracks }

func (p *publisher) Write(au media.AccessUnit) {
	t := &p.tracks[au.Track]
	p.ses.Record(testserver.Unit{Video: t.Codec.Video(), Key: au.Key, PTS: au.PTS, DTS: au.DTS, Data: au.Data, Track: t, Arrived: au.Arrived})
}

// udp is the media port, which can stop responding.
type udp struct {
	net.PacketConn
	lose int // one data packet in so many; 0 none

	mu      sync.Mutex
	stalled bool
	count   int
}

func (u *udp) silent() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.stalled
}

// lost reports whether a packet gets lost; those that connect don't.
func (u *udp) lost(b []byte) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.count++
	return u.lose > 0 && len(b) > 1000 && u.count%u.lose == 0
}

func (u *udp) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := u.PacketConn.ReadFrom(b)
		if err != nil || !u.silent() && !u.lost(b[:n]) {
			return n, from, err
		}
	}
}

func (u *udp) WriteTo(b []byte, to net.Addr) (int, error) {
	if u.silent() {
		return len(b), nil
	}
	return u.PacketConn.WriteTo(b, to)
}

// startEndpoint starts one that loses one packet in lose, or none.
func startEndpoint(t testing.TB, lose int) *endpointServer {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &endpointServer{
		t: t, udp: &udp{PacketConn: conn, lose: lose}, closing: make(chan struct{}), peers: map[string]*publisher{},
	}
	quiet := &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: f.udp, Logger: quiet.NewLogger("ice")})
	set := webrtc.SettingEngine{LoggerFactory: quiet}
	set.SetICEUDPMux(mux)
	set.SetIncludeLoopbackCandidate(true)
	set.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	engine, chain := &webrtc.MediaEngine{}, &interceptor.Registry{}
	if err := engine.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	if err := webrtc.RegisterDefaultInterceptors(engine, chain); err != nil {
		t.Fatal(err)
	}
	f.api = webrtc.NewAPI(webrtc.WithSettingEngine(set), webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(chain))
	f.http = httptest.NewServer(f)
	t.Cleanup(func() {
		close(f.closing)
		f.http.Close()
		f.mu.Lock()
		peers := f.peers
		f.mu.Unlock()
		for _, p := range peers {
			_ = p.pc.GracefulClose()
		}
		_ = mux.Close()
		_ = conn.Close()
		f.open.Wait()
	})
	return f
}

func (f *endpointServer) URL() string {
	return strings.Replace(f.http.URL, "http", "whip", 1) + "/whip/cam"
}

func (f *endpointServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodDelete {
		f.mu.Lock()
		p := f.peers[r.URL.Path]
		f.mu.Unlock()
		if p != nil {
			p.ses.Leave(true)
			_ = p.pc.Close()
		}
		return
	}
	if strings.HasPrefix(r.URL.Path, "/elsewhere") {
		http.Redirect(w, r, "/whip/cam", f.redirect)
		return
	}
	key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	p := &publisher{ses: testserver.NewSession("whip", key)}
	how := f.Add(p.ses)
	switch {
	case how.NoAnswer:
		select {
		case <-f.closing:
		case <-r.Context().Done():
		}
		return
	case how.Refuse != "":
		http.Error(w, how.Refuse, http.StatusForbidden)
		return
	}
	offer, _ := io.ReadAll(r.Body)
	if f.hidden {
		offer = directCandidates.ReplaceAll(offer, nil)
	}
	answer, err := f.answer(p, string(offer), how)
	if f.hidden {
		answer = f.hide(answer, string(offer))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header()["Link"] = f.links
	resource := r.URL.Path + "/" + p.ses.Key[:2] + time.Now().Format("150405.000000")
	f.mu.Lock()
	f.peers[resource] = p
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Location", resource)
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer)
}

// directCandidates is a peer's own addresses.
var directCandidates = regexp.MustCompile(`(?m)^a=candidate.* typ (host|srflx).*\n`)

// hide removes an answer's addresses, unless the client has a relay.
func (f *endpointServer) hide(answer, offer string) string {
	if strings.Contains(offer, "typ relay") {
		return answer
	}
	return directCandidates.ReplaceAllString(answer, "")
}

func (f *endpointServer) answer(p *publisher, offer string, how testserver.Behaviour) (string, error) {
	pc, err := f.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", err
	}
	p.pc = pc
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		switch s {
		case webrtc.PeerConnectionStateConnected:
			f.misbehave(pc, how)
		case webrtc.PeerConnectionStateClosed, webrtc.PeerConnectionStateFailed:
			p.ses.Leave(false)
		}
	})
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { f.open.Go(func() { f.read(p, track) }) })
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return "", err
	}
	<-gathered
	return pc.LocalDescription().SDP, nil
}

func (f *endpointServer) misbehave(pc *webrtc.PeerConnection, how testserver.Behaviour) {
	if how.CloseAfter > 0 {
		time.AfterFunc(how.CloseAfter, func() { _ = pc.Close() })
	}
	if how.StallAfter > 0 {
		time.AfterFunc(how.StallAfter+100*time.Millisecond, func() { // the other end must see it connected too
			f.udp.mu.Lock()
			f.udp.stalled = true
			f.udp.mu.Unlock()
		})
	}
}

func (f *endpointServer) read(p *publisher, track *webrtc.TrackRemote) {
	var reader *rtp.Reader
	if track.Kind() == webrtc.RTPCodecTypeVideo {
		h264 := &format.H264{PayloadTyp: uint8(track.PayloadType()), PacketizationMode: 1}
		desc := &description.Session{Medias: []*description.Media{{Type: description.MediaTypeVideo, Formats: []format.Format{h264}}}}
		var err error
		if reader, err = rtp.NewReader(desc, p); err != nil {
			f.t.Error(err)
			return
		}
		// As if it had just joined.
		_ = p.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(track.SSRC())}})
	}
	line := reorderBuffer{packets: map[uint16]*pion.Packet{}}
	for {
		pkt, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		if reader != nil {
			for _, pkt := range line.add(pkt) {
				_ = reader.Packet(0, pkt, time.Now())
			}
			continue
		}
		p.mu.Lock()
		p.opus = append(p.opus, pkt.Header)
		p.mu.Unlock()
	}
}

// reorderBuffer waits for packets that are repeated.
type reorderBuffer struct {
	begun   bool
	next    uint16
	packets map[uint16]*pion.Packet
}

func (o *reorderBuffer) add(pkt *pion.Packet) (ready []*pion.Packet) {
	if !o.begun {
		o.begun, o.next = true, pkt.SequenceNumber
	}
	o.packets[pkt.SequenceNumber] = pkt
	for len(o.packets) > 0 {
		if pkt := o.packets[o.next]; pkt != nil {
			ready = append(ready, pkt)
			delete(o.packets, o.next)
		} else if len(o.packets) < 200 {
			break
		}
		o.next++
	}
	return ready
}
