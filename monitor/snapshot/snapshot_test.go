package snapshot

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/demo"
	"obvan/ingest/ingesttest"
	"obvan/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// start runs a server; it ends with the test.
func start(t *testing.T) (*hub.Hub, *Server) {
	t.Helper()
	testkit.Tool(t, "ffmpeg")
	h := hub.New()
	s := New(h, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	testkit.Eventually(t, 5*time.Second, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.running }, "it does not run")
	return h, s
}

// runCamera publishes a demo camera until the test ends, or stop is called.
func runCamera(t *testing.T, h *hub.Hub, camera string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	live, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- demo.Pull(ctx, &url.URL{Scheme: "demo", Host: camera}, ingest.Env{Hub: h, Log: slog.New(slog.DiscardHandler)}, camera, func() { close(live) })
	}()
	<-live
	stopped := false
	stop = func() {
		if cancel(); !stopped {
			stopped = true
			<-ended
		}
	}
	t.Cleanup(stop)
	return stop
}

func TestMeasureSnapshots(t *testing.T) {
	testkit.OnlyMeasuring(t)
	TestASnapshotShowsTheCurrentFrame(t)
}

// decoderOf is the running decoder of a stream; nil for none.
func (s *Server) decoderOf(stream string) *decoder {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.decoders[stream]
}

func TestASnapshotShowsTheCurrentFrame(t *testing.T) {
	h, s := start(t)
	stop := runCamera(t, h, "cam1")
	began := time.Now()
	first, err := s.JPEG(t.Context(), "cam1")
	if err != nil {
		t.Fatal(err)
	}
	size, err := jpeg.DecodeConfig(bytes.NewReader(first))
	if err != nil || size.Width != 1280 || size.Height != 720 {
		t.Errorf("%+v %v", size, err)
	}
	t.Logf("%d bytes after %v", len(first), time.Since(began))
	decoder, fastest := s.decoderOf("cam1"), time.Hour
	for range 5 {
		began = time.Now()
		if _, err := s.JPEG(t.Context(), "cam1"); err != nil {
			t.Error(err)
		}
		fastest = min(fastest, time.Since(began))
	}
	if s.decoderOf("cam1") != decoder {
		t.Error("each snapshot starts a decoder of its own")
	}
	testkit.Measure(t, "snapshot of a stream that is decoded already", testkit.Milliseconds(fastest), "ms", testkit.AtMost(50))
	testkit.Eventually(t, 3*time.Second, func() bool {
		next, err := s.JPEG(t.Context(), "cam1")
		return err == nil && !bytes.Equal(next, first)
	}, "the snapshot does not change")
	stop()
	testkit.Eventually(t, 3*time.Second, func() bool { _, err := s.JPEG(t.Context(), "cam1"); return errors.Is(err, hub.ErrNoStream) }, "a stream that ended has a snapshot")
}

func TestARequestWithoutADecodableFrameFails(t *testing.T) {
	h, s := start(t)
	if _, err := s.JPEG(t.Context(), "cam9"); !errors.Is(err, hub.ErrNoStream) {
		t.Errorf("no such stream: %v", err)
	}
	p, err := h.Publish("broken", hub.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.SetTracks(ingesttest.Tracks())
	for _, au := range ingesttest.Units(ingesttest.Tracks(), 3) { // these can't be decoded
		p.Write(au)
	}
	if _, err := s.JPEG(t.Context(), "broken"); !errors.Is(err, ErrNoVideo) {
		t.Errorf("frames that can't be decoded: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.JPEG(ctx, "broken"); !errors.Is(err, context.Canceled) && !errors.Is(err, ErrNoVideo) {
		t.Errorf("a request that was cancelled: %v", err)
	}
}

func TestTheNumberOfDecodersIsLimited(t *testing.T) {
	h, s := start(t)
	for _, camera := range demo.Cameras {
		runCamera(t, h, camera)
		if _, err := s.JPEG(t.Context(), camera); err != nil {
			t.Fatal(err)
		}
	}
	p, err := h.Publish("fifth", hub.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.SetTracks(ingesttest.Tracks())
	if _, err := s.JPEG(t.Context(), "fifth"); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
}

func TestMissingFFmpegIsReported(t *testing.T) {
	s := &Server{hub: hub.New()}
	if _, err := s.JPEG(t.Context(), "cam1"); !errors.Is(err, ErrNoDecoder) {
		t.Error(err)
	}
}

func FuzzReadJPEG(f *testing.F) {
	f.Add([]byte{0xff, 0xd8, 1, 0xff, 0xd9, 0xff, 0xd8, 0xff, 0xd9})
	f.Add([]byte{0xff, 0xd8, 0xd9, 0xff})
	f.Add([]byte("GIF89a\xd9"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(data), 16)
		for total := 0; ; {
			jpeg, err := readJPEG(r)
			if err != nil {
				return
			}
			if total += len(jpeg); total > len(data) || !bytes.HasPrefix(jpeg, []byte{0xff, 0xd8}) || !bytes.HasSuffix(jpeg, []byte{0xff, 0xd9}) {
				t.Fatalf("%x of %x", jpeg, data)
			}
		}
	})
}
