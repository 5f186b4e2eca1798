package e2e

import (
	"bufio"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/andreykaipov/goobs/api/events/subscriptions"
	"github.com/andreykaipov/goobs/api/requests/inputs"
	"github.com/andreykaipov/goobs/api/requests/scenes"

	"obvan/mixer"
	"obvan/mixer/mixertest"
	"obvan/mixer/obs"
	"obvan/mixer/obs/wire"
)

const obsPassword = "secret"

// realOBS is an OBS Studio under its own Xvfb.
type realOBS struct {
	addr    string
	pid     string
	stopped sync.WaitGroup // of scripts/obs-headless
}

// startOBS starts OBS with options of scripts/obs-headless. Without OBS a test
// skips, or fails when OBVAN_E2E is set.
func startOBS(t testing.TB, options ...string) *realOBS {
	t.Helper()
	script, err := filepath.Abs("../scripts/obs-headless")
	if err != nil {
		t.Fatal(err)
	}
	if missing, err := exec.Command(script, "--check").CombinedOutput(); err != nil {
		if os.Getenv("OBVAN_E2E") != "" {
			t.Fatalf("OBS is not installed: %s", missing)
		}
		t.Skipf("OBS is not installed: %s", missing)
	}
	cmd := exec.Command(script, append([]string{"--port", "0", "--password", obsPassword, "--stdin"}, options...)...)
	o := &realOBS{}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe() // closes when this process dies, and OBS ends with it
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	t.Cleanup(func() {
		stdin.Close()
		cmd.Process.Signal(syscall.SIGTERM)
		o.stopped.Wait()
	})
	defer o.stopped.Go(func() { cmd.Wait() })
	for o.addr == "" && lines.Scan() {
		if pid, ok := strings.CutPrefix(lines.Text(), "obs-pid "); ok {
			o.pid = pid
		}
		o.addr, _ = strings.CutPrefix(lines.Text(), "ready ws://")
		if !strings.HasPrefix(lines.Text(), "ready") {
			o.addr = ""
		}
	}
	if o.addr == "" {
		t.Fatal("OBS did not start")
	}
	return o
}

// dial is a connection of the test's own, to prepare and inspect OBS.
func (o *realOBS) dial(t testing.TB) *wire.Conn {
	t.Helper()
	conn, err := wire.Dial(t.Context(), wire.Options{Addr: o.addr, Password: obsPassword, Subscriptions: subscriptions.None})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// coloured adds a scene of one colour for each name.
func (o *realOBS) addColourScenes(t testing.TB, names ...string) {
	t.Helper()
	conn := o.dial(t)
	for i, name := range names {
		colour := []uint32{0xFF0000FF, 0xFF00FF00, 0xFFFF0000}[i%3]
		for _, p := range []wire.Params{
			scenes.NewCreateSceneParams().WithSceneName(name),
			inputs.NewCreateInputParams().WithSceneName(name).WithInputName(name + " colour").
				WithInputKind("color_source_v3").WithInputSettings(map[string]any{"color": colour, "width": 640, "height": 360}),
		} {
			if err := conn.Call(t.Context(), p, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	conn.Close()
}

func (o *realOBS) mixer(t testing.TB, cfg obs.Config) *obs.Mixer {
	cfg.URL, cfg.Password = "obs://"+o.addr, func() string { return obsPassword }
	return obs.New(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
}

func TestRealOBSPassesTheContract(t *testing.T) {
	parallel(t, heavy)
	o := startOBS(t, "--studio-mode") // one for all cases, each with a mixer of its own
	o.addColourScenes(t, mixertest.Cam1, mixertest.Cam2)
	mixertest.Test(t, func(t *testing.T) mixer.Mixer { return o.mixer(t, obs.Config{}) })
}
