package freezedetect

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/demo"
	"obvan/ingest/ingesttest"
	"obvan/internal/testkit"
	"obvan/media"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var quiet = slog.New(slog.DiscardHandler)

// fake is a decoder whose thumbnails are of one gray level: the last byte of the frame.
type fake struct {
	*io.PipeReader
	to     *io.PipeWriter
	silent bool // answers nothing
	fails  error
}

func (f *fake) Write(frame []byte) (int, error) {
	if f.fails == nil && !f.silent {
		go f.to.Write(bytes.Repeat(frame[len(frame)-7:len(frame)-6], width*height)) // before the delimiter
	}
	return len(frame), f.fails
}

func (f *fake) Close() error { return f.to.Close() }

// rig is a detector with fake decoders, and the samples that it reported.
type rig struct {
	*Detector
	mu      sync.Mutex
	stream  string
	changed chan struct{}
	samples []Sample
	started []media.Codec
}

// newRig runs a detector until the test's bubble ends.
func newRig(t *testing.T, next func() *fake) *rig {
	t.Helper()
	d := &rig{Detector: &Detector{hub: hub.New(), log: quiet, settleTime: settleTime}, changed: make(chan struct{})}
	d.start = func(_ context.Context, c media.Codec) (decoder, error) {
		d.mu.Lock()
		d.started = append(d.started, c)
		d.mu.Unlock()
		f := next()
		f.PipeReader, f.to = io.Pipe()
		return f, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.Run(ctx, d.at, d.report); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return d
}

func (d *rig) at() (string, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stream, d.changed
}

func (d *rig) report(s Sample) {
	d.mu.Lock()
	d.samples = append(d.samples, s)
	d.mu.Unlock()
}

func (d *rig) selectStream(stream string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stream = stream
	close(d.changed)
	d.changed = make(chan struct{})
}

// taken is the samples since the last call, and how often a decoder was started so far.
func (d *rig) taken() (samples []Sample, starts int) {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	samples, d.samples = d.samples, nil
	return samples, len(d.started)
}

// publish publishes a keyframe twice a second; gray is the level of the n-th.
func publish(t *testing.T, h *hub.Hub, name string, gray func(n int) byte) {
	t.Helper()
	p, err := h.Publish(name, hub.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	p.SetTracks(ingesttest.Tracks())
	ctx, cancel := context.WithCancel(context.Background())
	var publishing sync.WaitGroup
	publishing.Go(func() {
		defer p.Close()
		for n := 0; ctx.Err() == nil; n++ {
			at := time.Duration(n) * 500 * time.Millisecond
			p.Write(media.AccessUnit{Key: true, PTS: at, DTS: at, Data: []byte{0, 0, 0, 2, 0x65, gray(n)}})
			select {
			case <-time.After(500 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	t.Cleanup(func() { cancel(); publishing.Wait() })
}

func TestAFrozenStreamIsReportedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newRig(t, func() *fake { return &fake{} })
		publish(t, d.hub, "cam1", func(int) byte { return 99 })
		d.selectStream("cam1")
		time.Sleep(settleTime + 10*time.Second + 100*time.Millisecond)
		samples, starts := d.taken()
		if len(samples) < 10 || len(samples) > 12 || starts != 1 {
			t.Fatalf("%d samples by %d decoders", len(samples), starts)
		}
		for i, s := range samples {
			if want := (Sample{"cam1", true, i > 0}); s != want {
				t.Errorf("sample %d: %+v", i, s)
			}
		}
	})
}

func TestAMovingStreamIsNotFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newRig(t, func() *fake { return &fake{} })
		publish(t, d.hub, "cam1", func(n int) byte { return byte(10 + n) })
		d.selectStream("cam1")
		time.Sleep(10 * time.Second)
		samples, _ := d.taken()
		if len(samples) < 7 || slices.ContainsFunc(samples, func(s Sample) bool { return s.Frozen }) {
			t.Errorf("%+v", samples)
		}
	})
}

func TestRapidCutsStartNoDecoder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newRig(t, func() *fake { return &fake{} })
		publish(t, d.hub, "cam1", func(int) byte { return 1 })
		publish(t, d.hub, "cam2", func(int) byte { return 2 })
		for n := range 50 {
			d.selectStream([]string{"cam1", "cam2"}[n%2])
			time.Sleep(time.Second)
		}
		if _, starts := d.taken(); starts != 0 {
			t.Errorf("%d decoders", starts)
		}
		d.selectStream("cam1")
		time.Sleep(5 * time.Second)
		d.selectStream("")
		if samples, starts := d.taken(); starts != 1 || len(samples) == 0 {
			t.Errorf("%d decoders, %+v", starts, samples)
		}
		time.Sleep(5 * time.Second)
		if samples, starts := d.taken(); starts != 1 || len(samples) != 0 {
			t.Errorf("no stream is watched: %d decoders, %+v", starts, samples)
		}
	})
}

func TestABrokenDecoderIsRestartedWithBackoff(t *testing.T) {
	for name, broken := range map[string]func() *fake{
		"accepts no data": func() *fake { return &fake{fails: errors.New("broken pipe")} },
		"returns no data": func() *fake { return &fake{silent: true} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newRig(t, broken)
				publish(t, d.hub, "cam1", func(int) byte { return 1 })
				d.selectStream("cam1")
				time.Sleep(20 * time.Minute)
				samples, starts := d.taken()
				if t.Logf("%d starts in 20 minutes", starts); starts < 5 || starts > 90 || len(samples) > 0 {
					t.Errorf("%d starts, %d samples", starts, len(samples))
				}
			})
		})
	}
}

func TestNothingIsReportedWithoutFFmpeg(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := &Detector{hub: hub.New(), log: quiet}
	if err := d.Run(ctx, func() (string, <-chan struct{}) { t.Error("it asks for the stream"); return "", nil }, nil); err != nil {
		t.Error(err)
	}
}

func TestUniformAndFrozenThumbnailsAreRecognized(t *testing.T) {
	noisy := make([]byte, width*height)
	for i := range noisy {
		noisy[i] = byte(16 + i*7%9)
	}
	bar := bytes.Clone(noisy)
	for i := range width * 3 { // 3 of 90 lines
		bar[i] = 200
	}
	if !uniform(noisy) || uniform(bar) || !uniform(make([]byte, width*height)) || !uniform(bytes.Repeat([]byte{255}, width*height)) {
		t.Error("noise, a bar, black or white is misjudged")
	}
	other := bytes.Clone(noisy)
	for i := 0; i < len(other); i += 4 {
		other[i]++
	}
	if !frozen(noisy, other) {
		t.Error("a quarter of a level apart, and not frozen")
	}
	for i := range other {
		other[i] = noisy[i] + byte(i%2)
	}
	if frozen(noisy, other) {
		t.Error("half a level apart, and frozen")
	}
}

// samplesOf runs a detector with ffmpeg until it has reported n samples of the stream that
// play writes.
func samplesOf(t *testing.T, n int, play func(ctx context.Context, h *hub.Hub)) []Sample {
	t.Helper()
	testkit.Tool(t, "ffmpeg")
	d := New(hub.New(), slog.New(slog.NewTextHandler(t.Output(), nil)))
	d.settleTime = 0
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { play(ctx, d.hub) })
	testkit.Eventually(t, 5*time.Second, func() bool { _, live := d.hub.Stream("cam1"); return live }, "live")
	samples := make(chan Sample, 100)
	running.Go(func() {
		_ = d.Run(ctx, func() (string, <-chan struct{}) { return "cam1", nil }, func(s Sample) { samples <- s })
	})
	var all []Sample
	testkit.Eventually(t, 20*time.Second, func() bool {
		select {
		case s := <-samples:
			all = append(all, s)
		default:
		}
		return len(all) == n
	}, "%d samples", n)
	t.Logf("%+v", all)
	return all
}

func TestADemoCameraIsNeitherBlackNorFrozen(t *testing.T) {
	for _, s := range samplesOf(t, 3, func(ctx context.Context, h *hub.Hub) {
		u := &url.URL{Scheme: "demo", Host: "cam1"}
		_ = demo.Pull(ctx, u, ingest.Env{Hub: h, Log: quiet, Authorise: func(ingest.Request) error { return nil }}, "cam1", func() {})
	}) {
		if s.Black || s.Frozen {
			t.Errorf("%+v", s)
		}
	}
}

// The encoder spends a constant bitrate on the video, although nothing moves: the sizes of the
// frames show nothing.
func TestBlackAndFrozenStreamsAreDetectedWithFFmpeg(t *testing.T) {
	for name, c := range map[string]struct {
		graph string
		codec media.Codec
		black bool
	}{
		"a still image":          {"testsrc2=s=640x360:r=30,loop=-1:1", media.H264, false},
		"black with noise":       {"color=black:s=640x360:r=30,noise=c0s=6:c0f=t", media.H264, true},
		"a still image in H.265": {"testsrc2=s=640x360:r=30,loop=-1:1", media.H265, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			track, keys := encode(t, c.graph, c.codec)
			samples := samplesOf(t, 4, func(ctx context.Context, h *hub.Hub) { play(t, ctx, h, track, keys) })
			last := samples[len(samples)-1]
			if last.Black != c.black || last.Frozen != !c.black {
				t.Errorf("%+v", last)
			}
		})
	}
}

// play publishes one frame a second.
func play(t *testing.T, ctx context.Context, h *hub.Hub, track media.Track, keys [][]byte) {
	p, err := h.Publish("cam1", hub.Origin{})
	if err != nil {
		t.Error(err)
		return
	}
	defer p.Close()
	p.SetTracks(media.Tracks{track})
	for n := 0; ctx.Err() == nil; n++ {
		at := time.Duration(n) * time.Second
		p.Write(media.AccessUnit{Key: true, PTS: at, DTS: at, Data: keys[n%len(keys)]})
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

// encode encodes a few keyframes, and returns them with length prefixes.
func encode(t *testing.T, graph string, codec media.Codec) (track media.Track, keys [][]byte) {
	t.Helper()
	args := []string{"-v", "error", "-f", "lavfi", "-i", graph, "-frames:v", "10", "-pix_fmt", "yuv420p", "-b:v", "4M", "-g", "1"}
	if codec == media.H264 {
		args = append(args, "-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "keyint=1:slices=1:threads=1:aud=1", "-f", "h264", "-")
	} else {
		args = append(args, "-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=1:aud=1", "-f", "hevc", "-")
	}
	out, err := exec.Command(testkit.Tool(t, "ffmpeg"), args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, nal := range bytes.Split(out, []byte{0, 0, 1}) {
		nal = bytes.TrimRight(nal, "\x00")
		switch {
		case len(nal) == 0:
			continue
		case nal[0] == 0x09, nal[0] == 0x46: // an access unit delimiter: the next frame and its parameter sets follow
			keys = append(keys, nil)
		}
		last := &keys[len(keys)-1]
		*last = append(binary.BigEndian.AppendUint32(*last, uint32(len(nal))), nal...)
	}
	if len(keys) != 10 {
		t.Fatalf("%d frames", len(keys))
	}
	return media.Track{Codec: codec}, keys
}
