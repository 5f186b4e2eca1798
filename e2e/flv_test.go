package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"testing"
	"time"

	"obvan/internal/testkit"
)

// A received stream, read back without any of the server's own code.

// tag is one message of an FLV file (Adobe FLV 10.1, E.4.1).
type tag struct {
	video  bool
	config bool
	key    bool
	dts    time.Duration
	pts    time.Duration
	data   []byte
}

func readFLV(t testing.TB, path string) []tag {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil || len(file) < 13 || string(file[:3]) != "FLV" {
		t.Fatalf("%s: not an FLV file: %v", path, err)
	}
	var tags []tag
	for rest := file[13:]; len(rest) >= 11; {
		size := int(rest[1])<<16 | int(rest[2])<<8 | int(rest[3])
		if len(rest) < 11+size+4 {
			break // still being written
		}
		ms := uint32(rest[7])<<24 | uint32(rest[4])<<16 | uint32(rest[5])<<8 | uint32(rest[6])
		kind, body := rest[0], rest[11:11+size]
		rest = rest[11+size+4:]
		g := tag{video: kind == 9, dts: time.Duration(ms) * time.Millisecond, data: body}
		g.pts = g.dts
		switch {
		case kind == 9 && size > 5:
			g.key, g.config = body[0]>>4 == 1, body[1] == 0
			g.pts += time.Duration(int32(uint32(body[2])<<24|uint32(body[3])<<16|uint32(body[4])<<8)>>8) * time.Millisecond
			g.data = body[5:]
		case kind == 8 && size > 2:
			g.config, g.data = body[1] == 0, body[2:]
		default:
			continue
		}
		tags = append(tags, g)
	}
	return tags
}

// pick is the video or the audio frames of tags, without configurations.
func pick(tags []tag, video bool) (units []tag) {
	for _, g := range tags {
		if g.video == video && !g.config {
			units = append(units, g)
		}
	}
	return units
}

// decodedFrame is a decoded video frame: its colour, and whether it flashes.
type decodedFrame struct {
	at     time.Duration
	colour string
	flash  bool
}

// decodeFrames decodes a file and fails the test when the decoder complains.
func decodeFrames(t testing.TB, path string) []decodedFrame {
	t.Helper()
	raw := ffmpegDecode(t, path, "-an", "-vf",
		"split[a][b];[a]crop=8:8:iw*3/4:ih*3/4,scale=1:1,format=rgb24[x];[b]crop=8:8:iw/16:ih/16,scale=1:1,format=rgb24[y];[x][y]hstack",
		"-fps_mode", "passthrough", "-enc_time_base", "1:1000", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
	units := pick(readFLV(t, path), true)
	var frames []decodedFrame
	for n := 0; 6*n+6 <= len(raw) && n < len(units); n++ {
		px := raw[6*n : 6*n+6]
		frames = append(frames, decodedFrame{at: units[n].pts, colour: name(px[:3]), flash: px[3] > 180 && px[4] > 180 && px[5] > 180})
	}
	if diff := len(units) - len(raw)/6; diff > 2 || diff < -2 {
		t.Errorf("%s: %d frames were received, %d decoded", path, len(units), len(raw)/6)
	}
	return frames
}

// name is the nearest of the colours the cameras have.
func name(rgb []byte) string {
	best, least := "", math.MaxInt
	for name, c := range map[string][3]int{"red": {254, 0, 0}, "green": {0, 127, 0}, "blue": {0, 0, 254}, "yellow": {254, 254, 0}, "black": {0, 0, 0}, "white": {255, 255, 255}} {
		d := 0
		for i := range c {
			d += (int(rgb[i]) - c[i]) * (int(rgb[i]) - c[i])
		}
		if d < least {
			best, least = name, d
		}
	}
	return best
}

// decodeBeeps is when each beep of the audio begins.
func decodeBeeps(t testing.TB, path string) (beeps []time.Duration) {
	t.Helper()
	raw := ffmpegDecode(t, path, "-vn", "-ac", "1", "-ar", "48000", "-f", "s16le", "-")
	units := pick(readFLV(t, path), false)
	if len(units) == 0 {
		return nil
	}
	quiet := 48000
	for n := 0; 2*n+2 <= len(raw); n++ {
		if v := int16(binary.LittleEndian.Uint16(raw[2*n:])); v > 3000 || v < -3000 {
			if quiet > 4800 {
				beeps = append(beeps, units[0].dts+time.Duration(n)*time.Second/48000)
			}
			quiet = 0
		} else {
			quiet++
		}
	}
	return beeps
}

func ffmpegDecode(t testing.TB, path string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(testkit.Tool(t, "ffmpeg"), append([]string{"-v", "warning", "-xerror", "-i", path}, args...)...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil || complaints.Len() > 0 {
		t.Errorf("decoding %s: %v\n%s", path, err, complaints.Bytes()[:min(2000, complaints.Len())])
	}
	return out.Bytes()
}

// timeline sums up a received stream.
type timeline struct {
	video, audio int             // frames
	gaps         []time.Duration // between video frames, where above limit
	longest      time.Duration
}

// checkTimeline fails the test where decode time does not strictly grow or audio leaves
// its grid, and reports the gaps between video frames above limit.
func checkTimeline(t testing.TB, tags []tag, limit time.Duration) timeline {
	t.Helper()
	video, audio := pick(tags, true), pick(tags, false)
	line := timeline{video: len(video), audio: len(audio)}
	for i := 1; i < len(video); i++ {
		gap := video[i].dts - video[i-1].dts
		if gap <= 0 {
			t.Errorf("frame %d: decode time goes from %v to %v", i, video[i-1].dts, video[i].dts)
		}
		if gap > limit {
			line.gaps = append(line.gaps, gap)
		}
		line.longest = max(line.longest, gap)
	}
	for i := range audio {
		// Times are rounded to milliseconds: 1.5 ms is the rounding and no more.
		want := audio[0].dts + time.Duration(i)*1024*time.Second/48000
		if off := audio[i].dts - want; off.Abs() > 1500*time.Microsecond {
			t.Errorf("audio frame %d is %v off the 48 kHz grid: samples are missing or doubled", i, off)
			break
		}
	}
	return line
}

func (l timeline) String() string {
	return fmt.Sprintf("%d video and %d audio frames, longest gap %v, %d gaps above the limit", l.video, l.audio, l.longest, len(l.gaps))
}
