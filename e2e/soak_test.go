package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"obvan/control"
	"obvan/relay"
)

// TestSoak is a show with faults for as long as OBVAN_SOAK says (make soak): cuts,
// cameras that restart, destinations that fail in every way there is, panels that come
// and go. What the server holds must not grow, and the destination that does nothing
// wrong must get every picture.
func TestSoak(t *testing.T) {
	span, err := time.ParseDuration(os.Getenv("OBVAN_SOAK"))
	if err != nil || span <= 0 {
		t.Skip("OBVAN_SOAK says for how long, such as 30m")
	}
	s := start(t)
	far, shaky := startNginx(t, ""), startNginx(t, "")
	cameras := map[string]*process{}
	for _, colour := range []string{"red", "green", "blue"} {
		cameras[colour] = s.soakCamera(colour)
	}
	s.live(30*time.Second, "red", "green", "blue")
	s.cut("red")
	s.sendTo(map[string]*nginx{"steady": far, "shaky": shaky})
	other := start(t) // takes what comes by the other protocols
	for id, url := range map[string]string{
		"drill-ok": "drill://ok", "drill-refuse": "drill://refuse", "drill-stall": "drill://stall", "drill-slow": "drill://slow?kbps=200",
		"drill-reset": "drill://reset?every=7s", "drill-close": "drill://close", "drill-silent": "drill://silent",
		"rtsp": "rtsp://" + other.listen["rtsp"] + "/live/rtsp", "whip": other.url("/whip/whip"),
		"srt-nobody": "srt://" + freePort(t), "rtsp-nobody": "rtsp://" + freePort(t) + "/live/x", "whip-nobody": "whip://" + freePort(t) + "/whip/x",
	} {
		s.do("destination.add", map[string]any{"id": id, "name": id, "url": url})
		s.do("destination.start", map[string]any{"id": id})
	}
	ctx, stop := context.WithTimeout(t.Context(), span)
	defer stop()
	var panels sync.WaitGroup
	for range 5 {
		panels.Go(func() { s.panelsComeAndGo(ctx) })
	}
	held := s.soak(ctx, span, cameras, shaky)
	panels.Wait()
	checkFlat(t, held)
	st := s.state()
	if d := destination(st, "steady"); d.State != relay.Live || d.Attempt != 1 || d.Dropped > 0 {
		t.Errorf("the destination that did nothing wrong: %+v", d)
	}
	s.do("destination.remove", map[string]any{"id": "steady"})
	line := checkTimeline(t, readFLV(t, far.onlyRecording(t)), period+2*time.Millisecond)
	if len(line.gaps) > 0 {
		t.Errorf("it misses pictures: %v", line.gaps)
	}
	t.Logf("steady destination: %v", line)
}

func (s *studio) soakCamera(colour string) *process {
	return camera{colour: colour, size: "320x180", tone: 1000, extra: []string{"-b:v", "300k"}}.send(s.t, "flv", "rtmp://"+s.listen["rtmp"]+"/live/"+colour)
}

// soak makes the show and its faults until ctx is done, and measures.
func (s *studio) soak(ctx context.Context, span time.Duration, cameras map[string]*process, shaky *nginx) (held []sample) {
	every := min(time.Minute, span/20)
	next, step := time.Now().Add(every), 0
	colours := []string{"red", "green", "blue"}
	for ctx.Err() == nil {
		switch step++; {
		case step%7 == 3: // a camera's cable
			colour := colours[rand.IntN(len(colours))]
			cameras[colour].kill()
			cameras[colour] = s.soakCamera(colour)
		case step%11 == 5: // a server that hangs, and one that restarts
			shaky.signal(syscall.SIGSTOP)
			pause(s.t, 4*time.Second)
			shaky.signal(syscall.SIGCONT)
		case step%13 == 7:
			shaky.kill()
			pause(s.t, time.Second)
			shaky.restart(s.t, "")
		case step%9 == 8: // an operator who gives up, and tries again
			for _, id := range []string{"drill-reset", "rtsp", "whip"} {
				s.do("destination.stop", map[string]any{"id": id})
				s.do("destination.start", map[string]any{"id": id})
			}
			s.do("destination.retry", map[string]any{"id": "drill-refuse"})
		default:
			_, _ = s.try("mixer.cut", map[string]any{"source": colours[rand.IntN(len(colours))]}) // a camera that is away can't be cut to
		}
		pause(s.t, time.Duration(1000+rand.IntN(1500))*time.Millisecond)
		if now := time.Now(); now.After(next) || ctx.Err() != nil {
			next = now.Add(every)
			held = append(held, s.measure(len(held)))
		}
	}
	return held
}

// panelsComeAndGo opens a panel's websocket, reads for a while and leaves, again and
// again.
func (s *studio) panelsComeAndGo(ctx context.Context) {
	for ctx.Err() == nil {
		conn, resp, err := websocket.DefaultDialer.DialContext(ctx, "ws://"+s.listen["http"]+"/ws", http.Header{"Authorization": {"Bearer " + token}})
		if err != nil {
			if ctx.Err() == nil {
				s.t.Errorf("a panel can't connect: %v %v", resp, err)
			}
			return
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Duration(1+rand.IntN(8)) * time.Second))
		for err == nil && ctx.Err() == nil {
			_, _, err = conn.ReadMessage()
		}
		conn.Close()
	}
}

// sample is what the server holds.
type sample struct{ goroutines, files, megabytes int }

var goroutines = regexp.MustCompile(`(?m)^go_goroutines (\d+)`)

func (s *studio) measure(n int) sample {
	s.t.Helper()
	text, code := s.get("/metrics")
	m := goroutines.FindSubmatch(text)
	if code != http.StatusOK || m == nil {
		s.t.Fatalf("metrics: %d", code)
	}
	held := sample{megabytes: int(s.rss() >> 20)}
	held.goroutines, _ = strconv.Atoi(string(m[1]))
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	held.files = len(files)
	var states []string
	for _, d := range s.state().Destinations {
		states = append(states, fmt.Sprintf("%s %s", d.ID, d.State))
	}
	s.t.Logf("%3d: %4d goroutines, %3d files, %3d MB resident; %s", n, held.goroutines, held.files, held.megabytes, strings.Join(states, ", "))
	return held
}

// checkFlat compares the last third of a soak with the first, the warm-up left out.
func checkFlat(t *testing.T, held []sample) {
	t.Helper()
	if len(held) < 9 {
		t.Fatalf("only %d samples", len(held))
	}
	held = held[len(held)/10+1:]
	third := len(held) / 3
	for name, of := range map[string]struct {
		value func(sample) int
		slack int // what comes and goes
	}{
		"goroutines":  {func(h sample) int { return h.goroutines }, 40},
		"files":       {func(h sample) int { return h.files }, 15},
		"MB resident": {func(h sample) int { return h.megabytes }, 24},
	} {
		first, last := median(held[:third], of.value), median(held[len(held)-third:], of.value)
		t.Logf("%s: median %d in the first third, %d in the last", name, first, last)
		if last > first+of.slack && last > first*11/10 {
			t.Errorf("%s grew from %d to %d", name, first, last)
		}
	}
}

func median(held []sample, value func(sample) int) int {
	var all []int
	for _, h := range held {
		all = append(all, value(h))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func TestADrillHurtsNeitherTheShowNorItsDestinations(t *testing.T) {
	s := start(t, "-demo")
	s.live(10*time.Second, "cam1")
	s.cut("cam1")
	far := startNginx(t, "")
	s.sendTo(map[string]*nginx{"steady": far})
	s.do("drill.run", map[string]any{"seconds": 20})
	st := s.await(60*time.Second, "the drill's report", func(st control.State) bool { return st.Drill.Report != nil })
	t.Log(st.Drill.Report)
	if !st.Drill.Report.OK {
		t.Error("the drill failed")
	}
	if d := destination(st, "steady"); d.State != relay.Live || d.Attempt != 1 || len(st.Destinations) != 1 {
		t.Errorf("the destination: %+v", d)
	}
	s.do("destination.remove", map[string]any{"id": "steady"})
	if line := checkTimeline(t, readFLV(t, far.onlyRecording(t)), period+2*time.Millisecond); len(line.gaps) > 0 {
		t.Errorf("it misses pictures: %v", line.gaps)
	}
}

func TestCamerasThatFailOnPurposeAreTold(t *testing.T) {
	s := start(t)
	for _, kind := range []string{"jump", "freeze", "die"} {
		s.do("feed.add", map[string]any{"id": kind, "name": kind, "url": "drill://" + kind + "?every=3s&for=3s"})
	}
	s.live(10*time.Second, "jump", "freeze", "die")
	feed := func(st control.State, id string) control.Feed {
		for _, f := range st.Feeds {
			if f.ID == id {
				return f
			}
		}
		return control.Feed{}
	}
	s.await(15*time.Second, "the jumps are counted", func(st control.State) bool { return len(feed(st, "jump").Repairs) > 0 })
	s.await(15*time.Second, "the frozen one is told", func(st control.State) bool { return feed(st, "freeze").State == control.FeedStalled })
	s.await(15*time.Second, "the dead one is dialled again", func(st control.State) bool { return feed(st, "die").State == control.FeedRetrying })
}
