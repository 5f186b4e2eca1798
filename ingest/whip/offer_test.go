package whip

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"obvan/ingest"
	"obvan/internal/signalling"
	"obvan/internal/testkit"
)

// chromium is the relevant parts of a Chromium offer, in its order.
const chromium = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=msid-semantic: WMS\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 107 39 45\r\nc=IN IP4 0.0.0.0\r\n" + common + "a=mid:0\r\n" +
	"a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n" +
	"a=rtpmap:103 H264/90000\r\na=rtcp-fb:103 nack\r\na=rtcp-fb:103 nack pli\r\na=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r\n" +
	"a=rtpmap:104 H264/90000\r\na=fmtp:104 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42e01f\r\n" +
	"a=rtpmap:107 H264/90000\r\na=rtcp-fb:107 nack\r\na=rtcp-fb:107 nack pli\r\na=rtcp-fb:107 transport-cc\r\na=fmtp:107 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n" +
	"a=rtpmap:39 H265/90000\r\na=rtpmap:45 AV1/90000\r\na=ssrc:1 cname:x\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\nc=IN IP4 0.0.0.0\r\n" + common + "a=mid:1\r\n" +
	"a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=ssrc:2 cname:x\r\n"

const common = "a=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=ice-options:trickle\r\n" +
	"a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n" +
	"a=setup:actpass\r\na=sendonly\r\na=rtcp-mux\r\na=msid:- track\r\na=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n" +
	"a=extmap:13 urn:3gpp:video-orientation\r\n"

func TestTheCodecsToAcceptAreFoundInAnOffer(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		needed offer
		fails  error
	}{
		"a browser":                        {body: chromium, needed: offer{h264: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", audio: true}},
		"baseline only":                    {body: strings.ReplaceAll(chromium, "mode=1;profile-level-id=42e01f", "mode=1;profile-level-id=42c01f"), needed: offer{h264: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f", audio: true}},
		"a client that insists on passive": {body: strings.ReplaceAll(chromium, "actpass", "passive"), needed: offer{h264: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f", audio: true, passive: true}},
		"without audio":                    {body: chromium[:strings.Index(chromium, "m=audio")], needed: offer{h264: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"}},
		"VP8 only":                         {body: strings.ReplaceAll(chromium, " H264/90000", " VP9/90000"), fails: errNoH264},
		"single NAL units only":            {body: strings.ReplaceAll(chromium, "packetization-mode=1", "packetization-mode=0"), fails: errNoH264},
		"no supported codec":               {body: strings.ReplaceAll(strings.Replace(chromium, "m=video", "m=audio", 1), "opus", "speex"), fails: errNoCodec},
		"a player":                         {body: strings.ReplaceAll(chromium, "sendonly", "recvonly"), fails: errReceives},
		"data":                             {body: chromium + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", fails: signalling.ErrData},
		"too many sections":                {body: chromium + strings.Repeat("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", 9), fails: signalling.ErrOffer},
		"too many candidates":              {body: chromium + strings.Repeat("a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", 65), fails: signalling.ErrOffer},
		"no SDP":                           {body: "<html>", fails: signalling.ErrOffer},
		"nothing":                          {body: "", fails: signalling.ErrOffer},
		"too many lines":                   {body: chromium + strings.Repeat("a=x\r\n", signalling.MaxLines), fails: signalling.ErrOffer},
	} {
		got, err := readOffer(c.body)
		got.text = ""
		if c.fails == nil && (err != nil || got != c.needed) || c.fails != nil && !errors.Is(err, c.fails) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

// ownPorts is a WebRTC port of its own for each connection.
type ownPorts struct{}

func (ownPorts) API(m *webrtc.MediaEngine, r *interceptor.Registry, tune func(*webrtc.SettingEngine)) (*webrtc.API, error) {
	set := webrtc.SettingEngine{}
	set.SetIncludeLoopbackCandidate(true)
	set.SetIPFilter(net.IP.IsLoopback)
	tune(&set)
	return webrtc.NewAPI(webrtc.WithSettingEngine(set), webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(r)), nil
}

// answerTo is the answer to an offer.
func answerTo(t testing.TB, body string) (string, error) {
	t.Helper()
	o, err := readOffer(body)
	if err != nil {
		return "", err
	}
	se := &session{gate: newKeyframeGate(nil), log: slog.New(slog.DiscardHandler), end: func(error) {}}
	defer func() {
		if se.pc != nil {
			_ = se.pc.GracefulClose()
		}
	}()
	return se.negotiate(ownPorts{}, o)
}

func TestAnAnswerHasOneCodecPerSection(t *testing.T) {
	answer, err := answerTo(t, chromium)
	if err != nil {
		t.Fatal(err)
	}
	for _, needed := range []string{
		"m=video 9 UDP/TLS/RTP/SAVPF 107\r\n", "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
		"profile-level-id=42e01f;x-google-start-bitrate=2500\r\n", "a=rtcp-fb:107 nack pli", "a=rtcp-fb:107 transport-cc",
		"transport-wide-cc-extensions-01", "a=recvonly", "a=setup:passive", "stereo=1", "a=candidate:",
	} {
		if !strings.Contains(answer, needed) {
			t.Errorf("%q is not in the answer:\n%s", needed, answer)
		}
	}
	for _, never := range []string{"VP8", "AV1", "rtx", "video-orientation"} { // a rotated phone must rotate its own video
		if strings.Contains(answer, never) {
			t.Errorf("%q is in the answer:\n%s", never, answer)
		}
	}
	if answer, err = answerTo(t, strings.ReplaceAll(chromium, "actpass", "passive")); err != nil || !strings.Contains(answer, "a=setup:active") {
		t.Errorf("to a passive peer: %v\n%s", err, answer)
	}
}

func TestTheNumberOfCamerasAndTheLengthOfAnOfferAreLimited(t *testing.T) {
	s := New(ingest.Env{Log: slog.New(slog.DiscardHandler), Authorise: func(ingest.Request) error { return nil }}, ownPorts{})
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/whip/cam1", strings.NewReader(strings.Repeat("x", signalling.MaxBytes+1)))
	r.Header.Set("Content-Type", "application/sdp")
	if s.ServeHTTP(w, r); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("an offer that is too long: %d %s", w.Code, w.Body)
	}
	if err := s.add(&session{id: "early", host: "a"}); !errors.Is(err, errNotNow) {
		t.Errorf("before Run: %v", err)
	}
	s.running = true
	for i := range maxByRemote {
		if err := s.add(&session{id: fmt.Sprint("a", i), host: "a"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.add(&session{id: "more", host: "a"}); !errors.Is(err, errFull) {
		t.Errorf("one address: %v", err)
	}
	for i := range maxSessions - maxByRemote {
		if err := s.add(&session{id: fmt.Sprint("b", i), host: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.add(&session{id: "more", host: "z"}); !errors.Is(err, errFull) {
		t.Errorf("all together: %v", err)
	}
}

func FuzzOffer(f *testing.F) {
	f.Add(chromium)
	f.Add(strings.ReplaceAll(chromium, "a=mid:0", "a=mid:0\r\na=rid:1 send\r\na=simulcast:send 1;~2"))
	f.Add(strings.ReplaceAll(chromium, "107", "99999999999"))
	f.Add(strings.ReplaceAll(chromium, "a=rtcp-mux", "a=candidate:1 1 udp 2 127.0.0.1 9 typ host"))
	f.Add("v=0\r\nm=video")
	f.Fuzz(func(t *testing.T, body string) {
		if len(body) > signalling.MaxBytes {
			return
		}
		began := time.Now()
		if _, err := answerTo(t, body); err != nil && !errors.Is(err, signalling.ErrOffer) && !errors.Is(err, signalling.ErrAnswer) && !errors.Is(err, errNoH264) && !errors.Is(err, errNoCodec) {
			t.Error(err)
		}
		if d := time.Since(began); d > testkit.Allow(3*time.Second) {
			t.Errorf("an offer that takes %v", d)
		}
	})
}
