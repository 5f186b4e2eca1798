package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"obvan/control"
	commands "obvan/control/studio"
	"obvan/internal/testkit"
	"obvan/mixer"
	"obvan/mixer/obs/naming"
)

// atOBS is a studio that mixes with o, and knows its password.
func atOBS(t *testing.T, o *realOBS, flags ...string) *studio {
	t.Helper()
	s := startWith(t, obsEnv(), t.TempDir(), append([]string{"-mixer", "obs://" + o.addr}, flags...)...)
	st := s.await(15*time.Second, "OBS is connected", func(st control.State) bool { return st.Mixer.Connected })
	major, _, _ := strings.Cut(st.Mixer.Version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < 28 { // obs-websocket's own is 5
		t.Errorf("the version of OBS is given as %q", st.Mixer.Version)
	}
	return s
}

// obsEnv is the environment of a studio that knows OBS' password.
func obsEnv() []string { return []string{"OBVAN_OBS_PASSWORD=" + obsPassword} }

// cameras are three of one colour each, called so, and added.
func (s *studio) cameras(colours ...string) {
	s.t.Helper()
	for _, colour := range colours {
		s.do("feed.add", map[string]any{"id": colour, "name": strings.ToUpper(colour[:1]) + colour[1:]})
		camera{colour: colour, tone: 1000}.send(s.t, "flv", "rtmp://"+s.listen["rtmp"]+"/live/"+colour)
	}
	s.live(15*time.Second, colours...)
}

// sceneOf is the scene in OBS of one of the cameras.
func sceneOf(colour string) string { return naming.Scene(strings.ToUpper(colour[:1]) + colour[1:]) }

// setUp sets OBS up for the studio and starts its stream to it.
func (s *studio) setUp(o *realOBS, colours ...string) {
	s.t.Helper()
	s.do("mixer.studioMode", map[string]any{"on": true})
	began := time.Now()
	s.do("obs.provision", map[string]any{"videoKbps": 1500})
	s.t.Logf("set up in %v", time.Since(began).Round(time.Millisecond))
	for _, colour := range colours {
		s.awaitInOBS(o, colour)
	}
	s.t.Logf("cameras in OBS after %v", time.Since(began).Round(time.Millisecond))
	s.do("output.start", map[string]any{"output": "stream"})
	s.await(15*time.Second, "OBS is the program", func(st control.State) bool {
		return st.Program.Level == "mixer" && st.Program.OnAir == "mixer" && st.Mixer.StudioMode
	})
}

// awaitInOBS waits until a camera is visible in its scene.
func (s *studio) awaitInOBS(o *realOBS, colour string) {
	s.t.Helper()
	s.await(10*time.Second, "a scene of "+colour, func(st control.State) bool {
		return slices.ContainsFunc(st.Mixer.Sources, func(src mixer.Source) bool {
			return src.Name == sceneOf(colour) && slices.Equal(src.Feeds, []string{colour})
		})
	})
	testkit.Eventually(s.t, 20*time.Second, func() bool {
		img := o.screenshot(s.t, sceneOf(colour))
		r, g, b, _ := img.At(img.Bounds().Dx()*3/4, img.Bounds().Dy()/2).RGBA()
		return name([]byte{byte(r >> 8), byte(g >> 8), byte(b >> 8)}) == colour
	}, "%s in OBS", colour)
}

func TestOBSIsTheStudiosMixer(t *testing.T) {
	parallel(t, heavy)
	o := startOBS(t, "--stock") // an empty profile, as OBS makes it
	s := start(t, "-mixer", "obs://"+o.addr)
	s.await(10*time.Second, "OBS asks for its password", func(st control.State) bool {
		return !st.Mixer.Connected && strings.Contains(st.Mixer.Problem, "password")
	})
	s.do("obs.password", map[string]any{"password": obsPassword})
	s.await(10*time.Second, "OBS is connected", func(st control.State) bool { return st.Mixer.Connected && st.OBS.Available })
	s.cameras("red", "green")
	s.checkPlan()
	s.setUp(o, "red", "green")
	s.cameras("blue") // later: it gets its scene automatically
	s.awaitInOBS(o, "blue")
	dest := startNginx(t, "")
	s.sendTo(map[string]*nginx{"dest": dest})
	panel, viewer := s.connect(), dest.watch(t, "key-dest")

	first := time.Now()
	s.do("mixer.cut", map[string]any{"source": sceneOf("red")})
	viewer.sees(15*time.Second, "red", time.Time{})
	want := []string{"red"}
	t.Logf("first frame at the viewer after %v", time.Since(first).Round(time.Millisecond))
	var confirmed, shown []time.Duration
	for len(confirmed) < scaled(15, 50) {
		next := []string{"red", "green", "blue"}[rand.IntN(3)]
		if next == want[len(want)-1] {
			continue
		}
		want = append(want, next)
		pause(t, time.Duration(50+rand.IntN(150))*time.Millisecond)
		began := time.Now()
		s.do("mixer.cut", map[string]any{"source": sceneOf(next)})
		at := panel.until(5*time.Second, next+" on air", func(st *control.State) bool {
			return st.Mixer.Program == sceneOf(next) && st.Tally[next] == control.LightProgram && !st.Mixer.InTransition
		})
		confirmed = append(confirmed, at.Sub(began))
		shown = append(shown, viewer.sees(5*time.Second, next, began).Sub(began))
	}
	median, worst := spread(confirmed)
	t.Logf("%d cuts, command to confirmed with the right tally: median %v, worst %v", len(confirmed), median, worst)
	median, worst = spread(shown)
	t.Logf("command to the frame at the destination: worst %v", worst)
	testkit.Measure(t, "OBS: cut to frame at the destination, median", testkit.Milliseconds(median), "ms", testkit.AtMost(2000))
	pause(t, time.Second)
	s.do("destination.stop", map[string]any{"id": "dest"})
	path := dest.onlyRecording(t)
	if got := coloursOf(decodeFrames(t, path), 1); !slices.Equal(got[slices.Index(got, "red"):], want) {
		t.Errorf("colours at the destination: %v\nwant %v", got, want)
	}
	t.Log(checkTimeline(t, readFLV(t, path), 3*period))
	checkFades(t, s, panel)
}

// checkPlan asks what a setup would do.
func (s *studio) checkPlan() {
	s.t.Helper()
	before := len(s.state().Mixer.Sources)
	var plan commands.Provisioned
	if err := json.Unmarshal(s.do("obs.provision", map[string]any{"preview": true}), &plan); err != nil || plan.Done || len(plan.Steps) < 10 {
		s.t.Fatalf("%v: %+v", err, plan)
	}
	if n := len(s.state().Mixer.Sources); n != before {
		s.t.Errorf("a preview made %d scenes", n-before)
	}
}

// checkFades brings each camera on air with a fade and checks the tally.
func checkFades(t *testing.T, s *studio, panel *socket) {
	dest := startNginx(t, "")
	s.sendTo(map[string]*nginx{"autos": dest})
	viewer := dest.watch(t, "key-autos")
	viewer.sees(15*time.Second, s.state().Mixer.OnAir[0], time.Time{})
	for _, next := range []string{"red", "green", "blue", "red"} {
		before := s.state().Mixer.OnAir
		s.do("mixer.preview", map[string]any{"source": sceneOf(next)})
		if slices.Equal(before, []string{next}) {
			continue
		}
		s.await(2*time.Second, next+" is green", func(st control.State) bool { return st.Tally[next] == control.LightPreview })
		began := time.Now()
		s.do("mixer.take", map[string]any{"kind": "Fade", "durationMs": 600})
		panel.until(2*time.Second, "both are red in the transition", func(st *control.State) bool {
			red := func(l control.Light) bool { return l == control.LightProgram || l == control.LightBoth }
			return st.Mixer.InTransition && red(st.Tally[next]) && red(st.Tally[before[0]])
		})
		at := panel.until(3*time.Second, next+" alone is red", func(st *control.State) bool {
			return !st.Mixer.InTransition && slices.Equal(st.Mixer.OnAir, []string{next})
		})
		t.Logf("fade of 600 ms to %s: over after %v, seen after %v", next, at.Sub(began).Round(time.Millisecond),
			viewer.sees(5*time.Second, next, began).Sub(began).Round(time.Millisecond))
	}
}

// coloursOf is the colours in the order in which they came; those that lasted for fewer
// frames than least do not count.
func coloursOf(frames []decodedFrame, least int) (colours []string) {
	run := 0
	for i, p := range frames {
		run++
		last := i == len(frames)-1 || frames[i+1].colour != p.colour
		if last && run >= least && (len(colours) == 0 || colours[len(colours)-1] != p.colour) {
			colours = append(colours, p.colour)
		}
		if last {
			run = 0
		}
	}
	return colours
}

// A marked frame goes into the camera's encoder, through ingest, OBS, program and
// relay, until it is decoded at the destination.
func TestACameraReachesTheViewerThroughOBS(t *testing.T) {
	parallel(t, heavy)
	o := startOBS(t, "--stock")
	s := atOBS(t, o)
	s.do("feed.add", map[string]any{"id": "mark", "name": "Mark"})
	marks := startMarker(t, "rtmp://"+s.listen["rtmp"]+"/live/mark")
	s.live(15*time.Second, "mark")
	s.setUp(o)
	s.do("mixer.cut", map[string]any{"source": naming.Scene("Mark")})
	dest := startNginx(t, "")
	s.sendTo(map[string]*nginx{"dest": dest})
	viewer := dest.watch(t, "key-dest")
	viewer.sees(20*time.Second, "black", time.Time{})
	var took []time.Duration
	for range scaled(4, 20) {
		marked := marks.mark()
		took = append(took, viewer.sees(5*time.Second, "yellow", marked).Sub(marked))
		pause(t, time.Duration(rand.IntN(60))*time.Millisecond)
	}
	median, worst := spread(took)
	t.Logf("camera's encoder to the frame decoded at the destination, through OBS: worst %v over %d", worst, len(took))
	testkit.Measure(t, "OBS: camera to frame at the destination, median", testkit.Milliseconds(median), "ms", testkit.AtMost(1500))
}

// marker is a camera that shows black, and yellow for a moment at each mark.
type marker struct{ ask chan chan time.Time }

func (m *marker) mark() time.Time {
	at := make(chan time.Time)
	m.ask <- at
	return <-at
}

func startMarker(t *testing.T, url string) *marker {
	t.Helper()
	const w, h = 640, 360
	cmd := exec.Command(testkit.Tool(t, "ffmpeg"), "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", fmt.Sprintf("%dx%d", w, h), "-r", "30", "-i", "-",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "30", "-threads", "1", "-f", "flv", url)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	m := &marker{ask: make(chan chan time.Time)}
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		cmd.Process.Kill()
		ended.Wait()
		cmd.Wait()
	})
	ended.Go(func() {
		tick := time.NewTicker(time.Second / 30)
		defer tick.Stop()
		black, yellow := make([]byte, 3*w*h), make([]byte, 3*w*h)
		for i := range yellow {
			if i%3 < 2 {
				yellow[i] = 254
			}
		}
		left := 0
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if left == 0 {
				select {
				case at := <-m.ask:
					left = 6
					at <- time.Now()
				default:
				}
			}
			frame := black
			if left > 0 {
				frame, left = yellow, left-1
			}
			if _, err := out.Write(frame); err != nil {
				return
			}
		}
	})
	return m
}
