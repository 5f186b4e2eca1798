package rtsp

import (
	"strings"
	"testing"

	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/sdp"
)

const (
	sessionSection = "v=0\r\no=- 0 0 IN IP4 10.0.0.5\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
	videoSection   = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track1\r\n"
	audioSection   = "m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=control:track2\r\n"
	noConfig       = "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 MP4A-LATM/16000/1\r\na=fmtp:97 profile-level-id=1;cpresent=0;config=\r\na=control:track2\r\n"
)

func TestAnUnreadableTrackDoesNotCostTheOthers(t *testing.T) {
	for _, tc := range []struct {
		name, text, want string // the tracks' control attributes
	}{
		{"all readable", sessionSection + videoSection + audioSection, "track1 track2"},
		{"audio without its configuration", sessionSection + videoSection + noConfig, "track1"},
		{"the unreadable track first", sessionSection + noConfig + videoSection, "track1"},
		{"AAC in an unknown mode", sessionSection + videoSection + strings.ReplaceAll(noConfig, "MP4A-LATM", "mpeg4-generic"), "track1"},
		{"lines that end in LF", strings.ReplaceAll(sessionSection+videoSection+noConfig, "\r", ""), "track1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := &base.Response{Header: base.Header{"Content-Type": base.HeaderValue{"application/sdp; charset=utf-8"}}, Body: []byte(tc.text)}
			dropUnreadableTracks(res)
			var parsed sdp.SessionDescription
			var d description.Session
			if err := parsed.Unmarshal(res.Body); err != nil {
				t.Fatal(err)
			}
			if err := d.Unmarshal(&parsed); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range d.Medias {
				got = append(got, m.Control)
			}
			if strings.Join(got, " ") != tc.want {
				t.Fatalf("%q", got)
			}
		})
	}
}

func FuzzDropUnreadableTracks(f *testing.F) {
	f.Add([]byte(sessionSection + videoSection + noConfig))
	f.Add([]byte("\nm=\nm="))
	f.Fuzz(func(_ *testing.T, text []byte) {
		dropUnreadableTracks(&base.Response{Header: base.Header{"Content-Type": base.HeaderValue{"application/sdp"}}, Body: text})
	})
}
