package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"image"
	_ "image/png" // for screenshots
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/andreykaipov/goobs/api/requests/config"
	"github.com/andreykaipov/goobs/api/requests/scenes"
	"github.com/andreykaipov/goobs/api/requests/sources"
	"github.com/andreykaipov/goobs/api/requests/transitions"

	"obvan/internal/testkit"
	"obvan/mixer"
	"obvan/mixer/obs"
	"obvan/mixer/obs/naming"
	"obvan/mixer/obs/provision"
)

// obsMixer is a mixer that runs on a real OBS.
type obsMixer struct {
	*obs.Mixer
	t     *testing.T
	mu    sync.Mutex
	state mixer.State
}

func (o *realOBS) startMixer(t *testing.T) *obsMixer { return o.startMixerWith(t, obs.Config{}) }

func (o *realOBS) startMixerWith(t *testing.T, cfg obs.Config) *obsMixer {
	t.Helper()
	d := &obsMixer{Mixer: o.mixer(t, cfg), t: t}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- d.Run(ctx, func(s mixer.State) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.state = s
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	d.await("connected", func(s *mixer.State) bool { return s.Connected })
	return d
}

// setUp has OBS set up as wished.
func (d *obsMixer) setUp(wish provision.Target) {
	d.t.Helper()
	plan, err := provision.Make(d.soon(), d, wish)
	d.do("plan", err)
	_, err = plan.Apply(d.soon(), d)
	d.do("apply", err)
}

func (d *obsMixer) now() mixer.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

func (d *obsMixer) await(what string, fact func(s *mixer.State) bool) {
	d.t.Helper()
	defer func() {
		if d.t.Failed() {
			d.t.Logf("state: %+v", d.now())
		}
	}()
	testkit.Eventually(d.t, 20*time.Second, func() bool {
		s := d.now()
		return fact(&s)
	}, "%s", what)
}

func (d *obsMixer) do(what string, err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatalf("%s: %v", what, err)
	}
}

func (d *obsMixer) soon() context.Context {
	ctx, cancel := context.WithTimeout(d.t.Context(), 15*time.Second)
	d.t.Cleanup(cancel)
	return ctx
}

func TestRealOBSCutsInstantlyAndKeepsItsTransition(t *testing.T) {
	parallel(t, heavy)
	o := startOBS(t, "--studio-mode")
	o.addColourScenes(t, "cam1", "cam2", "cam3")
	d := o.startMixer(t)
	d.await("scenes", func(s *mixer.State) bool { return len(s.Sources) == 4 })
	const fade = 15 * time.Second // so long that a cut that runs it stands out, however busy the machine
	slow := mixer.Transition{Kind: "Fade", DurationMs: int(fade.Milliseconds())}
	d.do("transition", d.SetTransition(d.soon(), slow))
	d.await("a long fade", func(s *mixer.State) bool { return s.Transition == slow })
	var took []time.Duration
	for i := range scaled(9, 30) {
		cam := []string{"cam1", "cam2", "cam3"}[i%3]
		begin := time.Now()
		d.do("cut", d.Cut(d.soon(), cam, mixer.Instant))
		d.await(cam+" on air", func(s *mixer.State) bool { return s.Program == cam && !s.InTransition })
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	if took[len(took)/2] > fade/2 {
		t.Error("cuts run the fade")
	}
	testkit.Measure(t, "OBS: cut confirmed, median", testkit.Milliseconds(took[len(took)/2]), "ms", testkit.AtMost(500))
	conn := o.dial(t)
	var current transitions.GetCurrentSceneTransitionResponse
	d.do("current transition", conn.Call(t.Context(), &transitions.GetCurrentSceneTransitionParams{}, &current))
	if current.TransitionName != "Fade" || current.TransitionDuration != float64(slow.DurationMs) {
		t.Errorf("the operator's transition became %s %v", current.TransitionName, current.TransitionDuration)
	}
	var own scenes.GetSceneSceneTransitionOverrideResponse
	d.do("override", conn.Call(t.Context(), scenes.NewGetSceneSceneTransitionOverrideParams().WithSceneName("cam1"), &own))
	if own.TransitionName != "" {
		t.Errorf("an override stayed behind: %s", own.TransitionName)
	}
	for _, kind := range d.now().Transitions {
		next := d.now().Preview
		d.do("take", d.Take(d.soon(), mixer.Transition{Kind: kind, DurationMs: 200}))
		d.await(next+" by "+kind, func(s *mixer.State) bool { return s.Program == next && !s.InTransition })
	}
}

// OBS names the source of a cut in the middle of another client's transition as program,
// but never shows it: what is shown must be what is named.
func TestRealOBSShowsWhatItNamesAfterACutInATransition(t *testing.T) {
	parallel(t, heavy)
	o := startOBS(t, "--studio-mode")
	o.addColourScenes(t, "cam1", "cam2", "cam3")
	d := o.startMixer(t)
	d.await("scenes", func(s *mixer.State) bool { return len(s.Sources) == 4 })
	conn := o.dial(t)
	for range 5 {
		d.do("cut", d.Cut(d.soon(), "cam1", mixer.Instant))
		d.await("cam1", func(s *mixer.State) bool { return s.Program == "cam1" && !s.InTransition })
		d.do("another client's fade", conn.Call(t.Context(), scenes.NewSetCurrentProgramSceneParams().WithSceneName("cam2"), nil))
		d.do("cut", d.Cut(d.soon(), "cam3", mixer.Instant))
		d.await("cam3", func(s *mixer.State) bool { return s.Program == "cam3" && !s.InTransition })
		for scene, want := range map[string]bool{"cam1": false, "cam2": false, "cam3": true} {
			testkit.Eventually(t, 2*time.Second, func() bool {
				var active sources.GetSourceActiveResponse
				d.do("active", conn.Call(t.Context(), sources.NewGetSourceActiveParams().WithSourceName(scene+" colour"), &active))
				return active.VideoActive == want
			}, "%s visible: %v", scene, want)
		}
	}
}

func TestRealOBSTBarIsPulled(t *testing.T) {
	parallel(t, heavy)
	o := startOBS(t, "--studio-mode")
	o.addColourScenes(t, "cam1", "cam2")
	d := o.startMixer(t)
	d.await("scenes", func(s *mixer.State) bool { return len(s.Sources) == 3 })
	d.do("cut", d.Cut(d.soon(), "cam1", mixer.Instant))
	d.await("cam1", func(s *mixer.State) bool { return s.Program == "cam1" && !s.InTransition })
	d.do("preview", d.Preview(d.soon(), "cam2"))
	d.await("cam2 in preview", func(s *mixer.State) bool { return s.Preview == "cam2" })
	for i := 1; i <= 5; i++ {
		d.do("pull", d.MoveTBar(d.soon(), float64(i)/10, false))
	}
	d.await("half-way", func(s *mixer.State) bool {
		return s.InTransition && s.TBar != nil && s.TBar.Position > 0.4 && s.TBar.Position < 0.6
	})
	d.do("pull", d.MoveTBar(d.soon(), 1, true))
	d.await("cam2 on air", func(s *mixer.State) bool { return s.Program == "cam2" && !s.InTransition && s.TBar.Position == 0 })
}

// screenshot is an image of a source, 640 pixels wide.
func (o *realOBS) screenshot(t testing.TB, source string) image.Image {
	t.Helper()
	conn := o.dial(t)
	defer conn.Close()
	var unit sources.GetSourceScreenshotResponse
	ask := sources.NewGetSourceScreenshotParams().WithSourceName(source).WithImageFormat("png").WithImageWidth(640)
	if err := conn.Call(t.Context(), ask, &unit); err != nil {
		t.Fatal(err)
	}
	_, data, _ := strings.Cut(unit.ImageData, ",")
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		t.Fatal(err)
	}
	img, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// bright counts the white pixels in the lower third.
func bright(img image.Image) (n int) {
	b := img.Bounds()
	for y := b.Min.Y + b.Dy()*3/4; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if r, g, bl, _ := img.At(x, y).RGBA(); r > 0xC000 && g > 0xC000 && bl > 0xC000 {
				n++
			}
		}
	}
	return n
}

var show = provision.Target{
	Feeds: []provision.Feed{{ID: "cam1", Name: "Main"}, {ID: "cam2"}, {ID: "cam3"}},
	Play:  "rtsp://127.0.0.1:1", Program: "rtmp://127.0.0.1:1/mixer", Key: "private",
}

func TestRealOBSIsSetUpAndUndone(t *testing.T) {
	parallel(t, heavy)
	o := startOBS(t, "--studio-mode", "--stock")
	d := o.startMixer(t)
	before := len(d.now().Sources)
	plan, err := provision.Make(d.soon(), d, show)
	d.do("plan", err)
	for _, step := range plan.Steps {
		t.Log(step.Text)
	}
	t.Log(plan.Notes)
	undo, err := plan.Apply(d.soon(), d)
	d.do("apply", err)
	again, err := provision.Make(d.soon(), d, show)
	d.do("plan again", err)
	if len(again.Steps) != 0 {
		t.Errorf("the second setup would change something: %+v", again.Steps)
	}
	d.await("the feeds in their scenes", func(s *mixer.State) bool {
		scene := slices.IndexFunc(s.Sources, func(src mixer.Source) bool { return src.Name == naming.Scene("Main") })
		four := slices.IndexFunc(s.Sources, func(src mixer.Source) bool { return src.Name == naming.FourUp })
		return scene >= 0 && slices.Equal(s.Sources[scene].Feeds, []string{"cam1"}) &&
			four >= 0 && slices.Equal(s.Sources[four].Feeds, []string{"cam1", "cam2", "cam3"}) && s.Graphic != nil
	})
	renamed := show
	renamed.Feeds = []provision.Feed{{ID: "cam1", Name: "Centre"}, {ID: "cam2"}, {ID: "cam4"}}
	plan, err = provision.Make(d.soon(), d, renamed)
	d.do("plan the change", err)
	for _, step := range plan.Steps {
		t.Log(step.Text)
	}
	if !slices.Equal(plan.RemovedFeeds, []string{"cam3"}) {
		t.Errorf("orphaned scenes: %v", plan.RemovedFeeds)
	}
	second, err := plan.Apply(d.soon(), d)
	d.do("apply the change", err)
	d.await("the new name", func(s *mixer.State) bool {
		return slices.ContainsFunc(s.Sources, func(src mixer.Source) bool { return src.Name == naming.Scene("Centre") })
	})
	d.do("undo the change", second.Apply(d.soon(), d))
	d.do("undo", undo.Apply(d.soon(), d))
	d.await("as before", func(s *mixer.State) bool { return len(s.Sources) == before && s.Graphic == nil && len(s.Audio) == 0 })
	var service config.GetStreamServiceSettingsResponse
	d.do("service", d.Call(d.soon(), &config.GetStreamServiceSettingsParams{}, &service))
	if service.StreamServiceSettings != nil && service.StreamServiceSettings.Key == "private" {
		t.Error("the stream still goes to the studio")
	}
}

func TestRealOBSShowsTheLowerThird(t *testing.T) {
	parallel(t, heavy)
	o := startOBS(t, "--studio-mode")
	d := o.startMixer(t)
	if err := d.ShowGraphic(d.soon(), nil); !errors.Is(err, mixer.ErrNotNow) {
		t.Errorf("without a set-up: %v", err)
	}
	d.setUp(show)
	main := naming.Scene("Main")
	d.await("set up", func(s *mixer.State) bool { return s.Graphic != nil })
	d.do("cut", d.Cut(d.soon(), main, mixer.Instant))
	d.await("main on air", func(s *mixer.State) bool { return s.Program == main && !s.InTransition })
	if n := bright(o.screenshot(t, main)); n != 0 {
		t.Errorf("%d white pixels before", n)
	}
	begin := time.Now()
	d.do("take", d.ShowGraphic(d.soon(), map[string]string{"name": "Grace Hopper", "title": "Rear admiral"}))
	t.Logf("take to confirmed: %v", time.Since(begin))
	d.await("on air", func(s *mixer.State) bool { return s.Graphic.OnAir && s.Graphic.Text["name"] == "Grace Hopper" })
	shown := bright(o.screenshot(t, main))
	d.do("update", d.UpdateGraphic(d.soon(), map[string]string{"name": strings.Repeat("A very long name indeed ", 30), "title": "Größe, 漢字 & \"quotes\"\nnew line"}))
	d.await("updated", func(s *mixer.State) bool { return strings.HasSuffix(s.Graphic.Text["name"], "…") })
	testkit.Eventually(t, 5*time.Second, func() bool { return bright(o.screenshot(t, main)) != shown }, "the new text in the output")
	d.do("out", d.HideGraphic(d.soon()))
	d.await("off air", func(s *mixer.State) bool { return !s.Graphic.OnAir && !s.Graphic.Shown })
	if n := bright(o.screenshot(t, main)); shown < 300 || n != 0 {
		t.Errorf("%d white pixels while shown, %d after", shown, n)
	}
}

func TestRealOBSIsKilledAndComesBack(t *testing.T) {
	parallel(t, heavy)
	dir := t.TempDir()
	o := startOBS(t, "--studio-mode", "--dir", dir)
	_, port, _ := strings.Cut(o.addr, ":")
	d := o.startMixer(t)
	d.setUp(show)
	main, second := naming.Scene("Main"), naming.Scene("cam2")
	d.await("set up", func(s *mixer.State) bool { return s.Graphic != nil })
	d.do("cut", d.Cut(d.soon(), main, mixer.Instant))
	d.await("main", func(s *mixer.State) bool { return s.Program == main && !s.InTransition })
	d.do("preview", d.Preview(d.soon(), second))
	d.do("take", d.ShowGraphic(d.soon(), map[string]string{"name": "Grace Hopper"}))
	d.await("on air", func(s *mixer.State) bool {
		return s.Preview == second && s.Graphic.OnAir && slices.Equal(s.OnAir, []string{"cam1"}) && s.Health != nil && s.Health.FPS > 0
	})
	pid, err := strconv.Atoi(o.pid)
	d.do("pid", err)
	begin := time.Now()
	d.do("kill", syscall.Kill(pid, syscall.SIGKILL))
	d.await("away", func(s *mixer.State) bool { return !s.Connected && len(s.OnAir) == 0 })
	t.Logf("the crash was noticed after %v", time.Since(begin))
	if err := d.Cut(d.soon(), main, mixer.Instant); !errors.Is(err, mixer.ErrOffline) {
		t.Errorf("cut: %v", err)
	}
	o.stopped.Wait()
	startOBS(t, "--dir", dir, "--port", port) // not in studio mode: the mixer brings it back
	d.await("as it was", func(s *mixer.State) bool {
		return s.Connected && s.StudioMode && s.Program == main && s.Preview == second &&
			slices.Equal(s.OnAir, []string{"cam1"}) && s.Graphic != nil && s.Graphic.OnAir && s.Graphic.Text["name"] == "Grace Hopper"
	})
	t.Logf("as it was after %v", time.Since(begin))
}
