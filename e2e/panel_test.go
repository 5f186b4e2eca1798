package e2e

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"obvan/control"
	"obvan/internal/testkit"
)

func TestAnOperatorSeesFourCamerasAndCutsBetweenThem(t *testing.T) {
	parallel(t, heavy)
	s := start(t, "-demo")
	s.live(10*time.Second, "cam1", "cam2", "cam3", "cam4")
	opened := time.Now()
	b := s.open(1920, 1080)
	// All video plays: its time advances.
	b.until(8*time.Second, `[...document.querySelectorAll('video')].filter(v => v.currentTime > 0.3 && v.videoWidth === 1280).length >= 5`)
	// 5 s, and the browser's own start.
	testkit.Measure(t, "panel: opened until all video plays", time.Since(opened).Seconds(), "s", testkit.AtMost(7))
	b.screenshot("panel-1920")

	for source, key := range map[string]string{"cam3": "3", "cam2": "2"} {
		b.do(chromedp.KeyEvent(key))
		s.await(2*time.Second, source+" in preview by key", func(st control.State) bool { return st.Mixer.Preview == source })
		b.do(chromedp.KeyEvent(" "))
		s.await(3*time.Second, source+" on air by space", func(st control.State) bool { return st.Program.OnAir == source && st.Tally[source] == "program" })
	}
	b.do(chromedp.Click(chromedp.CSS(`[data-source="cam4"] button`)))
	s.await(2*time.Second, "cam4 in preview by mouse", func(st control.State) bool { return st.Mixer.Preview == "cam4" })
	b.do(chromedp.Click(chromedp.CSS(`[data-command="mixer.cut"]`)))
	s.await(3*time.Second, "cam4 on air by mouse", func(st control.State) bool { return st.Program.OnAir == "cam4" })
	b.until(2*time.Second, `document.querySelector('[data-source="cam4"]').textContent.toLowerCase().includes('program') || document.querySelector('[data-source="cam4"] .program, [data-source="cam4"].program')`)
	b.screenshot("panel-1920-cut")
}

func TestThePanelShowsThatTheServerIsLost(t *testing.T) {
	parallel(t, heavy)
	s := start(t, "-demo")
	s.live(10*time.Second, "cam1", "cam2", "cam3", "cam4")
	b := s.open(1920, 1080)
	b.until(8*time.Second, `[...document.querySelectorAll('video')].filter(v => v.currentTime > 0.3).length >= 5`)
	s.cmd.Process.Kill()
	<-s.ended
	b.until(10*time.Second, `/connection lost/i.test(document.body.innerText)`)
	b.screenshot("panel-lost")
}

func TestChromiumPlaysTheProgramByWHEP(t *testing.T) {
	parallel(t, heavy)
	s := start(t, "-demo")
	s.live(10*time.Second, "cam1")
	s.cut("cam1")
	b := newBrowser(t, 800, 600)
	b.do(chromedp.Navigate(s.url("/healthz"))) // a page of the same origin that plays nothing itself
	b.eval(`fetch('/api/v1/login', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({token: '`+token+`'})}).then(r => r.status)`, nil)
	w := b.watch("program", scaled(3, 8))
	t.Logf("joined in %.0f ms; %d frames decoded, %d dropped; arrival to display: p95 %.0f ms; longest freeze %.0f ms",
		w.JoinMs, w.Decoded, w.Dropped, quantile(w.LatencyMs, 0.95), w.LongestFreezeMs)
	if w.Decoded == 0 || w.Samples == 0 || len(w.LatencyMs) == 0 {
		t.Errorf("%d frames are decoded, %d shown; %d audio samples", w.Decoded, len(w.LatencyMs), w.Samples)
	}
	testkit.Measure(t, "program by WHEP: frames decoded", w.Rate, "fps", testkit.Between(28.5, 31.5))
	testkit.Measure(t, "program by WHEP: keyframe requests", float64(w.PLI), "", testkit.AtMost(1))
	testkit.Measure(t, "program by WHEP: arrival to display, median", quantile(w.LatencyMs, 0.5), "ms", testkit.Between(-20, 150))
}
