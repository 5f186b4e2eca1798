package e2e

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/relay/testserver"
)

// startSink starts a destination in this process, which records when each frame arrived.
func startSink(t testing.TB) *testserver.Server {
	t.Helper()
	dest, err := testserver.Listen("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := dest.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
	return dest
}

// colours decodes what arrived, frame by frame, and names the colours.
func colours(t testing.TB, frames []testserver.Unit) (names []string) {
	t.Helper()
	var stream []byte
	start := []byte{0, 0, 0, 1}
	for _, u := range frames {
		if u.Key {
			sps, pps, err := media.H264ParameterSets(u.Track.Config)
			if err != nil {
				t.Fatal(err)
			}
			for _, set := range append(sps, pps...) {
				stream = append(append(stream, start...), set...)
			}
		}
		for rest := u.Data; len(rest) > 4; {
			end := 4 + int(binary.BigEndian.Uint32(rest))
			stream = append(append(stream, start...), rest[4:end]...)
			rest = rest[end:]
		}
	}
	path := filepath.Join(t.TempDir(), "video.h264")
	if err := os.WriteFile(path, stream, 0o600); err != nil {
		t.Fatal(err)
	}
	const size = 8 * 8 * 3
	raw := ffmpegDecode(t, path, "-vf", "crop=8:8:iw*3/4:ih*3/4", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
	for ; len(raw) >= size; raw = raw[size:] {
		names = append(names, name(raw))
	}
	if len(names) != len(frames) {
		t.Errorf("%d frames arrived, %d were decoded", len(frames), len(names))
	}
	return names
}

// given is a command to cut: when it was given, and to which camera.
type given struct {
	at     time.Time
	colour string
}

func TestInstantCutsArriveAtTheDestinationInOrder(t *testing.T) {
	parallel(t, light)
	s := start(t)
	for _, colour := range []string{"red", "green", "blue"} { // keyframes 2 s apart
		camera{colour: colour, tone: 1000, gop: 60}.send(t, "flv", "rtmp://"+s.listen["rtmp"]+"/live/"+colour)
	}
	s.live(20*time.Second, "red", "green", "blue")
	s.cut("red")
	dest := startSink(t)
	hls := t.TempDir()
	nginx := startNginx(t, "hls on; hls_path "+hls+"; hls_fragment 2s; hls_playlist_length 10m; hls_cleanup off;")
	for id, url := range map[string]string{"sink": dest.URL(), "nginx": nginx.url()} {
		s.do("destination.add", map[string]any{"id": id, "name": id, "url": url, "key": "key-" + id})
		s.do("destination.start", map[string]any{"id": id})
	}
	s.destinationLive(15*time.Second, "sink", "nginx")
	live := time.Now()
	pause(t, 2*time.Second)

	cuts := []given{{time.Now(), "red"}}
	for range scaled(20, 50) {
		next := []string{"red", "green", "blue"}[rand.IntN(3)]
		if next == cuts[len(cuts)-1].colour {
			next = map[string]string{"red": "green", "green": "blue", "blue": "red"}[next]
		}
		cuts = append(cuts, given{time.Now(), next})
		s.do("mixer.cut", map[string]any{"source": next})
		pause(t, time.Duration(250+rand.IntN(400))*time.Millisecond)
	}
	pause(t, time.Second)
	s.do("destination.stop", map[string]any{"id": "nginx"})
	s.do("destination.stop", map[string]any{"id": "sink"})
	checkCuts(t, dest.Last("key-sink").Units(), cuts)
	checkHLS(t, filepath.Join(hls, "key-nginx.m3u8"), time.Since(live))
	path := nginx.onlyRecording(t)
	decodeFrames(t, path)
	line := checkTimeline(t, readFLV(t, path), longestPeriod)
	if len(line.gaps) > 0 {
		t.Errorf("gaps between frames: %v", line.gaps)
	}
	t.Logf("%v", line)
}

// checkCuts measures from each command to the first frame of its camera.
func checkCuts(t testing.TB, units []testserver.Unit, cuts []given) {
	t.Helper()
	var frames []testserver.Unit
	audio, off := time.Duration(-1), time.Duration(0)
	for _, u := range units {
		if u.Video {
			frames = append(frames, u)
			continue
		}
		if audio >= 0 {
			off = max(off, (u.DTS - audio - 1024*time.Second/48000).Abs())
		}
		audio = u.DTS
	}
	if off > time.Millisecond { // RTMP counts in milliseconds
		t.Errorf("audio is %v off its grid", off)
	}
	names := colours(t, frames)
	var took []time.Duration
	at := 0
	for _, c := range cuts[1:] {
		for at < len(names) && (frames[at].Arrived.Before(c.at) || names[at] != c.colour) {
			at++
		}
		if at == len(names) {
			t.Fatalf("a cut to %s was never seen", c.colour)
		}
		took = append(took, frames[at].Arrived.Sub(c.at))
	}
	slices.Sort(took)
	median, p95 := took[len(took)/2], took[len(took)*95/100]
	t.Logf("%d cuts, command to frame at the destination: median %v, p95 %v, worst %v; audio at most %v off its grid", len(took), median, p95, took[len(took)-1], off)
	testkit.Measure(t, "instant cut: command to frame at the destination, p95", testkit.Milliseconds(p95), "ms", testkit.AtMost(120))
}

// checkHLS has ffmpeg read what nginx made of the program for browsers: all but what
// nginx leaves out at the beginning and at the end.
func checkHLS(t testing.TB, playlist string, sent time.Duration) {
	t.Helper()
	testkit.Eventually(t, 5*time.Second, func() bool {
		text, err := os.ReadFile(playlist)
		return err == nil && len(text) > 0
	}, "nginx wrote %s", playlist)
	text, err := os.ReadFile(playlist)
	if err != nil {
		t.Fatal(err)
	}
	// nginx does not mark the end, and where that fell on a keyframe it adds a segment of
	// no length, which ffmpeg complains about.
	whole := strings.Replace(string(text), "#EXTINF:0.000,", "#EXTINF:0.033,", 1) + "#EXT-X-ENDLIST\n"
	if err := os.WriteFile(playlist, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	raw := ffmpegDecode(t, playlist, "-an", "-vf", "scale=8:8", "-fps_mode", "passthrough", "-enc_time_base", "1:90000", "-f", "rawvideo", "-pix_fmt", "gray", "-")
	n := len(raw) / 64
	if least := int((sent - 5*time.Second) / period); n < least {
		t.Errorf("only %d frames in %s, want at least %d", n, playlist, least)
	}
	t.Logf("HLS: %d frames decoded", n)
}

// blank is a page of the studio that plays nothing itself, logged in.
func (s *studio) blank(t testing.TB) *browser {
	t.Helper()
	b := newBrowser(t, 800, 600)
	b.do(chromedp.Navigate(s.url("/healthz")))
	b.eval(`fetch('/api/v1/login', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({token: '`+token+`'})}).then(r => r.status)`, nil)
	return b
}

func TestABrowserPlaysInstantCuts(t *testing.T) {
	parallel(t, heavy)
	s := start(t)
	camera{colour: "red", tone: 1000, gop: 60}.send(t, "flv", "rtmp://"+s.listen["rtmp"]+"/live/red")
	camera{colour: "green", tone: 1000, gop: 60, extra: cabac("main")}.send(t, "flv", "rtmp://"+s.listen["rtmp"]+"/live/green")
	s.live(20*time.Second, "red", "green")
	s.cut("red")
	b := s.blank(t)
	plain := b.watch("program", 3)
	cuts := scaled(8, 20)
	var cutting sync.WaitGroup
	cutting.Go(func() {
		pause(t, 3*time.Second)
		for n := range cuts {
			if _, err := s.try("mixer.cut", map[string]any{"source": []string{"green", "red"}[n%2]}); err != nil {
				t.Error(err)
			}
			pause(t, time.Duration(400+rand.IntN(400))*time.Millisecond)
		}
	})
	w := b.watch("program", 3+cuts*3/5)
	cutting.Wait()
	w.check(t, plain, "program cut to instantly, in a browser")
}

// cabac is a camera's options for CABAC, which the ultrafast preset does not use.
func cabac(profile string) []string {
	return []string{"-profile:v", profile, "-x264-params", "cabac=1:8x8dct=" + map[string]string{"main": "0", "high": "1"}[profile]}
}

// check holds what a browser showed to what it showed of a plain stream just before: a
// busy machine decodes less of both.
func (w playback) check(t testing.TB, plain playback, name string) {
	t.Helper()
	t.Logf("%.1f frames per second decoded, of a plain stream %.1f; %d dropped, longest freeze %.0f ms, joined after %.0f ms, %.1f %% of the audio concealed",
		w.Rate, plain.Rate, w.Dropped, w.LongestFreezeMs, w.JoinMs, 100*float64(w.Concealed)/float64(max(1, w.Samples)))
	if plain.Rate == 0 || w.Rate < plain.Rate/2 {
		t.Errorf("%s: %.1f frames per second are decoded, of a plain stream %.1f", name, w.Rate, plain.Rate)
	}
	testkit.Measure(t, name, w.Rate, "fps", testkit.AtLeast(29))
	testkit.Measure(t, name+": keyframe requests", float64(w.PLI), "", testkit.AtMost(2))
}
