package rtmp_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluenviron/gortmplib"
	"github.com/bluenviron/gortmplib/pkg/codecs"

	"obvan/hub"
	"obvan/ingest/ingesttest"
	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/flv"
	wire "obvan/media/rtmp"
	"obvan/media/rtmp/rtmptest"
	"obvan/monitor/rtmp"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// listen runs a play-out port that requires the token "watch".
func listen(t *testing.T) (h *hub.Hub, addr string) {
	t.Helper()
	h, addr, _ = run(t)
	return h, addr
}

// run is listen for a test that stops the server itself; stop waits for its end.
func run(t *testing.T) (h *hub.Hub, addr string, stop func()) {
	t.Helper()
	h = hub.New()
	srv, err := rtmp.Listen(&url.URL{Scheme: "rtmp", Host: "127.0.0.1:0"}, h, func(stream, token, remote string) error {
		if token != "watch" {
			return errors.New("the token is wrong or missing")
		}
		return nil
	}, nil, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return h, srv.Addr(), stop
}

var tracks = ingesttest.Tracks()

func feed(t *testing.T, h *hub.Hub, name string) *hub.Publisher {
	t.Helper()
	p, err := h.Publish(name, hub.Origin{Proto: "test"})
	if err != nil {
		t.Fatal(err)
	}
	p.SetTracks(tracks)
	t.Cleanup(p.Close)
	return p
}

// live publishes to p for some seconds, at the pace of a camera.
func live(t *testing.T, p *hub.Publisher) {
	var end sync.WaitGroup
	stop := make(chan struct{})
	end.Go(func() {
		from := time.Now()
		for _, au := range ingesttest.Units(tracks, 250) {
			select {
			case <-stop:
				return
			case <-time.After(time.Until(from.Add(au.DTS))):
				p.Write(au)
			}
		}
	})
	t.Cleanup(func() { close(stop); end.Wait() })
}

// player is a client that plays.
func player(t *testing.T, addr, name string) *rtmptest.Client {
	t.Helper()
	c := rtmptest.Dial(t, addr)
	c.Connect("live")
	c.R.Media(true)
	if code, text := c.Play(name + "?token=watch"); code != "NetStream.Play.Start" {
		t.Fatalf("%s: %s", code, text)
	}
	return c
}

// next is the next audio or video message.
func next(t *testing.T, c *rtmptest.Client) wire.Message {
	t.Helper()
	for {
		m, err := c.R.Read()
		if err != nil {
			t.Fatal(err)
		}
		if m.Type == wire.TypeAudio || m.Type == wire.TypeVideo {
			return m
		}
	}
}

func TestAPlayerStartsWithHeadersAndTheNewestKeyframe(t *testing.T) {
	h, addr := listen(t)
	p := feed(t, h, hub.Program)
	units := ingesttest.Units(tracks, 15) // the newest keyframe is number 10
	for _, au := range units {
		au.DTS, au.PTS = au.DTS+time.Hour, au.PTS+time.Hour
		p.Write(au)
	}
	c := player(t, addr, hub.Program)
	if m := next(t, c); m.Timestamp != 0 || !bytes.Equal(m.Payload, flv.VideoConfig(&tracks[0])) {
		t.Fatalf("the first message is %+v", m)
	}
	if m := next(t, c); !bytes.Equal(m.Payload, flv.AudioConfig(&tracks[1])) {
		t.Fatalf("the second message is %+v", m)
	}
	for i := range units {
		if units[i].Track != 0 || units[i].DTS < 400*time.Millisecond {
			continue
		}
		m := next(t, c)
		for m.Type != wire.TypeVideo {
			m = next(t, c)
		}
		if want := uint32((units[i].DTS - 400*time.Millisecond).Milliseconds()); m.Timestamp != want || !bytes.HasSuffix(m.Payload, units[i].Data) {
			t.Fatalf("%d bytes at %d ms; want those of the frame at %d ms", len(m.Payload), m.Timestamp, want)
		}
	}
}

func TestAThirdPartyClientPlays(t *testing.T) {
	h, addr := listen(t)
	live(t, feed(t, h, "cam1"))
	cl := &gortmplib.Client{URL: &url.URL{Scheme: "rtmp", Host: addr, Path: "/live/cam1", RawQuery: "token=watch"}}
	if err := cl.Initialize(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	cl.NetConn().SetDeadline(time.Now().Add(testkit.Allow(20 * time.Second)))
	r := &gortmplib.Reader{Conn: cl}
	if err := r.Initialize(); err != nil || len(r.Tracks()) != 2 {
		t.Fatalf("%v %v", r.Tracks(), err)
	}
	var frames atomic.Int64
	for _, tr := range r.Tracks() {
		switch tr.Codec.(type) {
		case *codecs.H264:
			r.OnDataH264(tr, func(_, _ time.Duration, _ [][]byte) { frames.Add(1) })
		case *codecs.MPEG4Audio:
			r.OnDataMPEG4Audio(tr, func(time.Duration, []byte) {})
		}
	}
	for frames.Load() < 5 {
		if err := r.Read(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestARefusalSaysWhy(t *testing.T) {
	h, addr := listen(t)
	feed(t, h, "cam1")
	for _, c := range []struct{ app, name, code, text string }{
		{"live", "cam1", "NetStream.Play.Failed", "token"},
		{"live", "cam1?token=nope", "NetStream.Play.Failed", "token"},
		{"live", "cam2", "NetStream.Play.Failed", "token"}, // a client without a token is not told what is live
		{"live", "cam2?token=watch", "NetStream.Play.StreamNotFound", "nothing is live"},
		{"vod", "cam1?token=watch", "NetStream.Play.StreamNotFound", "rtmp://HOST/live"},
	} {
		cl := rtmptest.Dial(t, addr)
		cl.Connect(c.app)
		if code, text := cl.Play(c.name); code != c.code || !strings.Contains(text, c.text) {
			t.Errorf("%+v: %s: %s", c, code, text)
		}
	}
	cl := rtmptest.Dial(t, addr)
	cl.Connect("live")
	if code, text := cl.Publish("cam9?token=watch"); code != "NetStream.Publish.Rejected" || !strings.Contains(text, "playback only") {
		t.Errorf("%s: %s", code, text)
	}
}

func TestAPlayerIsNotifiedAndDisconnectedWhenItsFeedEnds(t *testing.T) {
	h, addr := listen(t)
	p := feed(t, h, "cam1")
	for _, au := range ingesttest.Units(tracks, 5) {
		p.Write(au)
	}
	c := player(t, addr, "cam1")
	next(t, c)
	p.Close()
	if code, _ := c.Status(); code != "NetStream.Play.UnpublishNotify" {
		t.Errorf("the last status is %q", code)
	}
	if !c.Disconnected(3 * time.Second) {
		t.Error("the connection stays open")
	}
}

func TestACodecChangeReachesThePlayerBeforeItsFrames(t *testing.T) {
	h, addr := listen(t)
	p := feed(t, h, "cam1")
	units := ingesttest.Units(tracks, 11)
	p.Write(units[0])
	c := player(t, addr, "cam1")
	next(t, c) // video configuration, audio configuration, then the frame
	next(t, c)
	next(t, c)
	other := media.Tracks{tracks[0]}
	other[0].Config = append(bytes.Clone(tracks[0].Config), 0)
	p.SetTracks(other)
	p.Write(units[0])
	if m := next(t, c); !bytes.Equal(m.Payload, flv.VideoConfig(&other[0])) {
		t.Fatalf("%x", m.Payload[:5])
	}
	if m := next(t, c); !bytes.HasSuffix(m.Payload, units[0].Data) {
		t.Fatalf("%x", m.Payload[:5])
	}
}

func TestASlowPlayerResumesAtAKeyframeAndDelaysNoOther(t *testing.T) {
	h, addr := listen(t)
	p := feed(t, h, "cam1")
	slow, fast := player(t, addr, "cam1"), player(t, addr, "cam1")
	testkit.Eventually(t, 3*time.Second, func() bool { st, _ := h.Stream("cam1"); return st.Readers == 2 }, "no players")
	var got atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			m, err := fast.R.Read()
			if err != nil {
				return
			}
			if m.Type == wire.TypeVideo && m.Payload[1] == 1 {
				got.Add(1)
			}
		}
	}()
	const frames = 600
	big := make([]byte, 200<<10) // 120 MB in all: more than the sockets can store
	from := time.Now().Add(-time.Minute)
	for i := range frames {
		at := time.Duration(i) * 40 * time.Millisecond
		copy(big, []byte{0, 3, 0x1f, 0xfc, 0x41})
		p.Write(media.AccessUnit{PTS: at, DTS: at, Key: i%25 == 0, Data: big, Arrived: from.Add(at)})
		testkit.Eventually(t, 5*time.Second, func() bool { return got.Load() > int64(i)-10 }, "the fast player is stuck at %d of %d", got.Load(), i)
	}
	// It continues to read: the gap ends at a keyframe.
	last, gap := uint32(0), false
	for last < (frames-26)*40 {
		m := next(t, slow)
		if m.Type != wire.TypeVideo || m.Payload[1] != 1 {
			continue
		}
		if last > 0 && m.Timestamp-last > 40 {
			gap = true
			if m.Payload[0]>>4 != 1 {
				t.Errorf("the gap after %d ms does not end at a keyframe", last)
			}
		}
		last = m.Timestamp
	}
	if !gap {
		t.Error("the slow player received everything")
	}
	p.Close()
	<-done
	if n := got.Load(); n != frames {
		t.Errorf("the fast player received %d of %d", n, frames)
	}
}

func TestAStalledPlayerDoesNotDelayShutdown(t *testing.T) {
	h, addr, stop := run(t)
	p := feed(t, h, "cam1")
	player(t, addr, "cam1")
	au := media.AccessUnit{Key: true, Data: make([]byte, 4<<20)}
	for range 8 { // more than the sockets can store
		au.DTS, au.PTS = au.DTS+time.Second, au.PTS+time.Second
		p.Write(au)
	}
	from := time.Now()
	stop()
	if d := time.Since(from); d > testkit.Allow(4*time.Second) {
		t.Errorf("it took %v", d)
	}
}

func TestFFprobeReadsTheStream(t *testing.T) {
	ffprobe := testkit.Tool(t, "ffprobe")
	h, addr := listen(t)
	live(t, feed(t, h, "cam1"))
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Allow(10*time.Second))
	defer cancel()
	cmd := exec.CommandContext(ctx, ffprobe, "-hide_banner", "-loglevel", "error", "-analyzeduration", "500000",
		"-show_entries", "stream=codec_name,width,height,sample_rate", "-of", "csv", "rtmp://"+addr+"/live/cam1?token=watch")
	out, err := cmd.Output()
	if s := string(out); err != nil || !strings.Contains(s, "h264,320,180") || !strings.Contains(s, "aac,") {
		t.Errorf("%s, %v", out, err)
	}
}
