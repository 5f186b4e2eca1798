package whep

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"obvan/hub"
	"obvan/internal/signalling"
	"obvan/internal/testkit"
	"obvan/media"
)

const goodOffer = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 106\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n" +
	"a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n" +
	"a=setup:actpass\r\na=mid:0\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:106 H264/90000\r\n" +
	"a=fmtp:106 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"

func TestInvalidRequestsAreRefusedWithAReason(t *testing.T) {
	d := newRig(t)
	d.camera("cam1").publish(true)
	d.camera("hevc", media.Track{Codec: media.H265}).publish(true)
	d.camera("av1", media.Track{Codec: media.AV1}).publish(true)
	d.camera("radio", media.Track{Codec: media.AAC}).publish(true)
	d.camera("broken", media.Track{Codec: media.H264, Config: []byte{1, 2}}).publish(true)
	if p, err := d.hub.Publish("empty", hub.Origin{}); err == nil {
		t.Cleanup(p.Close)
	}
	sdp := "application/sdp"
	for _, c := range []struct {
		what, method, path, contentType, body string
		code                                  int
		text                                  string
	}{
		{"a stream that is not live", "POST", "/whep/unknown", sdp, goodOffer, 404, "not live"},
		{"no stream", "POST", "/whep/", sdp, goodOffer, 404, "not live"},
		{"a body of another content type", "POST", "/whep/cam1", "text/plain", goodOffer, 415, "application/sdp"},
		{"no content type", "POST", "/whep/cam1", "", goodOffer, 415, "application/sdp"},
		{"an offer of 65 KB", "POST", "/whep/cam1", sdp, goodOffer + strings.Repeat("a="+strings.Repeat("x", 1024)+"\r\n", 64), 413, "64 KB"},
		{"an empty body", "POST", "/whep/cam1", sdp, "", 400, "not SDP"},
		{"garbage", "POST", "/whep/cam1", sdp, "GET / HTTP/1.1", 400, "not SDP"},
		{"no media", "POST", "/whep/cam1", sdp, "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n", 400, "not SDP"},
		{"only audio", "POST", "/whep/cam1", sdp, strings.Replace(goodOffer, "m=video", "m=audio", 1), 400, "no video"},
		{"no H.264", "POST", "/whep/cam1", sdp, strings.ReplaceAll(goodOffer, "H264", "VP8"), 406, "H.264"},
		{"H.264 in single NAL mode", "POST", "/whep/cam1", sdp, strings.ReplaceAll(goodOffer, "packetization-mode=1", "packetization-mode=0"), 406, "H.264"},
		{"a publisher", "POST", "/whep/cam1", sdp, strings.ReplaceAll(goodOffer, "recvonly", "sendonly"), 400, "recvonly"},
		{"a data channel", "POST", "/whep/cam1", sdp, goodOffer + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:1\r\n", 400, "data channel"},
		{"nine media sections", "POST", "/whep/cam1", sdp, goodOffer + strings.Repeat("m=video 9 UDP/TLS/RTP/SAVPF 106\r\n", 8), 400, "too many"},
		{"65 candidates", "POST", "/whep/cam1", sdp, goodOffer + strings.Repeat("a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", 65), 400, "too many candidates"},
		{"an offer without a fingerprint", "POST", "/whep/cam1", sdp, strings.ReplaceAll(goodOffer, "a=fingerprint", "a=x"), 400, "can't be answered"},
		{"H.265", "POST", "/whep/hevc", sdp, goodOffer, 409, "H.265"},
		{"AV1", "POST", "/whep/av1", sdp, goodOffer, 409, "AV1"},
		{"a stream without video", "POST", "/whep/radio", sdp, goodOffer, 409, "no video"},
		{"broken parameter sets", "POST", "/whep/broken", sdp, goodOffer, 409, "parameter sets"},
		{"a stream before its first frame", "POST", "/whep/empty", sdp, goodOffer, 503, "no video yet"},
		{"trickle", "PATCH", "/whep/cam1/abc", "application/trickle-ice-sdpfrag", "", 405, "PATCH"},
		{"GET of a stream", "GET", "/whep/cam1", "", "", 405, "GET"},
		{"DELETE of a stream", "DELETE", "/whep/cam1", "", "", 405, "session"},
		{"DELETE of an unknown session", "DELETE", "/whep/cam1/abc", "", "", 404, "no such session"},
		{"OPTIONS", "OPTIONS", "/whep/cam1", "", "", 204, ""},
	} {
		r := d.do(c.method, c.path, c.contentType, c.body)
		if r.code != c.code || !strings.Contains(r.body, c.text) {
			t.Errorf("%s: %d %q", c.what, r.code, r.body)
		}
		if (r.code == http.StatusServiceUnavailable) != (r.header.Get("Retry-After") != "") {
			t.Errorf("%s: Retry-After %q", c.what, r.header.Get("Retry-After"))
		}
	}
	if n := d.whep.Viewers(); n != 0 {
		t.Errorf("refused requests left %d viewers", n)
	}
}

func (d *rig) limit(l limits) {
	d.whep.mu.Lock()
	d.whep.limits = l
	d.whep.mu.Unlock()
}

func TestViewersAreLimited(t *testing.T) {
	d := newRig(t)
	d.camera("cam1").publish(true)
	post := func(who, remote string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/whep/cam1", strings.NewReader(goodOffer))
		r.Header.Set("Content-Type", "application/sdp")
		r.RemoteAddr = remote
		w := httptest.NewRecorder()
		d.whep.ServeViewer(w, r, who)
		return w
	}
	if w := post("Vi", "192.0.2.1:1"); w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for _, c := range []struct {
		limits      limits
		who, remote string
		code        int
		text        string
	}{
		{limits{9, 1, 9, connectTimeout}, "Vi", "192.0.2.2:1", 429, "This token has reached its viewer limit."},
		{limits{9, 9, 1, connectTimeout}, "Bo", "192.0.2.1:2", 429, "This address has reached its viewer limit."},
		{limits{1, 1, 1, connectTimeout}, "Vi", "192.0.2.1:3", 503, "The server has reached its viewer limit."},
		{limits{9, 1, 1, connectTimeout}, "Bo", "192.0.2.2:2", 201, ""},
		{limits{9, 1, 1, connectTimeout}, "", "192.0.2.3:1", 201, ""},
		{limits{9, 1, 1, connectTimeout}, "", "192.0.2.4:1", 201, ""}, // without a token there is no limit per token
	} {
		d.limit(c.limits)
		w := post(c.who, c.remote)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.text) || (c.code == 201) != (w.Header().Get("Retry-After") == "") {
			t.Errorf("%q from %s: %d %q, Retry-After %q", c.who, c.remote, w.Code, w.Body, w.Header().Get("Retry-After"))
		}
	}
}

func TestAViewerThatNeverConnectsIsRemoved(t *testing.T) {
	d := newRig(t)
	d.camera("cam1").publish(true)
	d.limit(limits{9, 9, 9, 300 * time.Millisecond})
	r := d.post("/whep/cam1", goodOffer)
	if r.code != http.StatusCreated || !strings.Contains(r.body, "a=sendonly") || !strings.Contains(r.body, "127.0.0.1") {
		t.Fatalf("%d %s", r.code, r.body)
	}
	if strings.Contains(r.body, ".local") {
		t.Error("mDNS names in the answer")
	}
	if udp, tcp := strings.Count(r.body, " udp "), strings.Count(r.body, " tcptype passive"); udp == 0 || tcp == 0 {
		t.Errorf("%d UDP and %d TCP candidates", udp, tcp)
	}
	testkit.Eventually(t, 5*time.Second, func() bool { return d.whep.Viewers() == 0 }, "the viewer that never connected is removed")
}

func TestAServerThatIsNotRunningRefusesViewers(t *testing.T) {
	h := hub.New()
	s, err := New(h, "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.udp.Close()
	defer s.tcp.Close()
	d := &rig{t: t, hub: h, whep: s}
	d.camera("cam1").publish(true)
	req := httptest.NewRequestWithContext(t.Context(), "POST", "/whep/cam1", strings.NewReader(goodOffer))
	req.Header.Set("Content-Type", "application/sdp")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	if w.Code != http.StatusServiceUnavailable {
		body, _ := io.ReadAll(w.Result().Body)
		t.Fatalf("%d %s", w.Code, body)
	}
}

func TestUDPAndTCPUseTheSamePortNumber(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "0.0.0.0:0", ":0", "[::1]:0"} {
		s, err := New(hub.New(), addr, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if s.Addr() != s.tcp.Addr().String() {
			t.Errorf("%s: UDP %s, TCP %s", addr, s.Addr(), s.tcp.Addr())
		}
		s.udp.Close()
		s.tcp.Close()
	}
	if _, err := New(hub.New(), "nowhere.invalid:99999", slog.New(slog.DiscardHandler)); err == nil {
		t.Error("an invalid address is accepted")
	}
}

func FuzzOffer(f *testing.F) {
	f.Add(goodOffer)
	f.Add(strings.ReplaceAll(goodOffer, "a=mid:0", "a=mid:0\r\na=rid:1 recv\r\na=simulcast:recv 1;~2"))
	f.Add(strings.ReplaceAll(goodOffer, "a=recvonly", "a=recvonly\r\na=candidate:1 1 udp 2 127.0.0.1 9 typ host\r\na=ssrc:1 cname:x\r\na=extmap:1 a"))
	f.Add(strings.ReplaceAll(goodOffer, "106", "99999999999"))
	f.Add("v=0\r\nm=video")
	h := hub.New()
	s, err := New(h, "127.0.0.1:0", slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	set, closePorts, err := settings(s.udp, s.tcp)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = closePorts() })
	api, err := newAPI(set)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, offer string) {
		if len(offer) > signalling.MaxBytes {
			return
		}
		if _, err := checkOffer(offer); err != nil {
			return
		}
		v := &viewer{video: newSender(webrtc.RTPCodecTypeVideo, "cam1"), lifecycle: lifecycle{end: func(error) {}, connected: make(chan struct{})}}
		began := time.Now()
		_, _ = v.negotiate(api, offer)
		if v.pc != nil {
			_ = v.pc.GracefulClose()
		}
		if d := time.Since(began); d > testkit.Allow(2*time.Second) {
			t.Fatalf("the offer took %v to answer", d)
		}
	})
}

func TestRevokedAccessEndsItsSessions(t *testing.T) {
	d := newRig(t)
	d.camera("cam1").publish(true)
	p := d.watch("cam1") // without a token
	p.await(1)
	anna := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/whep/cam1", strings.NewReader(p.pc.LocalDescription().SDP))
	r.Header.Set("Content-Type", "application/sdp")
	d.whep.ServeViewer(anna, r, "Anna")
	if n := d.whep.Watching("cam1"); anna.Code != http.StatusCreated || n != 2 || d.whep.Watching("cam2") != 0 {
		t.Fatalf("status %d, %d viewers", anna.Code, n)
	}
	d.whep.End("Anna")
	testkit.Eventually(t, 5*time.Second, func() bool { return d.whep.Watching("cam1") == 1 }, "only the other viewer is left")
	p.leave()
}
