package e2e

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"obvan/control"
	"obvan/internal/testkit"
)

// fakeCamera is a browser whose camera and microphone are Chromium's own test ones.
func fakeCamera(t testing.TB) *browser {
	t.Helper()
	return newBrowser(t, 420, 800, "use-fake-device-for-media-stream=device-count=1,fps=30", "use-fake-ui-for-media-stream")
}

func TestAPhoneBecomesACameraAndGoesOnAir(t *testing.T) {
	parallel(t, heavy)
	s := startWithoutFFmpeg(t, "-demo")
	s.live(10*time.Second, "cam1") // it comes on air as the first
	s.do("feed.add", map[string]any{"id": "phone", "name": "Anna's phone", "key": "sesame-1"})
	b := fakeCamera(t)
	b.do(chromedp.Navigate(s.url("/camera#feed=phone&key=sesame-1")))
	b.until(5*time.Second, `document.querySelector('main')?.dataset.tally === 'dark'`)
	b.do(chromedp.Click(chromedp.CSS("button.go")))
	began := time.Now()
	s.live(10*time.Second, "phone")
	t.Logf("live %v after the tap", time.Since(began))
	st := s.await(10*time.Second, "720p", func(st control.State) bool {
		f := feedOf(st, "phone")
		return f.Video != nil && f.Video.Width == 1280 && f.Video.Height == 720 && f.FPS > 5
	})
	f := feedOf(st, "phone")
	testkit.Measure(t, "phone: tap to 720p", time.Since(began).Seconds(), "s", testkit.AtMost(20))
	t.Logf("after %v: %s %s %dx%d, %.1f frames per second, %d kbit/s, audio %+v, keyframes every %d ms", time.Since(began), f.Video.Codec, f.Video.Profile, f.Video.Width, f.Video.Height, f.FPS, f.Kbps, f.Audio, f.KeyframeIntervalMs)
	if f.Proto != "whip" || f.Video.Codec != "H264" || f.Audio == nil || f.Audio.Codec != "Opus" {
		t.Errorf("the feed is %+v", f)
	}
	b.screenshot("camera-standby")

	s.do("mixer.preview", map[string]any{"source": "phone"})
	b.until(3*time.Second, `document.querySelector('main').dataset.tally === 'preview'`)
	s.cut("phone")
	b.until(3*time.Second, `document.querySelector('main').dataset.tally === 'program' && /PROGRAM/.test(document.body.innerText)`)
	b.screenshot("camera-program")

	dest := startNginx(t, "")
	s.sendTo(map[string]*nginx{"nginx": dest})
	pause(t, 6*time.Second)
	f = feedOf(s.state(), "phone")
	if f.KeyframeIntervalMs < 1000 {
		t.Errorf("keyframes come every %d ms", f.KeyframeIntervalMs)
	}
	testkit.Measure(t, "phone: keyframe interval", float64(f.KeyframeIntervalMs), "ms", testkit.AtMost(2600))
	testkit.Measure(t, "phone: frames received", f.FPS, "fps", testkit.AtLeast(20))
	s.do("destination.remove", map[string]any{"id": "nginx"})
	path := dest.onlyRecording(t)
	line := checkTimeline(t, readFLV(t, path), time.Second)
	probe, err := exec.Command(testkit.Tool(t, "ffprobe"), "-v", "error", "-count_frames", "-show_entries", "stream=codec_name,width,height,nb_read_frames", "-of", "compact", path).CombinedOutput()
	t.Logf("at the destination: %v\n%s", line, probe)
	if err != nil || !strings.Contains(string(probe), "codec_name=h264|width=1280|height=720") || !strings.Contains(string(probe), "codec_name=aac") {
		t.Errorf("ffprobe: %v", err)
	}
	if beeps := decodeBeeps(t, path); len(beeps) < 3 {
		t.Errorf("%d of the microphone's beeps arrived", len(beeps))
	}
	if like := similarityToCamera(t, b, path); like < 0.8 {
		t.Errorf("the similarity of the video at the destination to the phone's is only %.2f", like)
	}

	// The page is closed: the feed disconnects at once, and its name is free.
	b.do(chromedp.Navigate("about:blank"))
	s.await(3*time.Second, "the phone is lost", func(st control.State) bool { return feedOf(st, "phone").State == control.FeedLost })
	b.do(chromedp.Navigate(s.url("/camera#feed=phone&key=sesame-1")), chromedp.Click(chromedp.CSS("button.go")))
	s.live(10*time.Second, "phone")
}

// similarityToCamera compares the phone's own video, which moves in a circle, with the last
// frame of a recording; see similarity.
func similarityToCamera(t *testing.T, b *browser, path string) float64 {
	t.Helper()
	var own [][]float64
	b.eval(`(async () => {
		const to = new OffscreenCanvas(64, 36).getContext('2d', {willReadFrequently: true}), all = [];
		for (let n = 0; n < 20; n++) {
			to.drawImage(document.querySelector('video'), 0, 0, 64, 36);
			all.push([...to.getImageData(0, 0, 64, 36).data].filter((_, i) => i % 4 === 1));
			await new Promise(r => setTimeout(r, 70));
		}
		return all;
	})()`, &own)
	raw, err := exec.Command(testkit.Tool(t, "ffmpeg"), "-v", "error", "-sseof", "-1", "-i", path, "-frames:v", "1", "-vf", "scale=64:36,format=gbrp", "-f", "rawvideo", "-").Output()
	if err != nil || len(raw) < 64*36 {
		t.Fatalf("decode: %v, %d bytes", err, len(raw))
	}
	var arrived []float64
	for _, green := range raw[:64*36] {
		arrived = append(arrived, float64(green))
	}
	most := -1.0
	for _, frame := range own {
		most = max(most, similarity(frame, arrived))
	}
	return most
}

// startWithoutFFmpeg starts a server that finds no ffmpeg: the server itself transcodes a
// phone's audio to AAC.
func startWithoutFFmpeg(t testing.TB, flags ...string) *studio {
	t.Helper()
	return startWith(t, []string{"PATH=" + t.TempDir()}, t.TempDir(), flags...)
}

func feedOf(st control.State, id string) control.Feed {
	for _, f := range st.Feeds {
		if f.ID == id {
			return f
		}
	}
	return control.Feed{}
}

func TestThePhoneShowsThatTheServerIsLost(t *testing.T) {
	parallel(t, heavy)
	s := start(t)
	b := fakeCamera(t)
	b.do(chromedp.Navigate(s.url("/camera#feed=phone")))
	b.until(5*time.Second, `document.querySelector('main')?.dataset.tally === 'dark'`)
	b.do(chromedp.Click(chromedp.CSS("button.go")))
	s.live(10*time.Second, "phone")
	s.cmd.Process.Kill()
	<-s.ended
	b.until(8*time.Second, `document.querySelector('main').dataset.tally === 'unknown' && /NO DATA/.test(document.body.innerText)`)
	b.until(15*time.Second, `/NOT SENDING/.test(document.body.innerText)`)
	b.screenshot("camera-lost")
}
