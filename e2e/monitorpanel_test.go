package e2e

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"obvan/control"
	"obvan/internal/testkit"
)

// panelScript watches the program on the panel for so many seconds: the latency as this
// script measures it, and as the panel displays it.
const panelScript = `(async (seconds) => {
	const wait = ms => new Promise(r => setTimeout(r, ms));
	const video = document.querySelector('.monitor.program video'), shown = [], displayed = [];
	const began = performance.now();
	let last = began, freeze = 0, stop = false;
	const onFrame = (now, f) => {
		if (stop) return;
		freeze = Math.max(freeze, now - last);
		last = now;
		shown.push({at: f.expectedDisplayTime, rtp: f.rtpTimestamp});
		video.requestVideoFrameCallback(onFrame);
	};
	video.requestVideoFrameCallback(onFrame);
	let best = null;
	for (let n = 0; n < seconds * 10; n++) {
		const sent = performance.now(), c = await (await fetch('/api/v1/clock/program')).json(), took = performance.now() - sent;
		if (!best || took < best.took) best = {rtp: c.rtp, arrived: c.arrivedMs - c.nowMs + sent + took / 2, took};
		displayed.push(parseFloat(document.querySelector('.monitor.program .latency')?.textContent ?? ''));
		await wait(100);
	}
	stop = true;
	const ages = shown.slice(-60).map(f => f.at - (best.arrived + ((f.rtp - best.rtp) | 0) / 90)).sort((a, b) => a - b);
	return {Rate: (shown.length * 1000) / (performance.now() - began), Measured: ages[ages.length >> 1] ?? -1, Displayed: displayed.at(-1) ?? -1, LongestFreezeMs: freeze, Audio: video.srcObject.getAudioTracks().length, Videos: video.srcObject.getVideoTracks().length};
})(%d)`

// panelFigures is what was measured there.
type panelFigures struct {
	Rate, Measured, Displayed, LongestFreezeMs float64
	Audio, Videos                              int
}

// playsOnThePanel watches the program on the panel: by WebRTC, muted and with audio, then
// a camera with B-frames, which the panel plays by WebCodecs.
func (s *studio) playsOnThePanel(t *testing.T) {
	s.cut("cam1")
	b := newBrowser(t, 1920, 1080)
	b.bypassCSP()
	b.do(chromedp.Navigate(s.url("/#token=" + token)))
	b.until(15*time.Second, `document.querySelector('.monitor.program video')?.currentTime > 1 && parseFloat(document.querySelector('.monitor.program .latency')?.textContent) >= 0`)
	watch := func(seconds int) (p panelFigures) {
		b.eval(fmt.Sprintf(panelScript, seconds), &p)
		return p
	}
	mute := watch(scaled(2, 3))
	b.eval(`document.querySelector('.monitor.program header button').click()`, nil)
	over := watch(3)
	heard := watch(scaled(2, 3))
	mute.check(t, "muted", 0)
	over.check(t, "changing over to audio", 1)
	heard.check(t, "with audio", 1)
	testkit.Measure(t, "panel, muted: error of the latency it shows", math.Abs(mute.Displayed-mute.Measured), "ms", testkit.AtMost(40))
	testkit.Measure(t, "panel, with audio: error of the latency it shows", math.Abs(heard.Displayed-heard.Measured), "ms", testkit.AtMost(40))

	s.await(5*time.Second, "its B-frames are seen", func(st control.State) bool {
		f := feedOf(st, "navy")
		return f.Video.BFrames && f.Watch.WebCodecs && (f.Watch.Reduced || !f.Watch.OK)
	})
	if frame, status := s.get("/api/v1/snapshot/navy.jpg"); status != 200 || len(frame) < 4000 {
		t.Errorf("its snapshot: %d, %d bytes", status, len(frame))
	}
	s.cut("navy")
	b.until(10*time.Second, `document.querySelector('.program .transport')?.textContent === 'WebCodecs' && document.querySelector('.monitor.program video').currentTime > 1`)
	b.checkWebCodecs(t, heard.Rate)
}

func (p panelFigures) check(t *testing.T, what string, audio int) {
	t.Helper()
	t.Logf("%s: latency %.0f ms, the panel displays %.0f ms; %.1f frames per second", what, p.Measured, p.Displayed, p.Rate)
	if p.Audio != audio || p.Videos != 1 || p.Rate == 0 || p.Displayed < 0 {
		t.Errorf("%s: %d audio and %d video tracks are received, %.1f frames per second shown, and the panel displays %.0f ms", what, p.Audio, p.Videos, p.Rate, p.Displayed)
	}
	testkit.Measure(t, "panel, "+what+": longest freeze", p.LongestFreezeMs, "ms", testkit.AtMost(400))
}
