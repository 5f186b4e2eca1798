package e2e

import (
	"fmt"
	"testing"
	"time"

	"obvan/control"
)

// shownScript counts the pictures a <video> really shows for some seconds.
const shownScript = `(async () => {
	const video = document.querySelector(%q), seconds = %d;
	let shown = 0, last = performance.now(), longest = 0, began = last;
	let going = true;
	const count = now => { shown++; longest = Math.max(longest, now - last); last = now; if (going) video.requestVideoFrameCallback(count); };
	video.requestVideoFrameCallback(count);
	const before = video.getVideoPlaybackQuality();
	await new Promise(r => setTimeout(r, seconds * 1000));
	going = false;
	const after = video.getVideoPlaybackQuality();
	const span = (performance.now() - began) / 1000;
	const ctx = new AudioContext(), heard = ctx.createAnalyser();
	ctx.createMediaStreamSource(video.srcObject).connect(heard);
	let loudest = 0;
	for (let n = 0; n < 60; n++) {
		await new Promise(r => setTimeout(r, 25));
		const wave = new Float32Array(heard.fftSize);
		heard.getFloatTimeDomainData(wave);
		for (const x of wave) loudest = Math.max(loudest, Math.abs(x));
	}
	return {Shown: shown, Rate: shown / span, LongestStillMs: longest, Loudest: loudest, Came: after.totalVideoFrames - before.totalVideoFrames, Dropped: after.droppedVideoFrames - before.droppedVideoFrames};
})()`

type onScreen struct {
	Shown          int
	Came, Dropped  int // as the browser counts them
	Rate           float64
	LongestStillMs float64
	Loudest        float64 // of its sound, 0 to 1
}

// bFrames is a camera as x264 makes it when nobody told it otherwise: B-frames that
// others refer to.
func bFrames(t testing.TB, codec string, url string, extra ...string) *process {
	t.Helper()
	args := []string{"-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30[out0];sine=440:r=48000[out1]", "-c:a", "aac", "-b:a", "96k",
		"-c:v", codec, "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "60", "-b:v", "3M", "-threads", "2"}
	return run(t, "ffmpeg", append(append(args, extra...), "-f", "flv", url)...)
}

func TestAPanelPlaysBFramesAtTheirFullRate(t *testing.T) {
	s := start(t)
	bFrames(t, "libx264", "rtmp://"+s.listen["rtmp"]+"/live/cam", "-bf", "2", "-profile:v", "main")
	s.live(15*time.Second, "cam")
	s.await(5*time.Second, "its B-frames are seen", func(st control.State) bool {
		f := feedOf(st, "cam")
		return f.Video.BFrames && f.Watch.Frames && (f.Watch.Sparse || !f.Watch.OK)
	})
	if picture, status := s.get("/api/v1/snapshot/cam.jpg"); status != 200 || len(picture) < 10_000 {
		t.Errorf("its snapshot: %d, %d bytes", status, len(picture))
	}
	b := s.open(1600, 900)
	b.until(10*time.Second, `document.querySelector('.program .way')?.textContent === 'WebCodecs' && document.querySelector('.monitor.program video').currentTime > 1`)
	b.eval(`document.querySelector('.monitor.program button[aria-label$=": listen"]').click()`, nil)
	var w onScreen
	b.eval(fmt.Sprintf(shownScript, ".monitor.program video", 20), &w)
	b.screenshot("webcodecs")
	var figures string
	b.eval(`document.querySelector('.monitor.program .figures').innerText`, &figures)
	t.Logf("%d pictures came, %d were dropped, %d shown, %.1f a second, longest still %.0f ms, loudest sample %.2f; the panel says %q", w.Came, w.Dropped, w.Shown, w.Rate, w.LongestStillMs, w.Loudest, figures)
	// What came to the <video> is ours; what the screen leaves out of it is this machine's load.
	if rate := w.Rate * float64(w.Came) / float64(w.Shown); rate < 28.5 || rate > 31.5 {
		t.Errorf("%.1f pictures a second come, the camera has 30", rate)
	}
	if w.Shown < w.Came*2/3 || w.LongestStillMs > 400 {
		t.Errorf("of %d pictures %d were shown, the longest still was %.0f ms", w.Came, w.Shown, w.LongestStillMs)
	}
	if w.Loudest < 0.05 {
		t.Errorf("no sound: the loudest sample is %.3f", w.Loudest)
	}
}
