package rtmp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/ingesttest"
	"obvan/ingest/rtmp"
	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/flv"
	wire "obvan/media/rtmp"
	"obvan/media/rtmp/rtmptest"
)

// listen runs a server that accepts the contract's key, and another one for the mixer.
func listen(t *testing.T, scheme string) (h *hub.Hub, addr string) {
	t.Helper()
	h = hub.New()
	env := ingest.Env{Hub: h, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Authorise: func(r ingest.Request) error {
		if want := map[bool]string{true: "mixer-key", false: ingesttest.Key}[r.Stream == ingest.Mixer]; r.Key != want {
			return ingest.ErrUnauthorised
		}
		return nil
	}}
	if scheme == "rtmps" {
		web := httptest.NewUnstartedServer(nil)
		web.StartTLS()
		env.TLS = web.TLS
		web.Close()
	}
	srv, err := rtmp.Listen(&url.URL{Scheme: scheme, Host: "127.0.0.1:0"}, env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return h, srv.Addr()
}

// camera is a client that publishes cam1.
func camera(t *testing.T, addr string) *rtmptest.Client {
	t.Helper()
	c := rtmptest.Dial(t, addr)
	c.Connect("live")
	if code, message := c.Publish("cam1?key=" + ingesttest.Key); code != "NetStream.Publish.Start" {
		t.Fatalf("%s: %s", code, message)
	}
	return c
}

var tracks = ingesttest.Tracks()

func videoFrame(key bool, nals ...string) []byte {
	au := media.AccessUnit{Key: key, Tracks: &tracks}
	b := flv.AppendHeader(nil, &au)
	for _, s := range nals {
		nal, err := hex.DecodeString(s)
		if err != nil {
			panic(err)
		}
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(nal))), nal...)
	}
	return b
}

func audioFrame(b ...byte) []byte { return append(flv.AppendAudioHeader(nil, &tracks[1]), b...) }

// awaitTracks waits until the published tracks fulfil a condition.
func awaitTracks(t *testing.T, h *hub.Hub, what string, is func(media.Tracks) bool) {
	t.Helper()
	testkit.Eventually(t, 3*time.Second, func() bool {
		st, ok := h.Stream("cam1")
		return ok && st.Tracks != nil && is(*st.Tracks)
	}, "the tracks are not %s", what)
}

func TestNamesAndKeysAreFoundWhereDevicesPutThem(t *testing.T) {
	h, addr := listen(t, "rtmp")
	for _, c := range []struct{ app, name, stream string }{
		{"live", "cam1?token=" + ingesttest.Key, "cam1"},
		{"live/cam1?key=" + ingesttest.Key, "", "cam1"},
		{"live?key=" + ingesttest.Key, "cam1", "cam1"},
		{"mixer", "mixer-key", ingest.Mixer},
		{"mixer", "?key=mixer-key", ingest.Mixer},
		{"mixer/mixer-key", "", ingest.Mixer},
	} {
		cl := rtmptest.Dial(t, addr)
		cl.Connect(c.app)
		if code, message := cl.Publish(c.name); code != "NetStream.Publish.Start" {
			t.Errorf("%+v: %s: %s", c, code, message)
		}
		if st, ok := h.Stream(c.stream); !ok || st.Origin.Proto != "rtmp" || !strings.HasPrefix(st.Origin.Remote, "127.0.0.1:") {
			t.Errorf("%+v: in the hub: %+v", c, h.Streams())
		}
		cl.Close()
		testkit.Eventually(t, 3*time.Second, func() bool { return len(h.Streams()) == 0 }, "the name %s is still taken", c.stream)
	}
}

func TestARefusalSaysWhatToDo(t *testing.T) {
	h, addr := listen(t, "rtmp")
	for _, c := range []struct{ app, name, code, message string }{
		{"live", "cam1?key=nope", "NetStream.Publish.Rejected", "key"},
		{"live", "cam1", "NetStream.Publish.Rejected", "key"},
		{"live", "mixer?key=mixer-key", "NetStream.Publish.BadName", "reserved"},
		{"live", "program?key=" + ingesttest.Key, "NetStream.Publish.BadName", "reserved"},
		{"live", "a/b?key=" + ingesttest.Key, "NetStream.Publish.BadName", "letters"},
		{"live", "?key=" + ingesttest.Key, "NetStream.Publish.BadName", "letters"},
		{"mixer", ingesttest.Key, "NetStream.Publish.Rejected", "key"},
		{"vod", "cam1?key=" + ingesttest.Key, "NetStream.Publish.BadName", "rtmp://HOST/live"},
		{"", "", "NetStream.Publish.BadName", "rtmp://HOST/live"},
	} {
		cl := rtmptest.Dial(t, addr)
		cl.Connect(c.app)
		if code, message := cl.Publish(c.name); code != c.code || !strings.Contains(message, c.message) {
			t.Errorf("%+v: %s: %s", c, code, message)
		}
		if !cl.Disconnected(3 * time.Second) {
			t.Errorf("%+v: the connection stays open", c)
		}
	}
	c := camera(t, addr)
	second := rtmptest.Dial(t, addr)
	second.Connect("live")
	if code, message := second.Publish("cam1?key=" + ingesttest.Key); code != "NetStream.Publish.BadName" || !strings.Contains(message, "already") {
		t.Errorf("%s: %s", code, message)
	}
	c.Close()
	player := rtmptest.Dial(t, addr)
	player.Connect("live")
	if code, message := player.Play("cam1"); !strings.HasSuffix(code, "Failed") || !strings.Contains(message, "publishing only") {
		t.Errorf("%s: %s", code, message)
	}
	testkit.Eventually(t, 3*time.Second, func() bool { return len(h.Streams()) == 0 }, "a stream is still in the hub")
}

func TestOneTrackAloneGoesLiveAfterASecondAndTheOtherMayFollow(t *testing.T) {
	for _, first := range []media.Codec{media.H264, media.AAC} {
		h, addr := listen(t, "rtmp")
		c := camera(t, addr)
		configs := map[bool]func(at uint32){
			true:  func(at uint32) { c.Media(wire.TypeVideo, at, flv.VideoConfig(&tracks[0])) },
			false: func(at uint32) { c.Media(wire.TypeAudio, at, flv.AudioConfig(&tracks[1])) },
		}
		video := first.Video()
		configs[video](5000)
		for at := uint32(5000); at <= 6000; at += 100 {
			if st, _ := h.Stream("cam1"); st.Tracks != nil {
				t.Errorf("%v: published %d ms after its configuration", first, at-5000)
			}
			if video {
				c.Media(wire.TypeVideo, at, videoFrame(at == 5000, "65aa"))
			} else {
				c.Media(wire.TypeAudio, at, audioFrame(0x21, byte(at)))
			}
		}
		awaitTracks(t, h, first.String()+" alone", func(tr media.Tracks) bool { return len(tr) == 1 && tr[0].Codec == first })
		testkit.Eventually(t, 5*time.Second, func() bool {
			st, _ := h.Stream("cam1")
			return st.Frames+st.AudioFrames == 11
		}, "%v: buffered units were lost", first)
		configs[!video](6100)
		awaitTracks(t, h, "both", func(tr media.Tracks) bool {
			return len(tr) == 2 && tr[0].Codec == media.H264 && tr[1].Codec == media.AAC
		})
		c.Close()
	}
}

func TestParameterSetsInAKeyframeReplaceAMissingSequenceHeader(t *testing.T) {
	h, addr := listen(t, "rtmp")
	c := camera(t, addr)
	c.Media(wire.TypeAudio, 0, flv.AudioConfig(&tracks[1]))
	c.Media(wire.TypeVideo, 0, videoFrame(true, "65aa")) // undecodable, dropped
	c.Media(wire.TypeVideo, 40, videoFrame(true, "6742c00cda05067e7c0440000003004000000c83c50aa8", "68ce0fc8", "65bb"))
	awaitTracks(t, h, "those of the parameter sets", func(tr media.Tracks) bool {
		return len(tr) == 2 && bytes.Equal(tr[0].Config, tracks[0].Config) && tr[0].Width == 320
	})
	testkit.Eventually(t, 5*time.Second, func() bool { st, _ := h.Stream("cam1"); return st.Frames == 1 }, "no video frame")
}

func TestANewCodecConfigurationIsANewGenerationInOrder(t *testing.T) {
	h, addr := listen(t, "rtmp")
	c := camera(t, addr)
	c.Media(wire.TypeAudio, 0, flv.AudioConfig(&tracks[1]))
	c.Media(wire.TypeVideo, 0, flv.VideoConfig(&tracks[0]))
	other := tracks[0]
	other.Config = append(bytes.Clone(other.Config[:len(other.Config)-1]), 0xc9)
	sub, err := h.Subscribe("cam1")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	c.Media(wire.TypeVideo, 0, videoFrame(true, "65aa"))
	c.Media(wire.TypeVideo, 40, flv.VideoConfig(&other))
	c.Media(wire.TypeVideo, 40, videoFrame(false, "41aa")) // can't be decoded with the new parameter sets
	c.Media(wire.TypeVideo, 80, videoFrame(true, "65bb"))
	for i, want := range []media.Track{tracks[0], other} {
		au, err := sub.Next(t.Context())
		if err != nil || !au.Key || !bytes.Equal(au.Info().Config, want.Config) {
			t.Fatalf("unit %d: %+v %v", i, au, err)
		}
	}
}

func TestATimestampThatWrapsIsNotAJump(t *testing.T) {
	h, addr := listen(t, "rtmp")
	c := camera(t, addr)
	const start = 0xffffffff - 2000
	c.Media(wire.TypeAudio, start, flv.AudioConfig(&tracks[1]))
	c.Media(wire.TypeVideo, start, flv.VideoConfig(&tracks[0]))
	sub, err := h.Subscribe("cam1")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	const units = 100
	for i := range uint32(units) {
		c.Media(wire.TypeVideo, start+i*40, videoFrame(i == 0, "65aa"))
	}
	var first time.Duration
	for i := range units {
		au, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = au.DTS
		}
		if want := first + time.Duration(i)*40*time.Millisecond; au.DTS != want {
			t.Fatalf("unit %d is at %v, not %v", i, au.DTS, want)
		}
	}
	if st, _ := h.Stream("cam1"); len(st.Origin.Corrections()) != 0 {
		t.Errorf("corrected: %v", st.Origin.Corrections())
	}
}

func TestEnhancedRTMPFromAnotherImplementationArrives(t *testing.T) {
	hvc, err := hex.DecodeString("0101600000009000000000001ef000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003001e959809a10001002942010101600000030090000003000003001ea010204965959a4932bc05a02000000300200000030321a2000100074401c172b42240")
	if err != nil {
		t.Fatal(err)
	}
	sent := media.Tracks{
		{Codec: media.H265, Config: hvc, Width: 128, Height: 72},
		{Codec: media.Opus, SampleRate: 48000, Channels: 2},
	}
	for _, scheme := range []string{"rtmp", "rtmps"} {
		h, addr := listen(t, scheme)
		d, err := dial(t.Context(), &url.URL{Scheme: scheme, Host: addr, Path: "/live", Fragment: "cam1?key=" + ingesttest.Key}, sent)
		if err != nil {
			t.Fatal(err)
		}
		units := ingesttest.Units(sent, 20)
		for _, au := range units {
			if err := d.Send(au); err != nil {
				t.Fatal(err)
			}
		}
		awaitTracks(t, h, "H265 and Opus", func(tr media.Tracks) bool {
			return len(tr) == 2 && tr[0].Codec == media.H265 && tr[0].Width == 128 && tr[1].Codec == media.Opus && tr[1].Channels == 2
		})
		testkit.Eventually(t, 3*time.Second, func() bool {
			st, _ := h.Stream("cam1")
			return st.Frames == 20 && st.Keyframes == 2 && int(st.AudioFrames) == len(units)-20
		}, "%s: units are missing", scheme)
		d.Cut()
	}
}

func TestAPushFromFFmpegArrives(t *testing.T) {
	ffmpeg := testkit.Tool(t, "ffmpeg")
	h, addr := listen(t, "rtmp")
	cmd := exec.Command(ffmpeg, "-hide_banner", "-loglevel", "error", "-re",
		"-f", "lavfi", "-i", "testsrc=s=320x180:r=25", "-f", "lavfi", "-i", "sine=r=44100", "-t", "20",
		"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p", "-c:a", "aac",
		"-f", "flv", "rtmp://"+addr+"/live/cam1?key="+ingesttest.Key)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	testkit.Eventually(t, 10*time.Second, func() bool {
		st, ok := h.Stream("cam1")
		return ok && st.Frames > 30 && st.AudioFrames > 30
	}, "no video and audio from ffmpeg")
	st, _ := h.Stream("cam1")
	v := (*st.Tracks)[0]
	if v.Width != 320 || v.Height != 180 || v.FrameRate != 25 || st.KeyframeInterval != time.Second || len(st.Origin.Corrections()) != 0 {
		t.Errorf("%+v, keyframes every %v, corrected %v", v, st.KeyframeInterval, st.Origin.Corrections())
	}
	cmd.Process.Kill()
	testkit.Eventually(t, 2*time.Second, func() bool { return len(h.Streams()) == 0 }, "a killed publisher keeps its name")
}
