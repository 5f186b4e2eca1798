package signalling_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"

	"obvan/internal/signalling"
)

const offer = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 h264/90000\r\na=fmtp:96 a=1\r\na=fmtp:97 packetization-mode=1\r\n" +
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 OPUS/48000/2\r\n"

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestABodyThatIsNotAnOfferIsAnsweredWithItsStatus(t *testing.T) {
	for _, c := range []struct {
		kind   string
		body   io.Reader
		status int
	}{
		{"application/sdp; charset=utf-8", strings.NewReader(offer), 0},
		{"text/plain", strings.NewReader(offer), http.StatusUnsupportedMediaType},
		{"", strings.NewReader(offer), http.StatusUnsupportedMediaType},
		{"application/sdp", strings.NewReader(strings.Repeat("x", signalling.MaxBytes)), 0}, // for Parse to refuse
		{"application/sdp", strings.NewReader(strings.Repeat("x", signalling.MaxBytes+1)), http.StatusRequestEntityTooLarge},
		{"application/sdp", broken{}, http.StatusBadRequest},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", c.body)
		r.Header.Set("Content-Type", c.kind)
		if _, status, err := signalling.Read(httptest.NewRecorder(), r); status != c.status || (err == nil) != (status == 0) {
			t.Errorf("%q: %d %v, want %d", c.kind, status, err, c.status)
		}
	}
}

func TestOffersAboveTheLimitsAreRefused(t *testing.T) {
	for what, text := range map[string]string{
		"nothing":           "",
		"not SDP":           "<html>",
		"no media":          "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
		"sections":          offer + strings.Repeat("m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", 9),
		"candidates":        offer + strings.Repeat("a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", 65),
		"meaningless lines": offer + strings.Repeat("a=x\r\n", signalling.MaxLines),
	} {
		if _, err := signalling.Parse(text); !errors.Is(err, signalling.ErrOffer) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestCodecNamesAreFoundInAnyCase(t *testing.T) {
	desc, err := signalling.Parse(offer)
	if err != nil {
		t.Fatal(err)
	}
	video, audio := desc.MediaDescriptions[0], desc.MediaDescriptions[1]
	if got := slices.Collect(signalling.H264(video)); !slices.Equal(got, []string{"packetization-mode=1"}) {
		t.Errorf("H.264: %q", got)
	}
	if signalling.Opus(video) || !signalling.Opus(audio) {
		t.Error("Opus was not found in the audio section alone")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(offer)
	f.Add(strings.ReplaceAll(offer, "97", "99999999999"))
	f.Add("v=0\r\nm=video")
	f.Fuzz(func(t *testing.T, text string) {
		desc, err := signalling.Parse(text)
		if err != nil {
			return
		}
		for _, m := range append([]*sdp.MediaDescription{{}}, desc.MediaDescriptions...) {
			_, _ = slices.Collect(signalling.H264(m)), signalling.Opus(m)
		}
	})
}
