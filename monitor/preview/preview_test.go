package preview

import (
	"bufio"
	"bytes"
	"context"
	"os/exec"
	"sync"
	"testing"
	"time"

	"obvan/hub"
	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/flv"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// encodeClip encodes a clip with B-frames that are references, as access units.
func encodeClip(t *testing.T, ffmpeg string) (track media.Track, units []media.AccessUnit) {
	t.Helper()
	out, err := exec.Command(ffmpeg, "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=960x540:r=30", "-t", "3", "-c:v", "libx264", "-preset", "veryfast",
		"-bf", "3", "-b_strategy", "0", "-x264-params", "b-pyramid=normal:ref=3:keyint=30", "-f", "flv", "-flvflags", "no_duration_filesize", "pipe:1").Output()
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(bytes.NewReader(out))
	r.Discard(13)
	var reader flv.Reader
	for {
		at, body, err := tag(r)
		if err != nil {
			return track, units
		}
		if body == nil {
			continue
		}
		p, err := reader.Video(at, body)
		if err != nil {
			t.Fatal(err)
		}
		if p.Config != nil {
			track = *p.Config
		}
		if len(p.Unit.Data) > 0 {
			units = append(units, p.Unit)
		}
	}
}

func TestAPreviewHasNoBFramesAndKeepsTheStreamsTimestamps(t *testing.T) {
	ffmpeg := testkit.Tool(t, "ffmpeg")
	track, units := encodeClip(t, ffmpeg)
	b := newRig(t, track)
	ctx, out := b.run(ffmpeg)
	const base = 3 * time.Hour // a camera that has been on for a while
	b.all.Go(func() {
		for _, au := range units {
			au.PTS, au.DTS = au.PTS+base, au.DTS+base
			b.from.Write(au)
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
				return
			}
		}
	})
	last := time.Duration(0)
	for n := range 75 {
		au, err := out.Next(ctx)
		if err != nil {
			t.Fatalf("after %d frames: %v", n, err)
		}
		if info := au.Info(); info.Codec != media.H264 || info.Width != 640 || info.Height != 360 {
			t.Fatalf("the preview is %+v", info)
		}
		if au.PTS <= last || au.PTS != au.DTS || au.PTS < base || au.PTS > base+4*time.Second || au.Arrived.IsZero() {
			t.Fatalf("frame %d at %v after %v", n, au.PTS, last)
		}
		last = au.PTS
	}
}

// rig is a stream and its preview.
type rig struct {
	t        *testing.T
	hub      *hub.Hub
	from, to *hub.Publisher
	all      sync.WaitGroup
}

func newRig(t *testing.T, track media.Track) *rig {
	t.Helper()
	b := &rig{t: t, hub: hub.New()}
	b.from, _ = b.hub.Publish("obs", hub.Origin{})
	b.to, _ = b.hub.Publish("small", hub.Origin{})
	b.from.SetTracks(media.Tracks{track})
	t.Cleanup(func() { b.from.Close(); b.to.Close() })
	return b
}

// run makes the preview until the test ends.
func (b *rig) run(ffmpeg string) (context.Context, *hub.Subscriber) {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Allow(20*time.Second))
	in, _ := b.hub.Subscribe("obs")
	out, _ := b.hub.Subscribe("small")
	b.all.Go(func() {
		if err := Run(ctx, ffmpeg, in, b.to); err != nil {
			b.t.Error(err)
		}
	})
	b.t.Cleanup(func() { cancel(); b.all.Wait(); in.Close(); out.Close() })
	return ctx, out
}

func TestFramesFromBeforeTheStartAreSkipped(t *testing.T) {
	ffmpeg := testkit.Tool(t, "ffmpeg")
	track, units := encodeClip(t, ffmpeg)
	b := newRig(t, track)
	began, there := time.Now().Add(-time.Second), 0
	for n := range units {
		units[n].Key = n == 0 // one keyframe, long ago
		units[n].Arrived = began.Add(units[n].DTS - units[0].DTS)
		if units[n].DTS-units[0].DTS < time.Second {
			b.from.Write(units[n])
			there = n
		}
	}
	ctx, out := b.run(ffmpeg)
	au, err := out.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if late := units[there].DTS - au.PTS; !au.Key || late > 300*time.Millisecond {
		t.Errorf("the preview starts %v behind", late)
	}
}

// live writes units as a camera does: in decode order, each at its decode time.
func live(ctx context.Context, to *hub.Publisher, units []media.AccessUnit) {
	for began, n := time.Now(), 0; n < len(units); n++ {
		select {
		case <-time.After(time.Until(began.Add(units[n].DTS - units[0].DTS))):
			to.Write(units[n])
		case <-ctx.Done():
			return
		}
	}
}

// A frame can't be shown before the frames that are decoded before it are, but it must not be
// delayed further: each frame that is due arrives although the camera sends nothing more.
func TestAPreviewFrameWaitsForNoLaterFrame(t *testing.T) {
	ffmpeg := testkit.Tool(t, "ffmpeg")
	track, units := encodeClip(t, ffmpeg)
	b := newRig(t, track)
	ctx, out := b.run(ffmpeg)
	for _, stop := range []int{50, 30} {
		sent := units[:stop]
		live(ctx, b.from, sent)
		units = units[stop:]
		newest, due := time.Duration(-1), time.Duration(0)
		for _, au := range sent {
			if au.PTS <= sent[len(sent)-1].DTS {
				due = max(due, au.PTS)
			}
		}
		for newest < due {
			au, err := out.Next(ctx)
			if err != nil {
				t.Fatalf("the frame at %v is delayed; the newest is at %v: %v", due, newest, err)
			}
			newest = au.PTS
		}
	}
}

func TestAnUnsupportedCodecIsReportedBeforehand(t *testing.T) {
	for _, tracks := range []media.Tracks{{}, {{Codec: media.AAC}}, {{Codec: media.AV1}}} {
		if Check(&tracks) == nil {
			t.Errorf("%v", tracks)
		}
	}
}

func TestAFailingFFmpegEndsThePreviewWithAnError(t *testing.T) {
	track, units := encodeClip(t, testkit.Tool(t, "ffmpeg"))
	b := newRig(t, track)
	b.from.Write(units[0])
	for _, program := range []string{"/nowhere/ffmpeg", testkit.Tool(t, "true")} {
		in, _ := b.hub.Subscribe("obs")
		if err := Run(t.Context(), program, in, b.to); err == nil {
			t.Errorf("%s: no error", program)
		}
		in.Close()
	}
}

func FuzzTag(f *testing.F) {
	f.Add([]byte{9, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 13})
	f.Add([]byte{9, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, body, err := tag(bufio.NewReader(bytes.NewReader(data))); err == nil && len(body) > len(data) {
			t.Fatal("the body is longer than the input")
		}
	})
}
