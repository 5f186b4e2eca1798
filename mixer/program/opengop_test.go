package program_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/mixer"
)

// encodeH265Clip makes eight seconds of H.265 with open GOPs, and its
// parameter sets with start codes.
func encodeH265Clip(t *testing.T, source string) (c clip, sets []byte) {
	t.Helper()
	dir := t.TempDir()
	mp4, raw := filepath.Join(dir, "clip.mp4"), filepath.Join(dir, "clip.h265")
	ffmpeg, ffprobe := testkit.Tool(t, "ffmpeg"), testkit.Tool(t, "ffprobe")
	for _, args := range [][]string{
		{"-f", "lavfi", "-i", source, "-t", "8", "-pix_fmt", "yuv420p", "-c:v", "libx265", "-x265-params", "log-level=error:pools=2:open-gop=1:keyint=30:min-keyint=30:scenecut=0:bframes=3", mp4},
		{"-i", mp4, "-c", "copy", raw},
	} {
		if out, err := exec.Command(ffmpeg, append([]string{"-v", "error"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("ffmpeg: %v: %s", err, out)
		}
	}
	times, err := exec.Command(ffprobe, "-v", "error", "-show_entries", "packet=pts_time,dts_time", "-of", "csv=p=0", mp4).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Fields(string(times)) {
		pts, dts, _ := strings.Cut(line, ",")
		c.units = append(c.units, media.AccessUnit{PTS: seconds(t, pts), DTS: seconds(t, dts)})
	}
	data, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	n := -1
	for _, nal := range bytes.Split(data, []byte{0, 0, 1}) {
		if nal = bytes.TrimRight(nal, "\x00"); len(nal) == 0 {
			continue
		}
		switch kind := nal[0] >> 1 & 0x3f; {
		case kind >= 32 && kind <= 34 && n < 0:
			sets = append(append(sets, 0, 0, 0, 1), nal...)
		case kind < 32:
			if nal[2]&0x80 != 0 { // first_slice_segment_in_pic_flag
				n++
			}
			au := &c.units[n]
			au.Key = kind >= 16 && kind <= 21
			au.Data = append(binary.BigEndian.AppendUint32(au.Data, uint32(len(nal))), nal...)
		}
	}
	c.tracks = media.Tracks{{Codec: media.H265, Config: sets, FrameRate: 30}}
	c.length = time.Duration(len(c.units)) * time.Second / 30
	return c, sets
}

// openGOPs is an H.264 camera's frames in open GOPs: after each frame that decoding can
// start at there are two that also refer to the GOP before it.
func openGOPs() (c clip) {
	const frame = 40 * time.Millisecond
	for n := range 48 {
		au := media.AccessUnit{DTS: time.Duration(n) * frame, PTS: time.Duration(n+2) * frame, Data: []byte{0, 0, 0, 2, 0x41, 'p'}}
		switch n % 12 {
		case 0:
			au.Key, au.PTS, au.Data = true, au.PTS+2*frame, []byte{0, 0, 0, 4, 6, 6, 1, 0xc4, 0, 0, 0, 2, 0x61, 'i'}
		case 1, 2:
			au.PTS, au.Disposable, au.Data = au.PTS-frame, true, []byte{0, 0, 0, 2, 0x01, 'b'}
		}
		c.units = append(c.units, au)
	}
	c.tracks, c.length = media.Tracks{{Codec: media.H264, Config: []byte("open"), FrameRate: 25}}, 48*frame
	return c
}

func TestACutToAnOpenGOPOfH264DropsItsLeadingPictures(t *testing.T) {
	var units []unit
	inStudio(t, func(t *testing.T, s *studio) {
		s.start(cam1)
		open, stop := openGOPs(), make(chan struct{})
		go open.play(s.hub, "open", stop)
		for n := range 10 {
			time.Sleep(1777 * time.Millisecond)
			s.Follow([]string{"open", "cam1"}[n%2], mixer.Instant)
		}
		close(stop)
		synctest.Wait()
		units = s.written(0)
	})
	cuts, leadingPictures, fresh, last := 0, 0, false, ""
	for _, u := range units {
		if !u.Video() {
			continue
		}
		config := string((*u.Tracks)[0].Config)
		if fresh = fresh || config != last; fresh && config == "open" {
			switch u.Data[len(u.Data)-1] {
			case 'i':
				cuts++
			case 'b':
				t.Fatal("a frame refers to what was before the cut")
			case 'p':
				fresh = false
			}
		} else if config == "open" && u.Data[len(u.Data)-1] == 'b' {
			leadingPictures++
		}
		last = config
	}
	if cuts != 5 || leadingPictures == 0 {
		t.Fatalf("%d cuts, %d frames that refer across a keyframe", cuts, leadingPictures)
	}
}

func seconds(t *testing.T, s string) time.Duration {
	f, err := strconv.ParseFloat(strings.TrimRight(s, ","), 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Duration(f * float64(time.Second))
}

func TestFFmpegDecodesCutsBetweenOpenGOPsOfH265(t *testing.T) {
	ffmpeg := testkit.Tool(t, "ffmpeg")
	one, _ := encodeH265Clip(t, "testsrc2=s=320x180:r=30")
	two, _ := encodeH265Clip(t, "mandelbrot=s=320x180:r=30")
	var units []unit
	inStudio(t, func(t *testing.T, s *studio) {
		stop, other := make(chan struct{}), make(chan struct{})
		go one.play(s.hub, "one", stop)
		go two.play(s.hub, "two", other)
		for n := range 20 {
			s.Follow([]string{"one", "two"}[n%2], mixer.Instant)
			time.Sleep(777 * time.Millisecond)
		}
		close(other)
		time.Sleep(4 * time.Second) // freeze frame
		close(stop)
		synctest.Wait()
		units = s.written(0)
	})
	found := checkSeamless(t, units)
	var out bytes.Buffer
	for _, u := range units {
		if !u.Video() {
			continue
		}
		if u.Key {
			out.Write((*u.Tracks)[0].Config)
		}
		for data := u.Data; len(data) > 4; {
			n := 4 + binary.BigEndian.Uint32(data)
			out.Write([]byte{0, 0, 0, 1})
			out.Write(data[4:n])
			data = data[n:]
		}
	}
	file := filepath.Join(t.TempDir(), "program.h265")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	sums := decode(t, ffmpeg, "-i", file, "-fps_mode", "passthrough", "-f", "framemd5", "-")
	if n := bytes.Count(sums, []byte("\n0, ")); n != found.frames {
		t.Fatalf("%d frames decoded of %d", n, found.frames)
	}
}
