package rtmp_test

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"time"

	"obvan/hub"
	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/amf0"
	chunks "obvan/media/rtmp"
	"obvan/relay"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
)

func TestOpusTravelsAsEnhancedRTMPBesideOrdinaryH264(t *testing.T) {
	s := startServer(t, nil)
	h := hub.New()
	p, err := h.Publish(hub.Program, hub.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	opus := media.Track{Codec: media.Opus, SampleRate: 48000, Channels: 2, Config: []byte{0, 2, 1, 0x38, 0, 0, 0xbb, 0x80, 0, 0, 0}}
	p.SetTracks(media.Tracks{relaytest.Tracks(0)[0], opus})
	p.Write(media.AccessUnit{Track: 0, Key: true, Data: []byte{0, 0, 0, 2, 0x65, 0x80}})
	p.Write(media.AccessUnit{Track: 1, Key: true, Data: []byte("one packet of Opus")})
	sub, err := h.Subscribe(hub.Program)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	u, err := url.Parse(s.URL() + "#k")
	if err != nil {
		t.Fatal(err)
	}
	go func() { ended <- rtmp.New(nil).Push(ctx, u, sub, relay.NewLink(nil)) }()
	testkit.Eventually(t, 5*time.Second, func() bool { return s.Last("k") != nil && len(s.Last("k").Units()) == 2 }, "both units arrive")
	audio := s.Last("k").Units()[1]
	if audio.Video || audio.Track.Codec != media.Opus || string(audio.Data) != "one packet of Opus" || string(audio.Track.Config) != string(opus.Config) {
		t.Errorf("got %+v", audio)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("err = %v", err)
	}
}

func TestOnlyCodecsThatNeedEnhancedRTMPAreAnnounced(t *testing.T) {
	for codec, want := range map[media.Codec]int{media.H264: 0, media.H265: 1} {
		listed := make(chan int, 1)
		addr := serveScript(t, func(w *chunks.Writer, name string, values []any) bool {
			about, _ := values[2].(amf0.Object)
			list, _ := about.Get("fourCcList").([]any)
			listed <- len(list)
			w.Command(0, "_error", 1, nil, info("error", "NetConnection.Connect.Rejected", ""))
			return false
		})
		h := hub.New()
		p, err := h.Publish(hub.Program, hub.Origin{})
		if err != nil {
			t.Fatal(err)
		}
		p.SetTracks(media.Tracks{{Codec: codec}})
		sub, err := h.Subscribe(hub.Program)
		if err != nil {
			t.Fatal(err)
		}
		err = rtmp.New(nil).Push(t.Context(), &url.URL{Scheme: "rtmp", Host: addr, Path: "/app", Fragment: "k"}, sub, relay.NewLink(nil))
		if !errors.Is(err, relay.ErrRefused) {
			t.Errorf("err = %v", err)
		}
		if n := <-listed; n != want {
			t.Errorf("%v: %d codecs announced, want %d", codec, n, want)
		}
		p.Close()
	}
}
