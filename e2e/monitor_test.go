package e2e

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

//go:embed testdata/monitor.js
var viewersScript string

// viewers opens a page of the studio that has nothing of the panel, logged in, with
// the script of the viewers.
func (s *studio) viewers() *browser {
	s.t.Helper()
	b := newBrowser(s.t, 1280, 800)
	b.bypassCSP()
	b.do(chromedp.Navigate(s.url("/healthz")))
	b.eval(`fetch('/api/v1/login', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({token: '`+token+`'})}).then(r => r.status)`, nil)
	b.eyes()
	return b
}

// bypassCSP lets the ear and the eye in, which are scripts of their own: the studio's
// pages would refuse them.
func (b *browser) bypassCSP() {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true})
		return err
	}))
}

// eyes puts the viewers' script into the page.
func (b *browser) eyes() {
	b.t.Helper()
	b.eval("(() => {"+viewersScript+"})()", nil)
}

// call runs a function of the viewers' script.
func (b *browser) call(result any, function string, args ...any) {
	b.t.Helper()
	words := make([]string, len(args))
	for i, arg := range args {
		text, err := json.Marshal(arg)
		if err != nil {
			b.t.Fatal(err)
		}
		words[i] = string(text)
	}
	b.eval("viewers."+function+"("+strings.Join(words, ", ")+")", result)
}

// shown is a stream to be watched, and the pictures a second that it must be shown at.
type shown struct {
	Stream string  `json:"stream"`
	FPS    float64 `json:"-"`
	Sound  bool    `json:"sound"`
	Bits   int     `json:"bits"` // of the counter in its picture
	Within float64 `json:"-"`    // ms it takes from its arrival to the screen, in the median; 0 when that is not said
}

func (w shown) String() string {
	if w.Sound {
		return w.Stream + ", with sound"
	}
	return w.Stream + ", mute"
}

// viewing is what a viewer of the page measured. The longest still is that of the
// screen, by the compositor's clock; the counter's is that of the pictures as they
// leave the decoder, read from their pixels.
type viewing struct {
	watched
	PageStillMs    float64
	Missed         int // callbacks that came too late to tell of each picture
	Counted, Back  int
	CounterStillMs float64
	OffMs          []float64 // each beep behind its flash
	Flashes, Beeps int
}

const aMinute = 60

func TestTheMonitorPlaysWhateverArrives(t *testing.T) {
	s := start(t, "-demo")
	rtmp := "rtmp://" + s.listen["rtmp"] + "/live/"
	camera{colour: "red", tone: 1000, counts: true}.send(t, "flv", rtmp+"red")
	camera{colour: "green", tone: 800, counts: true}.send(t, "rtsp", "rtsp://"+s.listen["rtsp"]+"/live/green")
	camera{colour: "blue", tone: 600, counts: true, extra: []string{"-profile:v", "main", "-bf", "2", "-b_strategy", "0", "-x264-params", "b-pyramid=none"}}.send(t, "flv", rtmp+"blue")
	// As OBS sends it when nobody changed its settings: B pictures, some of which are
	// references, and a key picture each 250. ffmpeg makes a small picture of it.
	camera{colour: "navy", size: "1280x720", tone: 500, counts: true, coder: []string{"-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-pix_fmt", "yuv420p",
		"-bf", "3", "-g", "250", "-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "2500k", "-threads", "2"}}.send(t, "flv", rtmp+"obs")
	camera{colour: "purple", counts: true, extra: []string{"-c:v", "libx265", "-x265-params", "log-level=none"}}.send(t, "rtsp", "rtsp://"+s.listen["rtsp"]+"/live/hevc")
	s.live(20*time.Second, "cam1", "red", "green", "blue", "obs", "hevc")
	b := s.viewers()
	b.eval(`viewers.play("obs").then(async v => { await viewers.wait(1500); await v.end(); })`, nil) // its coding only shows in its pictures
	t.Run("for a minute, side by side", func(t *testing.T) {
		// Of a GOP of 30, 19 of blue's are B pictures, which WebRTC can't show.
		const bits = counterBits
		all := []shown{{"cam1", 30, true, 0, 0}, {"red", 30, true, bits, 0}, {"green", 30, true, bits, 0}, {"blue", 11, true, bits, 0}, {"obs", 30, true, bits, 0},
			{"cam1", 30, false, 0, 40}, {"red", 30, false, bits, 40}, {"green", 30, false, bits, 40}, {"hevc", 30, false, bits, 0}}
		wrong := s.plays(t, b, all)
		if wrong != nil { // a machine that is busy, or too small to show nine, shows them in two goes
			t.Logf("all at once: %q", wrong)
			wrong = append(s.plays(t, b, all[:5]), s.plays(t, b, all[5:])...)
		}
		for _, w := range wrong {
			t.Error(w)
		}
	})
	t.Run("soon after it is asked to", func(t *testing.T) {
		var took []float64
		b.call(&took, "joins", "red", 10)
		t.Logf("offer to first picture: median %.0f ms, longest %.0f ms", quantile(took, 0.5), quantile(took, 1))
		if quantile(took, 0.5) > 150 {
			t.Errorf("joins took %.0f ms", took)
		}
	})
	b.do(chromedp.Navigate("about:blank"))
	t.Run("on the panel", s.onThePanel)
}

// plays watches streams side by side for a minute and says where one does not play as it
// should, and where one with sound does not come as it should.
func (s *studio) plays(t *testing.T, b *browser, all []shown) (wrong []string) {
	t.Helper()
	var got []viewing
	delivered := s.receivers(t, all)
	server, browser, began := s.cpu(), b.cpu(), time.Now()
	b.call(&got, "watch", all, aMinute)
	span := time.Since(began).Seconds() / 100
	t.Logf("%d side by side: of one core, the server took %.0f %% and the browser %.0f %%", len(all), (s.cpu()-server).Seconds()/span, (b.cpu()-browser).Seconds()/span)
	wrong = delivered()
	for i, want := range all {
		w := got[i]
		w.Rate = float64(w.Decoded) / w.Seconds
		t.Logf("%v: %.1f of %.0f pictures a second, %d dropped, %d key frames asked for; longest still: counter %.0f ms (%d read), screen %.0f ms (page %.0f ms, %d callbacks missed); arrival to display: median %.0f ms, p95 %.0f ms; joined in %.0f ms",
			want, w.Rate, want.FPS, w.Dropped, w.PLI, w.CounterStillMs, w.Counted, w.LongestStillMs, w.PageStillMs, w.Missed, quantile(w.LatencyMs, 0.5), quantile(w.LatencyMs, 0.95), w.JoinMs)
		found := w.picture(want)
		if want.Sound {
			t.Logf("%v: %d samples, %d of them made up; %d flashes, %d beeps: the sound is behind the picture by %.0f ms (median; %.0f to %.0f ms, 9 of 10 times)",
				want, w.Samples, w.Concealed, w.Flashes, w.Beeps, quantile(w.OffMs, 0.5), quantile(w.OffMs, 0.05), quantile(w.OffMs, 0.95))
			found = append(found, w.sound(want)...)
		}
		for _, what := range found {
			wrong = append(wrong, want.String()+": "+what)
		}
	}
	return wrong
}

// picture says what is wrong with the picture.
func (w *viewing) picture(want shown) (wrong []string) {
	say := func(words string, about ...any) { wrong = append(wrong, fmt.Sprintf(words, about...)) }
	if math.Abs(w.Rate-want.FPS) > want.FPS/15 {
		say("%.1f pictures a second are decoded, want %.0f", w.Rate, want.FPS)
	}
	if w.PLI > 0 {
		say("the browser asked for %d key frames", w.PLI)
	}
	if w.CounterStillMs > 200 || w.LongestStillMs > 200 || w.Back > 0 || float64(w.Counted) < 0.9*float64(w.Decoded) {
		say("the counter stood still for %.0f ms, and for %.0f ms on the screen; it went back %d times; %d of %d were read", w.CounterStillMs, w.LongestStillMs, w.Back, w.Counted, w.Decoded)
	}
	if median := quantile(w.LatencyMs, 0.5); want.Within > 0 && (median > want.Within || median < -20) {
		say("median latency %.0f ms", median)
	}
	return wrong
}

// sound says what is wrong with the sound.
func (w *viewing) sound(want shown) (wrong []string) {
	if heard := float64(w.Samples) / w.Seconds; heard < 45000 || float64(w.Concealed) > 0.02*float64(w.Samples) {
		wrong = append(wrong, fmt.Sprintf("%.0f samples a second are heard, %d of %d made up", heard, w.Concealed, w.Samples))
	}
	if want.Bits == 0 {
		return wrong // it does not flash
	}
	if off := quantile(w.OffMs, 0.5); float64(len(w.OffMs)) < w.Seconds/2 || math.Abs(off) > 60 {
		wrong = append(wrong, fmt.Sprintf("the sound is %.0f ms behind the picture, in %d flashes", off, len(w.OffMs)))
	}
	return wrong
}
