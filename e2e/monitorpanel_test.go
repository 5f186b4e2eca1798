package e2e

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"obvan/control"
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

// onPanel is what was seen of the program's picture there.
type onPanel struct {
	Measured, Said, Still float64
	Audio, Videos         int
}

// onThePanel watches the program on the panel: by WebRTC, mute and heard, then a
// camera with B-frames, which the panel decodes by itself.
func (s *studio) onThePanel(t *testing.T) {
	s.cut("cam1")
	b := newBrowser(t, 1920, 1080)
	b.bypassCSP()
	b.do(chromedp.Navigate(s.url("/#token=" + token)))
	b.until(15*time.Second, `document.querySelector('.monitor.program video')?.currentTime > 1 && parseFloat(document.querySelector('.monitor.program .late')?.textContent) >= 0`)
	watch := func(seconds int) (p onPanel) {
		b.eval(fmt.Sprintf(onThePanel, seconds), &p)
		return p
	}
	mute := watch(3)
	b.eval(`document.querySelector('.monitor.program header button').click()`, nil)
	over := watch(3)
	heard := watch(3)
	mute.check(t, "mute", 0)
	over.check(t, "changing over to sound", 1)
	heard.check(t, "with sound", 1)
	for _, p := range []onPanel{mute, heard} {
		if math.Abs(p.Said-p.Measured) > 40 {
			t.Errorf("the panel says %.0f ms, measured are %.0f ms", p.Said, p.Measured)
		}
	}

	s.await(5*time.Second, "its B-frames are seen", func(st control.State) bool {
		f := feedOf(st, "obs")
		return f.Video.BFrames && f.Watch.WebCodecs && (f.Watch.Reduced || !f.Watch.OK)
	})
	if picture, status := s.get("/api/v1/snapshot/obs.jpg"); status != 200 || len(picture) < 4000 {
		t.Errorf("its snapshot: %d, %d bytes", status, len(picture))
	}
	s.cut("obs")
	b.until(10*time.Second, `document.querySelector('.program .way')?.textContent === 'WebCodecs' && document.querySelector('.monitor.program video').currentTime > 1`)
	b.playsByWebCodecs(t)
}

func (p onPanel) check(t *testing.T, what string, audio int) {
	t.Helper()
	t.Logf("%s: the picture is %.0f ms old, the panel says %.0f ms; longest still %.0f ms", what, p.Measured, p.Said, p.Still)
	if p.Audio != audio || p.Videos != 1 {
		t.Errorf("%s: %d sounds and %d pictures are received", what, p.Audio, p.Videos)
	}
	if p.Still > 400 {
		t.Errorf("%s: the picture stood still for %.0f ms", what, p.Still)
	}
}
