package e2e

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/andreykaipov/goobs/api/requests/general"

	"obvan/internal/testkit"
	"obvan/mixer"
	"obvan/mixer/obs"
	"obvan/mixer/obs/provision"
)

// takers accepts one RTMP stream after the other at a port of its own, and throws
// it away.
func takers(t *testing.T, app string) (url string) {
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
			gone := make(chan struct{})
			go func() { defer close(gone); cmd.Wait() }()
			select {
			case <-gone:
			case <-stop:
				cmd.Process.Kill()
				<-gone
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
	url := takers(t, "mixer")
	o := startOBS(t, "--studio-mode")
	d := o.desk(t)
	wish := provision.Wish{Program: url, Key: "private", Play: "rtsp://127.0.0.1:1"}
	plan, err := provision.Make(d.soon(), d, wish)
	d.do("plan", err)
	_, err = plan.Apply(d.soon(), d)
	d.do("apply", err)
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

func TestRealOBSStreamToNowhereSaysSo(t *testing.T) {
	o := startOBS(t)
	d := o.desk(t)
	plan, err := provision.Make(d.soon(), d, provision.Wish{Program: "rtmp://127.0.0.1:1/mixer", Key: "private"})
	d.do("plan", err)
	_, err = plan.Apply(d.soon(), d)
	d.do("apply", err)
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
	url := takers(t, "mixer")
	dir := t.TempDir()
	o := startOBS(t, "--studio-mode", "--dir", dir)
	_, port, _ := net.SplitHostPort(o.addr)
	d := o.deskOf(t, obs.Config{Program: url})
	plan, err := provision.Make(d.soon(), d, provision.Wish{Program: url, Key: "private"})
	d.do("plan", err)
	_, err = plan.Apply(d.soon(), d)
	d.do("apply", err)
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

func TestRealOBSMetersComeTwentyTimesASecond(t *testing.T) {
	o := startOBS(t)
	d := o.desk(t)
	plan, err := provision.Make(d.soon(), d, show)
	d.do("plan", err)
	_, err = plan.Apply(d.soon(), d)
	d.do("apply", err)
	levels := make(chan []mixer.Meter, 100)
	ctx, cancel := context.WithCancel(t.Context())
	var looking sync.WaitGroup
	defer looking.Wait()
	defer cancel()
	looking.Go(func() {
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
	if took := time.Since(first); took > 3*time.Second {
		t.Errorf("20 levels took %v", took)
	}
}
