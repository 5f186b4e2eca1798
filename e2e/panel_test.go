package e2e

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"obvan/control"
)

func TestANewcomerSeesFourMovingCamerasAndCutsBetweenThem(t *testing.T) {
	s := start(t, "-demo")
	s.live(10*time.Second, "cam1", "cam2", "cam3", "cam4")
	opened := time.Now()
	b := s.open(1920, 1080)
	// Each picture plays: its time advances and its last frame is not the first.
	b.until(8*time.Second, `[...document.querySelectorAll('video')].filter(v => v.currentTime > 0.3 && v.videoWidth === 1280).length >= 5`)
	t.Logf("all pictures play %v after the page was opened", time.Since(opened))
	if took := time.Since(opened); took > 7*time.Second { // 5 s, and the browser's own start
		t.Errorf("pictures after %v", took)
	}
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

func TestThePanelIsHonestWhenTheServerIsGone(t *testing.T) {
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
	s := start(t, "-demo")
	s.live(10*time.Second, "cam1")
	s.cut("cam1")
	b := newBrowser(t, 800, 600)
	b.do(chromedp.Navigate(s.url("/healthz"))) // a page of the same origin that plays nothing itself
	b.eval(`fetch('/api/v1/login', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({token: '`+token+`'})}).then(r => r.status)`, nil)
	w := b.watch("program", 8)
	t.Logf("joined in %.0f ms; %.1f pictures a second decoded, %d dropped, %d key frames asked for; arrival to display: median %.0f ms, p95 %.0f ms; longest still %.0f ms",
		w.JoinMs, w.Rate, w.Dropped, w.PLI, quantile(w.LatencyMs, 0.5), quantile(w.LatencyMs, 0.95), w.LongestStillMs)
	if w.Rate < 28.5 || w.Rate > 31.5 {
		t.Errorf("%.1f pictures a second are decoded, the source has 30", w.Rate)
	}
	if w.PLI > 1 {
		t.Errorf("the browser asked for %d key frames", w.PLI)
	}
	if median := quantile(w.LatencyMs, 0.5); median > 150 || median < -20 {
		t.Errorf("median latency %.0f ms", median)
	}
}
