package e2e

import (
	"context"
	"image"
	"io"
	"log/slog"
	"net/url"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/demo"
	"obvan/ingest/rtmp"
	"obvan/internal/testkit"
	"obvan/media"
	"obvan/mixer"
	"obvan/mixer/obs"
	"obvan/mixer/obs/naming"
	"obvan/mixer/obs/provision"
	"obvan/monitor/rtsp"
)

// obsPeers is what OBS works with: demo cameras in a hub, the port OBS plays them from,
// and the ingest it sends its output to.
type obsPeers struct {
	hub           *hub.Hub
	play, program string
}

func newOBSPeers(t *testing.T, cameras ...string) *obsPeers {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s := &obsPeers{hub: hub.New()}
	env := ingest.Env{Hub: s.hub, Log: log, Authorise: func(ingest.Request) error { return nil }}
	play, err := rtsp.Listen(&url.URL{Host: "127.0.0.1:0"}, s.hub, func(string, string, string) error { return nil }, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	in, err := rtmp.Listen(&url.URL{Host: "127.0.0.1:0"}, env)
	if err != nil {
		t.Fatal(err)
	}
	s.play, s.program = "rtsp://"+play.Addr(), "rtmp://"+in.Addr()+"/"+ingest.Mixer
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { play.Run(ctx) })
	all.Go(func() { in.Run(ctx) })
	for i, name := range cameras {
		u := &url.URL{Scheme: "demo", Host: demo.Cameras[i%len(demo.Cameras)]}
		all.Go(func() { demo.Pull(ctx, u, env, name, func() {}) })
	}
	t.Cleanup(func() { cancel(); all.Wait() })
	for _, name := range cameras {
		testkit.Eventually(t, 10*time.Second, func() bool {
			st, ok := s.hub.Stream(name)
			return ok && st.Keyframes > 0
		}, "camera %s", name)
	}
	return s
}

// mean is the average colour of an image.
func mean(img image.Image) (r, g, b int) {
	n := 0
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 4 {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x += 4 {
			cr, cg, cb, _ := img.At(x, y).RGBA()
			r, g, b, n = r+int(cr>>8), g+int(cg>>8), b+int(cb>>8), n+1
		}
	}
	return r / n, g / n, b / n
}

func TestRealOBSMixesTheStudiosFeeds(t *testing.T) {
	parallel(t, heavy)
	cameras := []string{"cam1", "cam2", "cam3"}
	st := newOBSPeers(t, cameras...)
	o := startOBS(t, "--studio-mode", "--stock")
	d := o.startMixerWith(t, obs.Config{Play: st.play, Program: st.program})
	wish := provision.Target{Play: st.play, Program: st.program, Key: "private", VideoKbps: 1500}
	for _, cam := range cameras {
		wish.Feeds = append(wish.Feeds, provision.Feed{ID: cam})
	}
	begin := time.Now()
	d.setUp(wish)
	for _, cam := range cameras {
		testkit.Eventually(t, 15*time.Second, func() bool {
			r, g, b := mean(o.screenshot(t, naming.Scene(cam)))
			return r+g+b > 60
		}, "%s in OBS", cam)
		t.Logf("%s in OBS after %v", cam, time.Since(begin))
	}
	d.do("start", d.StartOutput(d.soon(), "stream"))
	testkit.Eventually(t, 10*time.Second, func() bool {
		s, ok := st.hub.Stream(ingest.Mixer)
		return ok && s.Keyframes > 2
	}, "OBS' program in the hub")
	s, _ := st.hub.Stream(ingest.Mixer)
	if s.KeyframeInterval < 900*time.Millisecond || s.KeyframeInterval > 1100*time.Millisecond {
		t.Errorf("keyframes are %v apart", s.KeyframeInterval)
	}
	noBFrames(t, st.hub)
	for range 2 {
		for _, cam := range cameras {
			d.do("cut", d.Cut(d.soon(), naming.Scene(cam), mixer.Instant))
			d.await(cam+" on air", func(s *mixer.State) bool { return !s.InTransition && slices.Equal(s.OnAir, []string{cam}) })
		}
	}
	d.do("2-up", d.Cut(d.soon(), naming.TwoUp, mixer.Instant))
	d.await("two on air", func(s *mixer.State) bool { return !s.InTransition && slices.Equal(s.OnAir, []string{"cam1", "cam2"}) })
	d.await("nothing is wrong", func(s *mixer.State) bool { return s.Health != nil && s.Problem == "" })
	t.Logf("health: %+v", d.now().Health)
}

// noBFrames reads OBS' program for two seconds.
func noBFrames(t *testing.T, h *hub.Hub) {
	t.Helper()
	sub, err := h.Subscribe(ingest.Mixer)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for frames := 0; frames < 60; {
		var au media.AccessUnit
		if au, err = sub.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !au.Video() {
			continue
		}
		frames++
		if au.PTS != au.DTS {
			t.Fatalf("a frame is shown %v after it is decoded: there are B-frames", au.PTS-au.DTS)
		}
	}
}

// From the command to the changed frame, decoded from the stream that OBS sends to the
// studio.
func TestRealOBSCutReachesItsOutput(t *testing.T) {
	parallel(t, heavy)
	cameras := []string{"cam1", "cam2"}
	st := newOBSPeers(t, cameras...)
	o := startOBS(t, "--studio-mode")
	d := o.startMixerWith(t, obs.Config{Play: st.play, Program: st.program})
	wish := provision.Target{Play: st.play, Program: st.program, Key: "private", VideoKbps: 1500, Feeds: []provision.Feed{{ID: "cam1"}, {ID: "cam2"}}}
	d.setUp(wish)
	for _, cam := range cameras {
		testkit.Eventually(t, 15*time.Second, func() bool {
			r, g, b := mean(o.screenshot(t, naming.Scene(cam)))
			return r+g+b > 60
		}, "%s in OBS", cam)
	}
	d.do("start", d.StartOutput(d.soon(), "stream"))
	testkit.Eventually(t, 10*time.Second, func() bool {
		s, ok := st.hub.Stream(ingest.Mixer)
		return ok && s.Keyframes > 1
	}, "OBS' program in the hub")
	samples := watchColour(t, st.play+"/"+ingest.Mixer)
	colours := map[string][3]byte{}
	for _, cam := range cameras {
		d.do("cut", d.Cut(d.soon(), naming.Scene(cam), mixer.Instant))
		d.await(cam, func(s *mixer.State) bool { return !s.InTransition && slices.Equal(s.OnAir, []string{cam}) })
		for range 30 {
			colours[cam] = (<-samples).colour
		}
	}
	if distance(colours["cam1"], colours["cam2"]) < 20 {
		t.Fatalf("the cameras have the same colour: %v", colours)
	}
	var confirmed, shown []time.Duration
	for n := range scaled(4, 16) {
		cam := cameras[n%2]
		for range 3 + n%4 { // not in step with anything
			<-samples
		}
		begin := time.Now()
		d.do("cut", d.Cut(d.soon(), naming.Scene(cam), mixer.Instant))
		confirmed = append(confirmed, time.Since(begin))
		for {
			if s := <-samples; distance(s.colour, colours[cam]) < 10 {
				if after := s.at.Sub(begin); after > 0 {
					shown = append(shown, after)
				}
				break
			}
		}
	}
	slices.Sort(confirmed)
	slices.Sort(shown)
	t.Logf("%d cuts: answered after %v, decoded frame changed after %v (medians), at worst %v and %v", len(shown),
		confirmed[len(confirmed)/2], shown[len(shown)/2], confirmed[len(confirmed)-1], shown[len(shown)-1])
	testkit.Measure(t, "OBS: cut to frame in its output, median", testkit.Milliseconds(shown[len(shown)/2]), "ms", testkit.AtMost(1000))
}

type colourSample struct {
	at     time.Time
	colour [3]byte
}

func distance(a, b [3]byte) (d int) {
	for i := range a {
		d += max(int(a[i])-int(b[i]), int(b[i])-int(a[i]))
	}
	return d
}

// watchColour decodes a stream and sends the mean colour of each frame.
func watchColour(t *testing.T, url string) <-chan colourSample {
	t.Helper()
	cmd := exec.Command(testkit.Tool(t, "ffmpeg"), "-v", "error", "-threads", "1", "-rtsp_transport", "tcp", "-fflags", "nobuffer", "-flags", "low_delay",
		"-probesize", "100000", "-analyzeduration", "500000", "-i", url, "-an", "-vsync", "0", "-vf", "scale=1:1:flags=area", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	samples := make(chan colourSample, 1000)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(samples)
		for {
			var l colourSample
			if _, err := io.ReadFull(out, l.colour[:]); err != nil {
				return
			}
			l.at = time.Now()
			select {
			case samples <- l:
			case <-t.Context().Done():
				return
			}
		}
	})
	t.Cleanup(func() {
		cmd.Process.Kill()
		reading.Wait()
		cmd.Wait()
	})
	return samples
}
