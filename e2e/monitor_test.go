package e2e

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"obvan/internal/testkit"
)

//go:embed testdata/monitor.js
var viewersScript string

// viewers opens a page of the studio without the panel, logged in, with the viewers' script.
func (s *studio) viewers() *browser {
	s.t.Helper()
	b := newBrowser(s.t, 1280, 800)
	b.bypassCSP()
	b.do(chromedp.Navigate(s.url("/healthz")))
	b.eval(`fetch('/api/v1/login', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({token: '`+token+`'})}).then(r => r.status)`, nil)
	b.loadViewerScript()
	return b
}

// bypassCSP allows the audio worklet and the frame worker, which the studio's pages refuse.
func (b *browser) bypassCSP() {
	b.t.Helper()
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true})
		return err
	}))
}

// loadViewerScript puts the viewers' script into the page.
func (b *browser) loadViewerScript() {
	b.t.Helper()
	b.eval("(() => {"+viewersScript+"})()", nil)
}

// call runs a function of the viewers' script.
func (b *browser) call(result any, function string, args ...any) {
	b.t.Helper()
	texts := make([]string, len(args))
	for i, arg := range args {
		text, err := json.Marshal(arg)
		if err != nil {
			b.t.Fatal(err)
		}
		texts[i] = string(text)
	}
	b.eval("viewers."+function+"("+strings.Join(texts, ", ")+")", result)
}

// view is a stream to watch, and the frames per second that it has.
type view struct {
	Stream    string  `json:"stream"`
	FPS       float64 `json:"-"`
	Audio     bool    `json:"audio"`
	Bits      int     `json:"bits"` // of the counter in its frames
	LatencyMs float64 `json:"-"`    // from arrival to the screen, in the median; 0 for no goal
}

func (w view) String() string {
	if w.Audio {
		return w.Stream + ", with audio"
	}
	return w.Stream + ", muted"
}

// viewing is what a viewer of the page measured. The longest still is that of the
// screen, by the compositor's clock; the counter's is that of the frames as they
// leave the decoder, read from their pixels.
type viewed struct {
	playback
	PageFreezeMs    float64
	Missed          int // callbacks that came too late to report each frame
	Counted, Back   int
	DecoderFreezeMs float64
	OffMs           []float64 // each beep behind its flash
	Flashes, Beeps  int
}

// monitored is a camera of each kind that the monitor has to show, and how.
var monitored = []struct {
	name   string
	format string // as ffmpeg calls it
	camera camera
	views  []view
}{
	{"H.264 over RTMP", "flv", camera{colour: "red", tone: 1000, counts: true},
		[]view{{"red", 30, true, counterBits, 0}, {"red", 30, false, counterBits, 40}}},
	{"H.264 over RTSP", "rtsp", camera{colour: "green", tone: 800, counts: true},
		[]view{{"green", 30, true, counterBits, 0}, {"green", 30, false, counterBits, 40}}},
	// Of a GOP of 30, 19 are B-frames, which WebRTC can't show.
	{"B-frames that no frame refers to", "flv", camera{colour: "blue", tone: 600, counts: true, extra: []string{"-profile:v", "main", "-bf", "2", "-b_strategy", "0", "-x264-params", "b-pyramid=none"}},
		[]view{{"blue", 11, true, counterBits, 0}}},
	// As OBS sends it with its default settings: B-frames, some of which are
	// references, and a keyframe every 250. ffmpeg makes a small preview of it.
	{"B-frames as OBS sends them", "flv", camera{colour: "navy", size: "1280x720", tone: 500, counts: true, coder: []string{"-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-pix_fmt", "yuv420p",
		"-bf", "3", "-g", "250", "-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "2500k", "-threads", "2"}},
		[]view{{"navy", 30, true, counterBits, 0}}},
	{"H.265", "rtsp", camera{colour: "purple", counts: true, extra: []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"}},
		[]view{{"purple", 30, false, counterBits, 0}}},
}

func TestTheMonitorPlaysEveryKindOfStream(t *testing.T) {
	parallel(t, heavy)
	s := start(t, "-demo")
	b := s.viewers()
	startCamera := func(t *testing.T, n int) {
		m := monitored[n]
		m.camera.send(t, m.format, map[string]string{"flv": "rtmp://" + s.listen["rtmp"], "rtsp": "rtsp://" + s.listen["rtsp"]}[m.format]+"/live/"+m.camera.colour)
	}
	// The codec of B-frames only shows in the frames, and a preview takes a while to start.
	awake := func(n int) {
		s.live(20*time.Second, monitored[n].camera.colour)
		b.eval(fmt.Sprintf(`viewers.play(%q).then(async v => { await viewers.wait(1500); await v.end(); })`, monitored[n].camera.colour), nil)
	}
	s.live(10*time.Second, "cam1")
	if testkit.Measuring() {
		all := []view{{"cam1", 30, true, 0, 0}, {"cam1", 30, false, 0, 40}}
		for n, m := range monitored {
			startCamera(t, n)
			awake(n)
			all = append(all, m.views...)
		}
		t.Run("side by side for a minute", func(t *testing.T) { s.playsSideBySide(t, b, all) })
		t.Run("soon after it is asked to", func(t *testing.T) {
			var took []float64
			b.call(&took, "joins", "red", 10)
			testkit.Measure(t, "monitor: offer to first frame, median", quantile(took, 0.5), "ms", testkit.AtMost(150))
		})
	} else {
		plain := s.plays(t, b, []view{{"cam1", 30, true, 0, 0}}, 4)[0]
		for n, m := range monitored {
			t.Run(m.name, func(t *testing.T) {
				startCamera(t, n)
				awake(n)
				for i, got := range s.plays(t, b, m.views, 4) {
					got.check(t, m.views[i], plain)
				}
			})
		}
		startCamera(t, 3)
		awake(3)
	}
	b.do(chromedp.Navigate("about:blank"))
	t.Run("on the panel", s.playsOnThePanel)
}

// playsSideBySide watches streams for a minute: all at once, or in two goes on a machine
// that is too small to show so many.
func (s *studio) playsSideBySide(t *testing.T, b *browser, all []view) {
	goes := [][]view{all}
	if runtime.NumCPU() < 4 {
		goes = [][]view{all[:len(all)/2], all[len(all)/2:]}
	}
	for _, views := range goes {
		server, browser, began := s.cpu(), b.cpu(), time.Now()
		for i, got := range s.plays(t, b, views, 60) {
			got.measure(t, views[i])
		}
		span, name := time.Since(began).Seconds()/100, fmt.Sprintf("monitor: %d side by side, CPU of the ", len(views))
		testkit.Measure(t, name+"server", (s.cpu()-server).Seconds()/span, "% core", testkit.NoGoal())
		testkit.Measure(t, name+"browser", (b.cpu()-browser).Seconds()/span, "% core", testkit.NoGoal())
	}
}

// plays watches streams side by side for some seconds, those with audio with a receiver
// that is no browser as well.
func (s *studio) plays(t *testing.T, b *browser, views []view, seconds int) (got []viewed) {
	t.Helper()
	delivered := s.receivers(t, views)
	b.call(&got, "watch", views, seconds, scaled(2, 5))
	delivered()
	for i := range got {
		w := &got[i]
		w.Rate = float64(w.Decoded) / w.Seconds
		t.Logf("%v: %.1f of %.0f frames per second, %d dropped; page froze for %.0f ms, %d callbacks missed; %d flashes, %d beeps; arrival to display: p95 %.0f ms; joined in %.0f ms",
			views[i], w.Rate, views[i].FPS, w.Dropped, w.PageFreezeMs, w.Missed, w.Flashes, w.Beeps, quantile(w.LatencyMs, 0.95), w.JoinMs)
	}
	return got
}

// check holds a view to what this machine's browser showed of a plain stream.
func (w *viewed) check(t *testing.T, view view, plain viewed) {
	t.Helper()
	if want := plain.Rate * view.FPS / 30 / 3; plain.Rate == 0 || w.Rate < want {
		t.Errorf("%v: %.1f frames per second are decoded, want at least %.1f: of a plain stream it is %.1f", view, w.Rate, want, plain.Rate)
	}
	if w.Counted == 0 || w.Back > 0 {
		t.Errorf("%v: %d frames were read, the counter went back %d times", view, w.Counted, w.Back)
	}
	if view.Audio && (w.Samples == 0 || w.Energy == 0) {
		t.Errorf("%v: %d audio samples of energy %g", view, w.Samples, w.Energy)
	}
}

// measure compares a view with what it should be.
func (w *viewed) measure(t *testing.T, view view) {
	t.Helper()
	figure := func(name string, value float64, unit string, goal testkit.Goal) {
		t.Helper()
		testkit.Measure(t, fmt.Sprintf("monitor: %v: %s", view, name), value, unit, goal)
	}
	figure("frames decoded", w.Rate, "fps", testkit.Between(view.FPS*14/15, view.FPS*16/15))
	figure("keyframe requests", float64(w.PLI), "", testkit.AtMost(0))
	figure("longest freeze of the decoder", w.DecoderFreezeMs, "ms", testkit.AtMost(200))
	figure("longest freeze on the screen", w.LongestFreezeMs, "ms", testkit.AtMost(200))
	figure("counter went back", float64(w.Back), "times", testkit.AtMost(0))
	figure("frames read", 100*float64(w.Counted)/float64(max(1, w.Decoded)), "%", testkit.AtLeast(90))
	if view.LatencyMs > 0 {
		figure("arrival to display, median", quantile(w.LatencyMs, 0.5), "ms", testkit.Between(-20, view.LatencyMs))
	}
	if !view.Audio {
		return
	}
	figure("audio samples", float64(w.Samples)/w.Seconds, "per s", testkit.AtLeast(45000))
	figure("audio concealed", 100*float64(w.Concealed)/float64(max(1, w.Samples)), "%", testkit.AtMost(2))
	if view.Bits > 0 { // it flashes
		figure("flashes with a beep", float64(len(w.OffMs)), "", testkit.AtLeast(w.Seconds/2))
		figure("audio behind video, median", quantile(w.OffMs, 0.5), "ms", testkit.Between(-60, 60))
	}
}
