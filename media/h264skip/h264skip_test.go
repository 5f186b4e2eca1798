package h264skip_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/h264skip"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	width, height = 176, 100 // the last row of macroblocks is cropped
	gop           = 24
	frozen        = 70 // frames; wraps a frame number of 4 bits and a picture order count of 6
)

// clip is an H.264 stream in the form of access units.
type clip struct {
	track  media.Track
	sets   []byte   // its parameter sets, with start codes
	frames [][]byte // access units in decoding order, NAL units with lengths
}

var startCode = []byte{0, 0, 0, 1}

// encode makes a clip of two GOPs with x264.
func encode(t *testing.T, options string) clip {
	t.Helper()
	args := []string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=s=176x100:r=25", "-frames:v", "48", "-pix_fmt", "yuv420p",
		"-c:v", "libx264", "-threads", "1", "-x264-params", "keyint=24:min-keyint=24:scenecut=0:aud=1:" + options,
		"-f", "h264", "-"}
	if strings.Contains(options, "interlaced") {
		args = append([]string{"-v", "error"}, args[2:]...)
	}
	out, err := exec.Command(testkit.Tool(t, "ffmpeg"), args...).Output()
	if err != nil {
		t.Fatalf("ffmpeg: %v", err)
	}
	var c clip
	var sps, pps []byte
	for _, unit := range bytes.Split(out, []byte{0, 0, 1}) {
		unit = bytes.TrimRight(unit, "\x00")
		if len(unit) == 0 {
			continue
		}
		switch unit[0] & 0x1f {
		case 9:
			c.frames = append(c.frames, nil)
		case 7:
			sps = unit
		case 8:
			pps = unit
		default:
			n := len(c.frames) - 1
			c.frames[n] = append(c.frames[n], 0, 0, byte(len(unit)>>8), byte(len(unit)))
			c.frames[n] = append(c.frames[n], unit...)
		}
	}
	if c.track, err = media.H264Track(sps, pps); err != nil {
		t.Fatal(err)
	}
	c.sets = bytes.Join([][]byte{nil, sps, pps}, startCode)
	return c
}

// annexB is frames with start codes.
func annexB(frames [][]byte) (out []byte) {
	for _, data := range frames {
		for len(data) > 4 {
			n := int(data[2])<<8 | int(data[3])
			out = append(append(out, startCode...), data[4:4+n]...)
			data = data[4+n:]
		}
	}
	return out
}

// decode returns the images in presentation order. An error in the stream fails the test.
func decode(t *testing.T, c clip, frames [][]byte) (images [][]byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clip.h264")
	if err := os.WriteFile(file, append(bytes.Clone(c.sets), annexB(frames)...), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(testkit.Tool(t, "ffmpeg"), "-v", "warning", "-err_detect", "explode", "-xerror",
		"-i", file, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	raw, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	const size = width * height * 3 / 2
	for ; len(raw) >= size; raw = raw[size:] {
		images = append(images, raw[:size])
	}
	return images
}

func TestASkipFrameRepeatsTheLastFrameExactly(t *testing.T) {
	for name, options := range map[string]string{
		"baseline, CAVLC":          "profile=baseline:cabac=0:bframes=0:ref=1",
		"baseline, four refs":      "profile=baseline:cabac=0:bframes=0:ref=4",
		"main, CABAC":              "cabac=1:8x8dct=0:bframes=0:ref=2:weightp=0",
		"main, CAVLC, b":           "cabac=0:8x8dct=0:bframes=2:b-adapt=0:b-pyramid=none:ref=3",
		"high, CABAC":              "cabac=1:8x8dct=1:bframes=0:ref=1:weightp=2",
		"high, CABAC, b":           "cabac=1:8x8dct=1:bframes=2:b-adapt=0:b-pyramid=none:ref=1",
		"high, CABAC, b pyramid":   "cabac=1:8x8dct=1:bframes=3:b-adapt=0:b-pyramid=normal:ref=4:weightp=2",
		"high, CAVLC, strict":      "cabac=0:8x8dct=1:bframes=3:b-adapt=0:b-pyramid=strict:ref=3:weightp=1",
		"no deblocking, 4 slices":  "cabac=1:bframes=0:deblock=0,0:no-deblock=1:slices=4:ref=2",
		"zero latency":             "cabac=1:bframes=0:ref=1:rc-lookahead=0:sync-lookahead=0:sliced-threads=1:slices=2",
		"periodic, long reference": "cabac=1:bframes=0:ref=4:weightp=1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := encode(t, options)
			for _, at := range []int{1, 6, 7, 8, 9, gop} { // after B-frames, after P-frames, and at the end of the GOP
				repeats(t, c, at)
			}
		})
	}
}

// repeats freezes the clip after at frames, then continues with its second keyframe.
func repeats(t *testing.T, c clip, at int) {
	t.Helper()
	f, err := h264skip.New(c.track.Config)
	if err != nil {
		t.Fatal(err)
	}
	frames := append([][]byte{}, c.frames[:at]...)
	for _, data := range frames {
		f.Observe(data)
	}
	for range frozen {
		data, err := f.Next()
		if err != nil {
			t.Fatalf("after %d frames: %v", at, err)
		}
		frames = append(frames, data)
	}
	frames = append(frames, c.frames[gop:]...)
	got, before := decode(t, c, frames), decode(t, c, c.frames[:at])
	if len(got) != len(frames) || len(before) != at {
		t.Fatalf("%d frames decoded of %d, %d of %d before the freeze", len(got), len(frames), len(before), at)
	}
	for i, image := range got[:at+frozen] {
		if want := before[min(i, at-1)]; !bytes.Equal(image, want) {
			t.Fatalf("frozen after %d frames, frame %d is not the expected one", at, i)
		}
	}
	for i, want := range decode(t, c, c.frames[gop:]) {
		if !bytes.Equal(got[at+frozen+i], want) {
			t.Fatalf("frame %d after the freeze is not the source's", i)
		}
	}
}

func TestInterlacedStreamsAreRefused(t *testing.T) {
	c := encode(t, "cabac=1:bframes=0:tff=1")
	if _, err := h264skip.New(c.track.Config); !errors.Is(err, h264skip.ErrUnsupported) {
		t.Fatalf("err = %v", err)
	}
}
