package e2e

import (
	"fmt"
	"testing"

	"obvan/internal/testkit"
)

// shownScript counts the frames that a <video> shows for some seconds.
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
	return {Shown: shown, Rate: shown / span, LongestFreezeMs: longest, Loudest: loudest, Came: after.totalVideoFrames - before.totalVideoFrames, Dropped: after.droppedVideoFrames - before.droppedVideoFrames};
})()`

type screenFigures struct {
	Shown           int
	Came, Dropped   int // as the browser counts them
	Rate            float64
	LongestFreezeMs float64
	Loudest         float64 // of its audio, 0 to 1
}

// checkWebCodecs watches the program on the panel. plain is how many frames per second this
// browser shows by WebRTC.
func (b *browser) checkWebCodecs(t *testing.T, plain float64) {
	t.Helper()
	seconds := scaled(5, 10)
	b.loadViewerScript()
	var got struct {
		Screen screenFigures
		Sync   viewed
	}
	b.eval(fmt.Sprintf(`(async () => {
		const video = document.querySelector('.monitor.program video');
		await viewers.wait(2000);
		const [Screen, Sync] = await Promise.all([`+shownScript+`, viewers.sync(video, %[2]d)]);
		return {Screen, Sync};
	})()`, ".monitor.program video", seconds), &got)
	b.screenshot("webcodecs")
	var figures string
	b.eval(`document.querySelector('.monitor.program .figures').innerText`, &figures)
	w, off := got.Screen, quantile(got.Sync.OffMs, 0.5)
	t.Logf("WebCodecs: %d frames arrived, %d were dropped, %d shown, %.1f per second, longest freeze %.0f ms, loudest sample %.2f; the panel displays %q", w.Came, w.Dropped, w.Shown, w.Rate, w.LongestFreezeMs, w.Loudest, figures)
	t.Logf("WebCodecs: %d flashes, %d beeps: audio is behind video by %.0f ms (median; %.0f to %.0f ms)", got.Sync.Flashes, got.Sync.Beeps, off, quantile(got.Sync.OffMs, 0), quantile(got.Sync.OffMs, 1))
	if w.Rate < plain/3 || w.Shown == 0 {
		t.Errorf("%.1f frames per second are shown, by WebRTC %.1f", w.Rate, plain)
	}
	if w.Loudest < 0.05 {
		t.Errorf("no audio: the loudest sample is %.3f", w.Loudest)
	}
	figure := func(name string, value float64, unit string, goal testkit.Goal) {
		t.Helper()
		testkit.Measure(t, "panel by WebCodecs: "+name, value, unit, goal)
	}
	// What reaches the <video> is the program's doing; what the screen drops is this machine's load.
	figure("frames decoded", w.Rate*float64(w.Came)/float64(max(1, w.Shown)), "fps", testkit.Between(28.5, 31.5))
	figure("of them on the screen", 100*float64(w.Shown)/float64(max(1, w.Came)), "%", testkit.AtLeast(66))
	figure("longest freeze", w.LongestFreezeMs, "ms", testkit.AtMost(400))
	figure("flashes with a beep", float64(len(got.Sync.OffMs)), "", testkit.AtLeast(float64(seconds)/2))
	figure("audio behind video, median", off, "ms", testkit.Between(-60, 60))
}
