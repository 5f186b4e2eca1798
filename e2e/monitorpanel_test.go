package e2e

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// onThePanel watches the program's picture on the panel for so many seconds: its age
// by this page's own reckoning, and what the panel says of it.
const onThePanel = `(async (seconds) => {
	const wait = ms => new Promise(r => setTimeout(r, ms));
	const video = document.querySelector('.monitor.program video'), shown = [], said = [];
	let last = performance.now(), still = 0, stop = false;
	const onFrame = (now, f) => {
		if (stop) return;
		still = Math.max(still, now - last);
		last = now;
		shown.push({at: f.expectedDisplayTime, rtp: f.rtpTimestamp});
		video.requestVideoFrameCallback(onFrame);
	};
	video.requestVideoFrameCallback(onFrame);
	let best = null;
	for (let n = 0; n < seconds * 10; n++) {
		const sent = performance.now(), c = await (await fetch('/api/v1/clock/program')).json(), took = performance.now() - sent;
		if (!best || took < best.took) best = {rtp: c.rtp, arrived: c.arrivedMs - c.nowMs + sent + took / 2, took};
		said.push(parseFloat(document.querySelector('.monitor.program .late')?.textContent ?? ''));
		await wait(100);
	}
	stop = true;
	const ages = shown.slice(-60).map(f => f.at - (best.arrived + ((f.rtp - best.rtp) | 0) / 90)).sort((a, b) => a - b);
	return {Measured: ages[ages.length >> 1] ?? -1, Said: said.at(-1) ?? -1, Still: still, Audio: video.srcObject.getAudioTracks().length, Videos: video.srcObject.getVideoTracks().length};
})(%d)`

func TestThePanelsFigureIsTrueAndListeningDoesNotBlink(t *testing.T) {
	s := start(t, "-demo")
	s.live(10*time.Second, "cam1", "cam2")
	b := s.open(1920, 1080)
	b.until(15*time.Second, `document.querySelector('.monitor.program video')?.currentTime > 1 && parseFloat(document.querySelector('.monitor.program .late')?.textContent) >= 0`)
	type seen struct {
		Measured, Said, Still float64
		Audio, Videos         int
	}
	watch := func(seconds int) (p seen) {
		b.eval(fmt.Sprintf(onThePanel, seconds), &p)
		return p
	}
	mute := watch(5)
	b.eval(`document.querySelector('.monitor.program header button').click()`, nil)
	over := watch(4)
	heard := watch(6)
	for _, c := range []struct {
		what  string
		p     seen
		audio int
	}{{"mute", mute, 0}, {"changing over to sound", over, 1}, {"with sound", heard, 1}} {
		t.Logf("%s: the picture is %.0f ms old, the panel says %.0f ms; longest still %.0f ms", c.what, c.p.Measured, c.p.Said, c.p.Still)
		if c.p.Audio != c.audio || c.p.Videos != 1 {
			t.Errorf("%s: %d sounds and %d pictures are received", c.what, c.p.Audio, c.p.Videos)
		}
		if c.p.Still > 400 {
			t.Errorf("%s: the picture stood still for %.0f ms", c.what, c.p.Still)
		}
	}
	for _, p := range []seen{mute, heard} {
		if math.Abs(p.Said-p.Measured) > 40 {
			t.Errorf("the panel says %.0f ms, measured are %.0f ms", p.Said, p.Measured)
		}
	}
}
