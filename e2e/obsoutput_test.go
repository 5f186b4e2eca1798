package e2e

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/andreykaipov/goobs/api/requests/config"
	"github.com/andreykaipov/goobs/api/requests/general"
	"github.com/andreykaipov/goobs/api/requests/inputs"

	"obvan/internal/testkit"
	"obvan/mixer"
	"obvan/mixer/obs"
	"obvan/mixer/obs/provision"
)

// startRTMPServers accepts one RTMP stream after another at a port of its own and discards
// it.
func startRTMPServers(t *testing.T, app string) (url string) {
	t.Helper()
	ffmpeg := testkit.Tool(t, "ffmpeg")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url = "rtmp://" + l.Addr().String() + "/" + app
	l.Close()
	stop := make(chan struct{})
	var ended sync.WaitGroup
	ended.Go(func() {
		for {
			cmd := exec.Command(ffmpeg, "-v", "error", "-listen", "1", "-i", url, "-c", "copy", "-f", "null", "-")
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			if cmd.Start() != nil {
				return
			}
			closed := make(chan struct{})
			go func() { defer close(closed); cmd.Wait() }()
			select {
			case <-closed:
			case <-stop:
				cmd.Process.Kill()
				<-closed
				return
			}
		}
	})
	t.Cleanup(func() { close(stop); ended.Wait() })
	return url
}

func stream(s *mixer.State) mixer.Output {
	for _, o := range s.Outputs {
		if o.Name == "stream" {
			return o
		}
	}
	return mixer.Output{}
}

func TestRealOBSStreamIsStartedAndStoppedByManyAtOnce(t *testing.T) {
	parallel(t, heavy)
	url := startRTMPServers(t, "mixer")
	o := startOBS(t, "--studio-mode")
	d := o.startMixer(t)
	wish := provision.Target{Program: url, Key: "private", Play: "rtsp://127.0.0.1:1"}
	d.setUp(wish)
	begin := time.Now()
	var all sync.WaitGroup
	for i := range 8 { // without the lanes OBS dies of this
		all.Go(func() {
			switch err := d.StartOutput(d.soon(), "stream"); {
			case err != nil:
				t.Errorf("start: %v", err)
			case i == 0:
				t.Logf("started after %v", time.Since(begin))
			}
		})
	}
	all.Wait()
	d.await("on", func(s *mixer.State) bool { return stream(s).State == "on" })
	for range 8 {
		all.Go(func() {
			if err := d.StopOutput(d.soon(), "stream"); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	}
	all.Wait()
	d.await("off", func(s *mixer.State) bool { return stream(s).State == "off" })
	var version general.GetVersionResponse
	d.do("OBS lives", d.Call(d.soon(), &general.GetVersionParams{}, &version))
}

func TestRealOBSReportsAStreamToAnUnreachableServer(t *testing.T) {
	parallel(t, heavy)
	o := startOBS(t)
	d := o.startMixer(t)
	d.setUp(provision.Target{Program: "rtmp://127.0.0.1:1/mixer", Key: "private"})
	for range 2 {
		if err := d.StartOutput(d.soon(), "stream"); !errors.Is(err, mixer.ErrNotNow) {
			t.Errorf("start: %v", err)
		}
	}
	d.await("a reason", func(s *mixer.State) bool { return stream(s).State == "off" && stream(s).Reason != "" })
	d.do("record", d.StartOutput(d.soon(), "record"))
	d.do("record", d.StopOutput(d.soon(), "record"))
}

func TestRealOBSStreamsAgainAfterItWasKilled(t *testing.T) {
	parallel(t, heavy)
	url := startRTMPServers(t, "mixer")
	dir := t.TempDir()
	o := startOBS(t, "--studio-mode", "--dir", dir)
	_, port, _ := net.SplitHostPort(o.addr)
	d := o.startMixerWith(t, obs.Config{Program: url})
	d.setUp(provision.Target{Program: url, Key: "private"})
	d.do("start", d.StartOutput(d.soon(), "stream"))
	d.await("on", func(s *mixer.State) bool { return stream(s).State == "on" && s.Health != nil && s.Health.FPS > 0 })
	pid, err := strconv.Atoi(o.pid)
	d.do("pid", err)
	begin := time.Now()
	d.do("kill", syscall.Kill(pid, syscall.SIGKILL))
	o.stopped.Wait()
	startOBS(t, "--dir", dir, "--port", port)
	d.await("streaming again", func(s *mixer.State) bool { return s.Connected && stream(s).State == "on" })
	t.Logf("streaming again after %v", time.Since(begin))
}

func TestRealOBSSendsItsAudioLevels(t *testing.T) {
	parallel(t, heavy)
	o := startOBS(t)
	d := o.startMixer(t)
	d.setUp(show)
	levels := make(chan []mixer.Meter, 100)
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	reading.Go(func() {
		err := d.Meters(ctx, func(m []mixer.Meter) {
			select {
			case levels <- m:
			case <-ctx.Done():
			}
		})
		if err != nil {
			t.Errorf("meters: %v", err)
		}
	})
	var first time.Time
	for n := range 21 {
		m := <-levels
		if n == 0 {
			first = time.Now()
			t.Logf("%+v", m)
		}
	}
	testkit.Measure(t, "OBS: audio levels", 20/time.Since(first).Seconds(), "per s", testkit.AtLeast(7))
}

func TestRealOBSChangesItsSceneCollectionDuringTheShow(t *testing.T) {
	parallel(t, heavy)
	o := startOBS(t, "--studio-mode")
	o.addColourScenes(t, "cam1", "cam2")
	d := o.startMixer(t)
	d.await("scenes", func(s *mixer.State) bool { return len(s.Sources) == 3 })
	first := d.now().Collections.Current
	d.do("a second collection", d.Call(d.soon(), config.NewCreateSceneCollectionParams().WithSceneCollectionName("Second"), nil))
	d.await("in it", func(s *mixer.State) bool {
		return s.Collections.Current == "Second" && len(s.Sources) == 1 && s.Problem == "" && len(s.Audio) == 0
	})
	for range 3 {
		d.do("back", d.SetCollection(d.soon(), first))
		_ = d.Preview(d.soon(), "cam2") // in the middle of it: done or refused
		d.await("back", func(s *mixer.State) bool {
			return s.Collections.Current == first && len(s.Sources) == 3 && s.Problem == ""
		})
		d.do("cut", d.Cut(d.soon(), "cam1", mixer.Instant))
		d.await("cam1", func(s *mixer.State) bool { return s.Program == "cam1" && !s.InTransition })
		d.do("there", d.SetCollection(d.soon(), "Second"))
		d.await("there", func(s *mixer.State) bool { return s.Collections.Current == "Second" && len(s.Sources) == 1 })
	}
}

func TestRealOBSPlaysAClip(t *testing.T) {
	parallel(t, heavy)
	clip := filepath.Join(t.TempDir(), "clip.mp4")
	out, err := exec.Command(testkit.Tool(t, "ffmpeg"), "-v", "error", "-f", "lavfi", "-i", "testsrc=s=320x180:r=30", "-f", "lavfi", "-i", "sine=f=440",
		"-t", "20", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", clip).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	o := startOBS(t)
	d := o.startMixer(t)
	d.do("clip", d.Call(d.soon(), inputs.NewCreateInputParams().WithSceneName("Scene").WithInputName("clip").WithInputKind("ffmpeg_source").
		WithInputSettings(map[string]any{"is_local_file": true, "local_file": clip}), nil))
	is := func(state string, more func(m *mixer.MediaInput) bool) {
		t.Helper()
		d.await("the clip is "+state, func(s *mixer.State) bool {
			return len(s.Media) == 1 && s.Media[0].State == state && more(&s.Media[0])
		})
	}
	is("playing", func(m *mixer.MediaInput) bool { return m.LengthMs > 19000 && m.CursorMs > 1000 })
	levels := make(chan float64, 1)
	ctx, cancel := context.WithCancel(t.Context())
	var reading sync.WaitGroup
	reading.Go(func() {
		d.Meters(ctx, func(all []mixer.Meter) {
			for _, m := range all {
				if m.Name == "clip" && len(m.Peak) > 0 {
					select {
					case levels <- m.Peak[0]:
					default:
					}
				}
			}
		})
	})
	testkit.Eventually(t, 10*time.Second, func() bool {
		select {
		case db := <-levels:
			return db > -40 && db < 0
		default:
			return false
		}
	}, "its audio on the meters")
	cancel()
	reading.Wait()
	d.do("pause", d.PauseMedia(d.soon(), "clip"))
	is("paused", func(m *mixer.MediaInput) bool { return true })
	d.do("play", d.PlayMedia(d.soon(), "clip"))
	is("playing", func(m *mixer.MediaInput) bool { return true })
	d.do("restart", d.RestartMedia(d.soon(), "clip"))
	is("playing", func(m *mixer.MediaInput) bool { return m.CursorMs < 3000 })
	d.do("stop", d.StopMedia(d.soon(), "clip"))
	is("stopped", func(m *mixer.MediaInput) bool { return true })
	d.do("mute", d.Mute(d.soon(), "clip", true))
	d.do("volume", d.Volume(d.soon(), "clip", -20))
	d.await("muted at -20", func(s *mixer.State) bool {
		return len(s.Audio) == 1 && s.Audio[0].Muted && s.Audio[0].DB > -20.1 && s.Audio[0].DB < -19.9
	})
}

// A frozen OBS keeps its connection and sends nothing.
func TestRealOBSThatFreezesIsNoticed(t *testing.T) {
	parallel(t, heavy)
	o := startOBS(t, "--studio-mode")
	o.addColourScenes(t, "cam1")
	d := o.startMixer(t)
	d.await("scenes", func(s *mixer.State) bool { return len(s.Sources) == 2 })
	pid, err := strconv.Atoi(o.pid)
	d.do("pid", err)
	begin := time.Now()
	d.do("freeze", syscall.Kill(pid, syscall.SIGSTOP))
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
	if err := d.Cut(d.soon(), "cam1", mixer.Instant); err == nil {
		t.Error("a frozen OBS cut")
	}
	d.await("away", func(s *mixer.State) bool { return !s.Connected && s.Problem != "" })
	t.Logf("noticed after %v", time.Since(begin))
	d.do("go on", syscall.Kill(pid, syscall.SIGCONT))
	d.await("back", func(s *mixer.State) bool { return s.Connected })
	d.do("cut", d.Cut(d.soon(), "cam1", mixer.Instant))
	d.await("cam1", func(s *mixer.State) bool { return s.Program == "cam1" && !s.InTransition })
}
