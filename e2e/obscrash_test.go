package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/andreykaipov/goobs/api/events"
	"github.com/andreykaipov/goobs/api/events/subscriptions"
	"github.com/andreykaipov/goobs/api/requests/scenes"

	"obvan/control"
	"obvan/internal/testkit"
	"obvan/mixer/obs/wire"
	"obvan/relay"
)

// kill ends OBS without warning.
func (o *realOBS) kill(t *testing.T) { t.Helper(); o.signal(t, syscall.SIGKILL) }

func (o *realOBS) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	pid, err := strconv.Atoi(o.pid)
	if err == nil {
		err = syscall.Kill(pid, sig)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestOBSIsKilledOnAirAndNoDestinationNotices(t *testing.T) {
	parallel(t, heavy)
	dir := t.TempDir()
	o := startOBS(t, "--stock", "--dir", dir)
	_, port, _ := net.SplitHostPort(o.addr)
	s := atOBS(t, o)
	s.cameras("red", "green")
	s.setUp(o, "red", "green")
	s.do("program.backups", map[string]any{"feeds": []string{"green"}})
	s.do("mixer.cut", map[string]any{"source": sceneOf("red")})
	s.do("mixer.preview", map[string]any{"source": sceneOf("green")})
	s.prepare("Ada Lovelace", "Engineer")
	s.do("graphics.next", nil)
	asBefore := func(st *control.State) bool {
		return st.Program.OnAir == "mixer" && st.Mixer.Program == sceneOf("red") && st.Mixer.Preview == sceneOf("green") && st.Mixer.StudioMode &&
			st.Tally["red"] == control.LightProgram && st.Tally["green"] == control.LightPreview &&
			st.Graphics.OnAir != nil && st.Graphics.OnAir.Confirmed && st.Graphics.OnAir.Text["name"] == "Ada Lovelace"
	}
	panel := s.connect()
	panel.until(5*time.Second, "red and a lower third on air", asBefore)
	dest := map[string]*nginx{"a": startNginx(t, ""), "b": startNginx(t, ""), "c": startNginx(t, "")}
	s.sendTo(dest)
	viewer := dest["a"].watch(t, "key-a")
	viewer.sees(15*time.Second, "red", time.Time{})
	pause(t, 2*time.Second)

	freezeOBS(t, o, panel, viewer)
	killed := time.Now()
	o.kill(t)
	at := panel.until(3*time.Second, "the backup is on air", func(st *control.State) bool {
		return st.Program.Level == "backup" && st.Program.OnAir == "green" && st.Program.Reason != "" && (st.Tally["green"] == control.LightProgram || st.Tally["green"] == control.LightBoth)
	})
	frame := viewer.sees(3*time.Second, "green", killed)
	t.Logf("OBS killed: the backup on air after %v", at.Sub(killed).Round(time.Millisecond))
	// A second, and the signal-loss timeout of 500 ms.
	testkit.Measure(t, "OBS killed: until the backup is at the destination", testkit.Milliseconds(frame.Sub(killed)), "ms", testkit.AtMost(1500))
	panel.until(5*time.Second, "the loss is reported", func(st *control.State) bool {
		return !st.Mixer.Connected && st.Mixer.Problem != "" && st.Graphics.OnAir != nil && !st.Graphics.OnAir.Confirmed
	})
	if _, err := s.try("mixer.cut", map[string]any{"source": sceneOf("green")}); err == nil || !strings.Contains(err.Error(), "offline") {
		t.Errorf("a cut without OBS: %v", err)
	}
	o.stopped.Wait()
	startOBS(t, "--stock", "--dir", dir, "--port", port)
	started := time.Now()
	at = panel.until(30*time.Second, "all is as before", asBefore)
	t.Logf("all as before %v after OBS was there again", at.Sub(started).Round(time.Millisecond))
	viewer.sees(5*time.Second, "red", killed)
	pause(t, 2*time.Second)
	if text := dest["b"].lowerThird(t, "key-b"); white(text) < 100 {
		t.Error("the lower third is not visible again")
	}
	checkUnbroken(t, s, dest, []string{"red", "green", "red", "green", "red"})
}

// checkUnbroken checks the colours that each destination received over one connection.
func checkUnbroken(t *testing.T, s *studio, dest map[string]*nginx, colours []string) {
	t.Helper()
	checkSteady(t, s, dest, func(id, path string) {
		got := coloursOf(decodeFrames(t, path), 1)
		if got = got[slices.Index(got, "red"):]; !slices.Equal(got, colours) {
			t.Errorf("%s: colours %v", id, got)
		}
	})
}

// checkSteady stops the destinations, each of which must have been live on one connection
// and have recorded without a gap, and calls check with each recording.
func checkSteady(t *testing.T, s *studio, dest map[string]*nginx, check func(id, path string)) {
	t.Helper()
	for _, d := range s.state().Destinations {
		if d.Attempt > 1 || d.State != relay.Live {
			t.Errorf("destination %s: %s, attempt %d: %s", d.ID, d.State, d.Attempt, d.Reason)
		}
		s.do("destination.stop", map[string]any{"id": d.ID})
	}
	for id, n := range dest {
		path := n.onlyRecording(t)
		line := checkTimeline(t, readFLV(t, path), time.Second)
		if len(line.gaps) > 0 {
			t.Errorf("%s: gaps %v", id, line.gaps)
		}
		check(id, path)
		t.Logf("%s: %v", id, line)
	}
}

// freezeOBS stops OBS for a while: its connections stay, its frames don't come.
func freezeOBS(t *testing.T, o *realOBS, panel *socket, viewer *viewer) {
	t.Helper()
	frozen := time.Now()
	o.signal(t, syscall.SIGSTOP)
	viewer.sees(3*time.Second, "green", frozen)
	at := panel.until(time.Second, "the backup is on air", func(st *control.State) bool { return st.Program.Level == "backup" && st.Program.OnAir == "green" })
	t.Logf("OBS frozen: the backup on air after %v", at.Sub(frozen).Round(time.Millisecond))
	pause(t, time.Second)
	thawed := time.Now()
	o.signal(t, syscall.SIGCONT)
	viewer.sees(10*time.Second, "red", thawed)
	at = panel.until(time.Second, "OBS is on air again", func(st *control.State) bool { return st.Program.Level == "mixer" && st.Mixer.Connected })
	t.Logf("OBS goes on: on air again after %v", at.Sub(thawed).Round(time.Millisecond))
	pause(t, time.Second)
}

// prepare adds a lower third.
func (s *studio) prepare(name, title string) {
	s.t.Helper()
	s.do("graphics.add", map[string]any{"text": map[string]string{"name": name, "title": title}})
}

// breakableProxy is a TCP proxy that can break its connections.
type breakableProxy struct {
	net.Listener
	mu    sync.Mutex
	conns []net.Conn
	all   sync.WaitGroup
}

func startBreakableProxy(t *testing.T, to string) *breakableProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &breakableProxy{Listener: l}
	c.all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			c.mu.Lock()
			c.conns = append(c.conns, in, out)
			c.mu.Unlock()
			for a, b := range map[net.Conn]net.Conn{in: out, out: in} {
				c.all.Go(func() {
					buf := make([]byte, 4096)
					for {
						n, err := a.Read(buf)
						if _, werr := b.Write(buf[:n]); err != nil || werr != nil {
							a.Close()
							b.Close()
							return
						}
					}
				})
			}
		}
	})
	t.Cleanup(func() { l.Close(); c.breakAll(); c.all.Wait() })
	return c
}

func (c *breakableProxy) breakAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, conn := range c.conns {
		if i%2 == 0 && rand.IntN(2) == 0 {
			conn.(*net.TCPConn).SetLinger(0) // a reset instead of a close, for us and not for OBS
		}
		conn.Close()
	}
	c.conns = nil
}

// goroutines is how many the server has.
func (s *studio) goroutines() (n int) {
	s.t.Helper()
	body, _ := s.get("/debug/pprof/goroutine?debug=1")
	fmt.Sscanf(string(body), "goroutine profile: total %d", &n)
	return n
}

func TestTheConnectionToOBSBreaksTwentyTimesDuringTwoHundredCommands(t *testing.T) {
	parallel(t, heavy)
	for range 3 { // OBS itself dies now and then of connections that end while it sends
		if commandsWhileConnectionBreaks(t, startOBS(t, "--studio-mode")) {
			return
		}
		t.Log("OBS died: again, with another one")
	}
	t.Error("OBS died each time")
}

// alive reports whether OBS runs.
func (o *realOBS) alive() bool {
	pid, err := strconv.Atoi(o.pid)
	return err == nil && syscall.Kill(pid, 0) == nil
}

// backAt waits until OBS is back; it is not when OBS died.
func (s *studio) backAt(o *realOBS, fact func(st control.State) bool) bool {
	s.t.Helper()
	s.await(15*time.Second, "OBS is back", func(st control.State) bool { return !o.alive() || fact(st) })
	return o.alive()
}

// awaitBoth waits until OBS and the studio agree on what is on air.
func (c *changeCount) awaitBoth(s *studio, program, preview string) {
	s.t.Helper()
	s.await(5*time.Second, "the right state", func(st control.State) bool {
		var now scenes.GetSceneListResponse
		if err := c.conn.Call(s.t.Context(), &scenes.GetSceneListParams{}, &now); err != nil {
			s.t.Fatal(err)
		}
		return st.Mixer.Program == program && st.Mixer.Preview == preview && now.CurrentProgramSceneName == program && now.CurrentPreviewSceneName == preview
	})
}

// commandsWhileConnectionBreaks is not done when OBS died.
func commandsWhileConnectionBreaks(t *testing.T, o *realOBS) (done bool) {
	cams := []string{"cam1", "cam2", "cam3"}
	o.addColourScenes(t, cams...)
	proxy := startBreakableProxy(t, o.addr)
	s := atOBS(t, &realOBS{addr: proxy.Addr().String()})
	s.await(5*time.Second, "the scenes", func(st control.State) bool { return len(st.Mixer.Sources) == 4 })
	panel := s.connect()
	s.do("mixer.cut", map[string]any{"source": "cam1"})
	before := s.goroutines()
	changes := o.countChanges(t)
	const commands = 200
	cuts := rand.Perm(commands)[:20]
	outcome := map[string]int{}
	var cutting sync.WaitGroup
	for id := 1; id <= commands; id++ {
		if slices.Contains(cuts, id-1) {
			after := time.Duration(rand.IntN(15)) * time.Millisecond
			cutting.Go(func() { <-time.After(after); proxy.breakAll() })
		}
		switch cam := cams[rand.IntN(3)]; id % 3 {
		case 0:
			panel.ask(id, "mixer.cut", map[string]any{"source": cam})
		case 1:
			panel.ask(id, "mixer.preview", map[string]any{"source": cam})
		case 2:
			panel.ask(id, "mixer.take", map[string]any{"kind": "Fade", "durationMs": 50})
		}
		a := panel.answered(id)
		outcome[a.code]++
		if a.code != "" && a.code != "offline" && a.code != "timeout" && a.code != "conflict" {
			t.Errorf("command %d: %s: %s", id, a.code, a.message)
		}
		if a.code == "offline" || a.code == "timeout" {
			if !s.backAt(o, func(st control.State) bool { return st.Mixer.Connected }) {
				return false
			}
		}
	}
	t.Logf("%d commands: %d done, %d while away, %d without an answer, %d refused", commands, outcome[""], outcome["offline"], outcome["timeout"], outcome["conflict"])
	cutting.Wait()
	if !s.backAt(o, func(st control.State) bool {
		_, err := s.try("mixer.cut", map[string]any{"source": "cam3"}) // that it is away may not be known yet
		return err == nil && st.Mixer.Connected
	}) {
		return false
	}
	s.do("mixer.preview", map[string]any{"source": "cam2"})
	changes.awaitBoth(s, "cam3", "cam2")
	panel.answeredOnce(commands)
	// Each cut and take changes the program at most once: nothing was sent again.
	if n, most := changes.count(), outcome[""]+outcome["timeout"]; n > most {
		t.Errorf("the program changed %d times by at most %d commands", n, most)
	}
	s.await(10*time.Second, "no goroutine is left over", func(control.State) bool { return s.goroutines() <= before+1 })
	t.Logf("goroutines: %d before, %d after", before, s.goroutines())
	return true
}

// answeredOnce checks that each command so far was answered once.
func (k *socket) answeredOnce(commands int) {
	k.t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := 1; id <= commands; id++ {
		if n := len(k.answers[id]); n != 1 {
			k.t.Errorf("command %d was answered %d times", id, n)
		}
	}
}

// changeCount counts how often OBS changed its program.
type changeCount struct {
	conn *wire.Conn
	n    int
}

func (o *realOBS) countChanges(t *testing.T) *changeCount {
	t.Helper()
	conn, err := wire.Dial(t.Context(), wire.Options{Addr: o.addr, Password: obsPassword, Subscriptions: subscriptions.Scenes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return &changeCount{conn: conn}
}

func (c *changeCount) count() int {
	for _, ev := range c.conn.Events() {
		if _, ok := ev.(*events.CurrentProgramSceneChanged); ok {
			c.n++
		}
	}
	return c.n
}
