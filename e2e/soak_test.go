package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"obvan/relay"
)

// TestSoak is a show with faults for as long as OBVAN_SOAK says (make soak): cuts,
// cameras that restart with another resolution, as OBS does, destinations that fail in every way
// there is, panels that connect and disconnect. What the server uses must not grow, and the
// healthy destination must receive every frame.
func TestSoak(t *testing.T) {
	span := soakSpan(t)
	s := start(t)
	dest := startNginx(t, "")
	show := &soak{studio: s, shaky: startNginx(t, ""), span: span, cameras: map[string]*process{}}
	for _, colour := range soakColours {
		show.startCamera(colour)
	}
	s.live(30*time.Second, soakColours[:]...)
	s.cut("red")
	s.sendTo(map[string]*nginx{"steady": dest, "shaky": show.shaky})
	other := start(t) // receives the other protocols
	to := map[string]string{
		"selftest-ok": "selftest://ok",
		"rtsp":        "rtsp://" + other.listen["rtsp"] + "/live/rtsp", "whip": other.url("/whip/whip"),
		"srt-absent": "srt://" + freePort(t), "rtsp-absent": "rtsp://" + freePort(t) + "/live/x", "whip-absent": "whip://" + freePort(t) + "/whip/x",
	}
	for _, address := range faultyURLs {
		to[faultyID(address)] = address
	}
	for id, url := range to {
		s.do("destination.add", map[string]any{"id": id, "name": id, "url": url})
		s.do("destination.start", map[string]any{"id": id})
	}
	show.run()
	show.checkFlat()
	st := s.state()
	if d := destination(st, "steady"); d.State != relay.Live || d.Attempt != 1 || d.FramesDropped > 0 {
		t.Errorf("the healthy destination: %+v", d)
	}
	s.do("destination.remove", map[string]any{"id": "steady"})
	tags := readFLV(t, dest.onlyRecording(t))
	line := checkTimeline(t, tags, longestPeriod)
	if len(line.gaps) > 0 {
		t.Errorf("it misses frames: %v", line.gaps)
		show.explain(tags, destination(st, "steady").Since, longestPeriod)
	}
	t.Logf("steady destination: %v", line)
}

// explain logs what the server said around each gap of a recording that began about when
// its destination was live.
func (s *soak) explain(tags []tag, began time.Time, limit time.Duration) {
	video := pick(tags, true)
	for i := 1; i < len(video); i++ {
		gap := video[i].dts - video[i-1].dts
		if gap <= limit {
			continue
		}
		at := began.Add(video[i].dts - video[0].dts)
		s.t.Logf("a gap of %v, at about %v, behind frame %d:", gap, at.Format("15:04:05.000"), i-1)
		for line := range strings.Lines(s.log.String()) {
			var said struct {
				Time time.Time
				Msg  string
			}
			if json.Unmarshal([]byte(line), &said) == nil && said.Time.Sub(at).Abs() < 4*time.Second && said.Msg != "connected" && said.Msg != "disconnected" {
				s.t.Log(strings.TrimSpace(line))
			}
		}
	}
}

var soakColours = [...]string{"red", "green", "blue"}

// soak is a show with faults, and what the server used meanwhile.
type soak struct {
	*studio
	span    time.Duration
	cameras map[string]*process
	shaky   *nginx

	samples                []sample
	cuts, restarts, faults int
	panels                 atomic.Int64 // that have come
}

// sample is what the server uses.
type sample struct{ goroutines, files, megabytes int }

// startCamera starts a camera in one of two resolutions.
func (s *soak) startCamera(colour string) {
	size := "320x180"
	if s.restarts%2 == 1 {
		size = "480x270"
	}
	s.cameras[colour] = camera{colour: colour, size: size, tone: 1000, extra: []string{"-b:v", "300k"}}.send(s.t, "flv", "rtmp://"+s.listen["rtmp"]+"/live/"+colour)
}

// run makes the show and its faults for the span, and measures thirty times.
func (s *soak) run() {
	ctx, stop := context.WithTimeout(s.t.Context(), s.span)
	defer stop()
	var panels sync.WaitGroup
	defer panels.Wait()
	for range 5 {
		panels.Go(func() { s.connectPanels(ctx) })
	}
	s.t.Logf("%6s %10s %5s %8s %12s %5s %8s %6s %6s", "time", "goroutines", "files", "resident", "live", "cuts", "restarts", "faults", "panels")
	began, every := time.Now(), s.span/30
	for step := 1; ctx.Err() == nil; step++ {
		s.step(step)
		pause(s.t, time.Duration(1000+rand.IntN(1500))*time.Millisecond)
		if at := time.Since(began); at >= time.Duration(len(s.samples)+1)*every || ctx.Err() != nil {
			s.note(at)
		}
	}
}

// step does one thing that happens in a show.
func (s *soak) step(n int) {
	colour := soakColours[rand.IntN(len(soakColours))]
	switch {
	case n%7 == 3: // a camera, or an OBS, that restarts
		s.restarts++
		s.cameras[colour].kill()
		s.startCamera(colour)
	case n%11 == 5: // a server that hangs, and one that restarts
		s.faults++
		s.shaky.signal(syscall.SIGSTOP)
		pause(s.t, 4*time.Second)
		s.shaky.signal(syscall.SIGCONT)
	case n%13 == 7:
		s.faults++
		s.shaky.kill()
		pause(s.t, time.Second)
		s.shaky.restart(s.t, "")
	case n%9 == 8: // an operator who gives up, and tries again
		s.faults++
		for _, id := range []string{"faulty-reset", "rtsp", "whip"} {
			s.do("destination.stop", map[string]any{"id": id})
			s.do("destination.start", map[string]any{"id": id})
		}
		s.do("destination.retry", map[string]any{"id": "faulty-refuse"})
	default:
		if _, err := s.try("mixer.cut", map[string]any{"source": colour}); err == nil { // a camera that is away can't be cut to
			s.cuts++
		}
	}
}

// note adds a row to the table.
func (s *soak) note(at time.Duration) {
	now := s.measure()
	s.samples = append(s.samples, now)
	destinations, live := s.state().Destinations, 0
	for _, d := range destinations {
		if d.State == relay.Live {
			live++
		}
	}
	s.t.Logf("%6s %10d %5d %5d MB %6d of %2d %5d %8d %6d %6d", at.Truncate(time.Second), now.goroutines, now.files, now.megabytes,
		live, len(destinations), s.cuts, s.restarts, s.faults, s.panels.Load())
}

// connectPanels opens a panel's websocket, reads for a while and disconnects, again and
// again.
func (s *soak) connectPanels(ctx context.Context) {
	for ctx.Err() == nil {
		conn, resp, err := websocket.DefaultDialer.DialContext(ctx, "ws://"+s.listen["http"]+"/ws", http.Header{"Authorization": {"Bearer " + token}})
		if err != nil {
			if ctx.Err() == nil {
				s.t.Errorf("a panel can't connect: %v %v", resp, err)
			}
			return
		}
		s.panels.Add(1)
		_ = conn.SetReadDeadline(time.Now().Add(time.Duration(1+rand.IntN(8)) * time.Second))
		for err == nil && ctx.Err() == nil {
			_, _, err = conn.ReadMessage()
		}
		conn.Close()
	}
}

var goroutines = regexp.MustCompile(`(?m)^go_goroutines (\d+)`)

// measure is what the server uses now.
func (s *studio) measure() sample {
	s.t.Helper()
	text, code := s.get("/metrics")
	m := goroutines.FindSubmatch(text)
	if code != http.StatusOK || m == nil {
		s.t.Fatalf("metrics: %d", code)
	}
	used := sample{megabytes: int(s.rss() >> 20)}
	used.goroutines, _ = strconv.Atoi(string(m[1]))
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	used.files = len(files)
	return used
}

// checkFlat compares the first sixth of a soak with the last: of half an hour, five
// minutes. What it took to warm up does not count.
func (s *soak) checkFlat() {
	s.t.Helper()
	if len(s.samples) < 9 {
		s.t.Fatalf("only %d samples", len(s.samples))
	}
	settled := s.samples[len(s.samples)/10:]
	n := len(s.samples) / 6
	checkFlat(s.t, settled[:max(n, 3)], settled[len(settled)-max(n, 3):])
}

func checkFlat(t testing.TB, before, after []sample) {
	t.Helper()
	for name, of := range map[string]struct {
		value func(sample) int
		slack int // normal variation
	}{
		"goroutines":  {func(h sample) int { return h.goroutines }, 40},
		"files":       {func(h sample) int { return h.files }, 15},
		"MB resident": {func(h sample) int { return h.megabytes }, 24},
	} {
		first, last := median(before, of.value), median(after, of.value)
		t.Logf("%s: median %d at first, %d at last", name, first, last)
		if last > first+of.slack && last > first*11/10 {
			t.Errorf("%s grew from %d to %d", name, first, last)
		}
	}
}

func median(samples []sample, value func(sample) int) int {
	var all []int
	for _, h := range samples {
		all = append(all, value(h))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
