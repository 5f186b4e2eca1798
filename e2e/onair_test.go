package e2e

import (
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"obvan/control"
	"obvan/internal/testkit"
	"obvan/relay"
)

const period = time.Second / 30

// longestPeriod is between two frames while the program's clock makes up for frames that
// came late, in milliseconds. Where a frame is missing, it is two periods.
const longestPeriod = period*5/4 + time.Millisecond

// destinationLive waits until destinations are live.
func (s *studio) destinationLive(within time.Duration, ids ...string) {
	s.t.Helper()
	s.await(within, "destinations live", func(st control.State) bool {
		n := 0
		for _, d := range st.Destinations {
			if slices.Contains(ids, d.ID) && d.State == relay.Live {
				n++
			}
		}
		return n == len(ids)
	})
}

// sendTo adds destinations to nginx servers and starts them.
func (s *studio) sendTo(servers map[string]*nginx) {
	s.t.Helper()
	for id, n := range servers {
		s.do("destination.add", map[string]any{"id": id, "name": id, "url": n.url(), "key": "key-" + id})
		s.do("destination.start", map[string]any{"id": id})
	}
	for id := range servers {
		s.destinationLive(15*time.Second, id)
	}
}

// onlyRecording is the one recording that a server must have made: the proof that nothing
// reconnected.
func (n *nginx) onlyRecording(t testing.TB) string {
	t.Helper()
	files := n.recordings(t)
	if len(files) != 1 {
		t.Fatalf("%d recordings: the destination was connected that often", len(files))
	}
	return files[0]
}

func TestThirtyCutsBetweenThreeCamerasLandOnTheirColour(t *testing.T) {
	parallel(t, light)
	s := start(t)
	camera{colour: "red", tone: 1000}.send(t, "flv", "rtmp://"+s.listen["rtmp"]+"/live/red")
	camera{colour: "green", tone: 1000, gop: 45}.send(t, "rtsp", "rtsp://"+s.listen["rtsp"]+"/live/green")
	url := startIPCamera(t, "viewer", "pass word", camera{colour: "blue", tone: 1000, gop: 20})
	s.do("feed.add", map[string]any{"id": "blue", "name": "Blue", "url": url})
	s.live(20*time.Second, "red", "green", "blue")
	pause(t, 6*time.Second) // cameras that send RTSP report their clocks every 5 or 6 s
	t.Run("instantly", func(t *testing.T) { cutAround(t, s, "", 30) })
	t.Run("at the next keyframe", func(t *testing.T) { cutAround(t, s, "keyframe", 12) })
}

func cutAround(t *testing.T, s *studio, when string, cuts int) {
	dest := startNginx(t, "")
	s.cut("red")
	s.sendTo(map[string]*nginx{"nginx": dest})
	colours := []string{"red", "green", "blue"}
	want := []string{"red"}
	var took []time.Duration
	for n := range cuts {
		pause(t, time.Duration(200+rand.IntN(600))*time.Millisecond)
		if n%4 == 0 {
			pause(t, 2*time.Second) // long enough for a flash and its beep
		}
		next := colours[rand.IntN(3)]
		for next == want[len(want)-1] {
			next = colours[rand.IntN(3)]
		}
		want = append(want, next)
		began := time.Now()
		s.do("mixer.cut", map[string]any{"source": next, "when": when})
		s.await(5*time.Second, next+" on air", func(st control.State) bool { return st.Program.OnAir == next && st.Mixer.Program == next })
		took = append(took, time.Since(began))
	}
	pause(t, 2*time.Second)
	s.do("destination.remove", map[string]any{"id": "nginx"})
	path := dest.onlyRecording(t)

	var got []string
	for _, p := range decodeFrames(t, path) {
		if len(got) == 0 || got[len(got)-1] != p.colour {
			got = append(got, p.colour)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("colours on air: %v\nwant %v", got, want)
	}
	line := checkTimeline(t, readFLV(t, path), longestPeriod)
	if len(line.gaps) > 0 {
		t.Errorf("gaps between frames: %v", line.gaps)
	}
	worst := checkSync(t, path)
	slices.Sort(took)
	t.Logf("%v; command to confirmed on air: median %v, worst %v; audio and video at most %v apart", line, took[cuts/2], took[cuts-1], worst)
}

// pause lets the show go on for a while; it is no wait for something.
func pause(t testing.TB, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// checkSync compares each flash with its beep; both come once a second. One that
// is near a cut may be cut off, so it does not count.
func checkSync(t testing.TB, path string) (worst time.Duration) {
	t.Helper()
	by := map[string]time.Duration{} // audio behind video is positive
	const clear = 600 * time.Millisecond
	beeps := decodeBeeps(t, path)
	frames := decodeFrames(t, path)
	cuts := []time.Duration{frames[0].at, frames[len(frames)-1].at} // the ends of the file are cuts, too
	for i := 1; i < len(frames); i++ {
		if frames[i].colour != frames[i-1].colour {
			cuts = append(cuts, frames[i].at)
		}
	}
	nearCut := func(at time.Duration) bool {
		return slices.ContainsFunc(cuts, func(cut time.Duration) bool { return (at - cut).Abs() < clear })
	}
	pairs := 0
	for i := 1; i < len(frames); i++ {
		at := frames[i].at
		if !frames[i].flash || frames[i-1].flash || nearCut(at) {
			continue
		}
		off := time.Second
		for _, b := range beeps {
			if (b - at).Abs() < off.Abs() {
				off = b - at
			}
		}
		pairs++
		worst = max(worst, off.Abs())
		if off.Abs() > by[frames[i].colour].Abs() {
			by[frames[i].colour] = off
		}
	}
	if pairs < 5 {
		t.Errorf("only %d flashes to compare with their beep", pairs)
	}
	t.Logf("audio behind video, at worst, by camera: %v", by)
	if worst > 40*time.Millisecond {
		t.Errorf("audio and video are %v apart", worst)
	}
	return worst
}

func TestTheOnAirCameraIsLostAndReconnects(t *testing.T) {
	parallel(t, light)
	s := start(t)
	dest := map[string]*nginx{"a": startNginx(t, ""), "b": startNginx(t, "")}
	cam := camera{colour: "red", tone: 1000}
	url := "rtmp://" + s.listen["rtmp"] + "/live/cam"
	ffmpeg := cam.send(t, "flv", url)
	s.live(10*time.Second, "cam")
	s.cut("cam")
	s.sendTo(dest)
	pause(t, 3*time.Second)

	killed := time.Now()
	ffmpeg.kill()
	s.await(time.Second, "the freeze frame is on air", func(st control.State) bool { return st.Program.Level == "freeze" && st.Program.Reason != "" })
	t.Logf("freeze frame after %v", time.Since(killed))
	pause(t, 10*time.Second)
	cam.send(t, "flv", url)
	s.await(10*time.Second, "it fails back automatically", func(st control.State) bool { return st.Program.OnAir == "cam" && st.Program.Level == "mixer" })
	pause(t, 3*time.Second)
	checkSteady(t, s, dest, func(id, path string) {
		for _, p := range decodeFrames(t, path) {
			if p.colour != "red" {
				t.Fatalf("%s: a %s frame at %v", id, p.colour, p.at)
			}
		}
	})
}

// One destination dies, comes back, and then takes nothing for a while.
func TestADestinationThatIsLostOrStallsAffectsNoOther(t *testing.T) {
	parallel(t, light)
	s := start(t)
	camera{colour: "red", size: "1280x720", tone: 1000, extra: []string{"-b:v", "4M", "-minrate", "4M", "-maxrate", "4M", "-bufsize", "1M", "-x264-params", "nal-hrd=cbr"}}.
		send(t, "flv", "rtmp://"+s.listen["rtmp"]+"/live/cam")
	s.live(10*time.Second, "cam")
	s.cut("cam")
	healthy, other, faulty := startNginx(t, ""), startNginx(t, ""), startNginx(t, "")
	s.sendTo(map[string]*nginx{"healthy": healthy, "other": other, "faulty": faulty})
	before := s.rss()

	faulty.kill()
	s.await(5*time.Second, "the lost one is retried", func(st control.State) bool { return destination(st, "faulty").State == relay.Retrying })
	faulty.restart(t, "")
	s.destinationLive(40*time.Second, "faulty")

	faulty.signal(syscall.SIGSTOP)
	stopped := time.Now()
	s.await(20*time.Second, "the stalled one is not called live", func(st control.State) bool { return destination(st, "faulty").State != relay.Live })
	late := time.Since(stopped)
	t.Logf("stalled: %s", destination(s.state(), "faulty").Reason)
	testkit.Measure(t, "stalled destination: until it is not called live", testkit.Milliseconds(late), "ms", testkit.AtMost(2300)) // two seconds, and what asking takes
	most := before
	for time.Since(stopped) < scaled(10*time.Second, time.Minute) {
		pause(t, time.Second)
		most = max(most, s.rss())
	}
	faulty.signal(syscall.SIGCONT)
	s.destinationLive(60*time.Second, "faulty")
	testkit.Measure(t, "stalled destination: memory growth", float64((most-before)>>20), "MB", testkit.AtMost(64))
	for id, n := range map[string]*nginx{"healthy": healthy, "other": other} {
		s.do("destination.stop", map[string]any{"id": id})
		path := n.onlyRecording(t)
		line := checkTimeline(t, readFLV(t, path), longestPeriod)
		if len(line.gaps) > 0 {
			t.Errorf("%s misses frames: gaps %v", id, line.gaps)
		}
		t.Logf("%s: %v", id, line)
	}
}

func destination(st control.State, id string) relay.Status {
	for _, d := range st.Destinations {
		if d.ID == id {
			return d
		}
	}
	return relay.Status{}
}

func anIdleServer(t *testing.T) {
	s := start(t)
	testkit.Eventually(t, 5*time.Second, func() bool { _, code := s.get("/healthz"); return code == 200 }, "healthy")
	before := s.cpu()
	const span = 10 * time.Second
	pause(t, span)
	used := s.cpu() - before
	testkit.Measure(t, "idle server: memory", float64(s.rss()>>20), "MB", testkit.AtMost(40))
	testkit.Measure(t, "idle server: CPU", 100*used.Seconds()/span.Seconds(), "% core", testkit.AtMost(2))
}
