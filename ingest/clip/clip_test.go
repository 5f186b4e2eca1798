package clip_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/clip"
	"obvan/internal/testkit"
	"obvan/media"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// smallFormat is the format of a small program.
func smallFormat() clip.Format {
	return clip.Format{
		Video: media.Track{Codec: media.H264, Width: 320, Height: 180, FrameRate: 25},
		Audio: media.Track{Codec: media.AAC, SampleRate: 44100, Channels: 1},
	}
}

func still(t *testing.T, encode func(*bytes.Buffer, image.Image) error) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 333, 99))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{B: 255, A: 255}), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func pngStill(t *testing.T) []byte {
	return still(t, func(b *bytes.Buffer, i image.Image) error { return png.Encode(b, i) })
}

// makeMP4 makes an MP4 with ffmpeg.
func makeMP4(t *testing.T, args ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "upload.mp4")
	all := append([]string{"-v", "error", "-f", "lavfi", "-i", "testsrc=s=320x180:r=25:d=2", "-f", "lavfi", "-i", "sine=r=44100:d=2"}, args...)
	out, err := exec.Command(testkit.Tool(t, "ffmpeg"), append(all, "-pix_fmt", "yuv420p", path)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// play reads a clip's feed for some loops and checks its timestamps.
func play(t *testing.T, c *clip.Clips, name string, loops int) (tracks media.Tracks) {
	t.Helper()
	h := hub.New()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		env := ingest.Env{Hub: h, Log: slog.New(slog.DiscardHandler)}
		ended <- c.Pull(ctx, &url.URL{Scheme: "clip", Host: name}, env, "feed", func() {})
	}()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	sub, err := h.Await(ctx, "feed")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	last := [2]time.Duration{-1, -1}
	first, seen := []byte(nil), 0
	for seen < loops+1 {
		au, err := sub.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		period := au.Info().FrameDuration()
		if step := au.DTS - last[au.Track]; last[au.Track] >= 0 && (step-period).Abs() > time.Millisecond {
			t.Fatalf("track %d: %v after %v, its period is %v", au.Track, au.DTS, last[au.Track], period)
		}
		last[au.Track] = au.DTS
		if au.Track == 0 && au.Key && (first == nil || bytes.Equal(first, au.Data)) {
			first = au.Data
			seen++
		}
		if len(*au.Tracks) > 1 && last[1] >= 0 && (last[0]-last[1]).Abs() > 2*(*au.Tracks)[0].FrameDuration() {
			t.Fatalf("video at %v, audio at %v", last[0], last[1])
		}
	}
	return *sub.Tracks()
}

func TestUploadsBecomeClipsInTheProgramsFormatThatLoopSeamlessly(t *testing.T) {
	testkit.Tool(t, "ffmpeg")
	for name, upload := range map[string]func(t *testing.T) []byte{
		"png": pngStill,
		"jpeg": func(t *testing.T) []byte {
			return still(t, func(b *bytes.Buffer, i image.Image) error { return jpeg.Encode(b, i, nil) })
		},
		"b-frames": func(t *testing.T) []byte { return makeMP4(t, "-c:v", "libx264", "-bf", "3", "-c:a", "aac") },
		"hevc": func(t *testing.T) []byte {
			return makeMP4(t, "-c:v", "libx265", "-x265-params", "log-level=error", "-c:a", "aac", "-ar", "48000")
		},
		"as it is": func(t *testing.T) []byte { return makeMP4(t, "-c:v", "libx264", "-bf", "0", "-g", "25", "-c:a", "aac") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := clip.New(filepath.Join(t.TempDir(), "clips"))
			if err := c.Put(t.Context(), "slate", bytes.NewReader(upload(t)), smallFormat()); err != nil {
				t.Fatal(err)
			}
			tracks := play(t, c, "slate", 1)
			if p := tracks[0]; p.Width != 320 || p.Height != 180 || p.FrameRate < 24.9 || p.FrameRate > 25.1 {
				t.Errorf("video = %+v", p)
			}
			if len(tracks) > 1 && (tracks[1].SampleRate != 44100 || tracks[1].Channels != 1) {
				t.Errorf("audio = %+v", tracks[1])
			}
			all, err := c.List()
			if err != nil || len(all) != 1 || all[0].Name != "slate" || all[0].Bytes == 0 {
				t.Errorf("%+v %v", all, err)
			}
			if err := c.Remove("slate"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAReplacedClipIsFollowedByTheNewOne(t *testing.T) {
	c := clip.New(t.TempDir())
	put := func(args ...string) {
		t.Helper()
		if err := c.Put(t.Context(), "slate", bytes.NewReader(makeMP4(t, append(args, "-c:v", "libx264", "-bf", "0", "-g", "25", "-c:a", "aac")...)), clip.Format{}); err != nil {
			t.Fatal(err)
		}
	}
	put("-s", "320x180")
	h := hub.New()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- c.Pull(ctx, &url.URL{Host: "slate"}, ingest.Env{Hub: h, Log: slog.New(slog.DiscardHandler)}, "feed", func() {})
	}()
	sub, err := h.Await(ctx, "feed")
	if err != nil {
		t.Fatal(err)
	}
	put("-s", "640x360")
	last := time.Duration(-1)
	for wide := false; !wide; {
		au, err := sub.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if au.Track == 0 {
			if au.DTS <= last {
				t.Fatalf("%v after %v", au.DTS, last)
			}
			last, wide = au.DTS, au.Info().Width == 640
		}
	}
	if err := c.Remove("slate"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, clip.ErrNoClip) {
		t.Fatalf("err = %v", err)
	}
	cancel()
}

func TestWithoutFFmpegAClipThatMatchesIsAcceptedAndAnotherIsRefused(t *testing.T) {
	fits := makeMP4(t, "-c:v", "libx264", "-bf", "0", "-g", "25", "-c:a", "aac")
	t.Setenv("PATH", "")
	c := clip.New(t.TempDir())
	if err := c.Put(t.Context(), "slate", bytes.NewReader(fits), smallFormat()); err != nil {
		t.Fatal(err)
	}
	other := smallFormat()
	other.Video.Width, other.Video.Height = 1920, 1080
	err := c.Put(t.Context(), "slate", bytes.NewReader(fits), other)
	if !errors.Is(err, clip.ErrNoFFmpeg) || !strings.Contains(err.Error(), "it is 320x180, the program 1920x1080") ||
		!strings.Contains(err.Error(), "install ffmpeg, or upload an MP4 with H.264 1920x1080 at 25 frames/s") {
		t.Fatalf("err = %v", err)
	}
	if err := c.Put(t.Context(), "slate", bytes.NewReader(pngStill(t)), smallFormat()); !errors.Is(err, clip.ErrNoFFmpeg) {
		t.Fatalf("err = %v", err)
	}
}

func TestAFileThatCannotBeAClipIsRefused(t *testing.T) {
	dir := t.TempDir()
	c := clip.New(filepath.Join(dir, "clips"))
	if err := os.WriteFile(filepath.Join(dir, "secret.mp4"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	wide := pngStill(t)
	binary.BigEndian.PutUint32(wide[16:], 8192+1) // the width in its IHDR
	binary.BigEndian.PutUint32(wide[29:], crc32.ChecksumIEEE(wide[12:29]))
	for name, content := range map[string][]byte{
		"an empty file": {}, "text": []byte("#EXTM3U\nfile:///etc/passwd"), "a truncated png": pngStill(t)[:20], "an image that is too wide": wide,
		"an empty mp4": append([]byte{0, 0, 0, 16}, []byte("ftypisom0000")...),
	} {
		if err := c.Put(t.Context(), "slate", bytes.NewReader(content), clip.Format{}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	for _, name := range []string{"../secret", "..", ".", "", "a/b", "program", strings.Repeat("x", 65)} {
		err := c.Pull(t.Context(), &url.URL{Host: name}, ingest.Env{Hub: hub.New()}, "feed", func() {})
		if !errors.Is(err, ingest.ErrBadName) && !errors.Is(err, ingest.ErrReserved) {
			t.Errorf("%q: %v", name, err)
		}
		if err := c.Remove(name); err == nil {
			t.Errorf("%q is removed", name)
		}
		if err := c.Put(t.Context(), name, strings.NewReader("x"), clip.Format{}); err == nil {
			t.Errorf("%q is stored", name)
		}
	}
	if err := c.Pull(t.Context(), &url.URL{Host: "missing"}, ingest.Env{Hub: hub.New()}, "feed", func() {}); !errors.Is(err, clip.ErrNoClip) {
		t.Errorf("err = %v", err)
	}
	if err := c.Put(t.Context(), "big", endless{}, clip.Format{}); !errors.Is(err, clip.ErrTooBig) {
		t.Errorf("err = %v", err)
	}
	left, err := os.ReadDir(filepath.Join(dir, "clips"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
