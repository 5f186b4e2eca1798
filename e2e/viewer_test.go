package e2e

import (
	"fmt"
	"io"
	"math"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"obvan/internal/testkit"
)

// viewer plays a stream of an nginx as it comes and notes when it saw which colour.
type viewer struct {
	t testing.TB

	mu      sync.Mutex
	last    string
	changes []colourChange
	changed chan struct{}
}

type colourChange struct {
	colour string
	at     time.Time
}

// watch plays a key of the server. The colour is that of the frame's lower right.
func (n *nginx) watch(t testing.TB, key string) *viewer {
	t.Helper()
	cmd := exec.Command(testkit.Tool(t, "ffmpeg"), "-v", "error", "-fflags", "nobuffer", "-flags", "low_delay", "-threads", "1",
		"-fpsprobesize", "0", "-i", n.url()+"/"+key,
		"-an", "-vf", "crop=8:8:iw*3/4:ih*3/4,scale=1:1,format=rgb24", "-fps_mode", "passthrough", "-f", "rawvideo", "-flush_packets", "1", "-")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	complaints := &syncBuffer{}
	cmd.Stderr = complaints
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	e := &viewer{t: t, changed: make(chan struct{})}
	var ended sync.WaitGroup
	ended.Go(func() { e.read(out) })
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the viewer: %s", complaints.tail(2000))
		}
	})
	t.Cleanup(func() {
		cmd.Process.Kill()
		ended.Wait()
		cmd.Wait()
	})
	return e
}

func (e *viewer) read(from io.Reader) {
	px := make([]byte, 3)
	for {
		if _, err := io.ReadFull(from, px); err != nil {
			return
		}
		colour, now := name(px), time.Now()
		e.mu.Lock()
		if colour != e.last {
			e.last = colour
			e.changes = append(e.changes, colourChange{colour, now})
			close(e.changed)
			e.changed = make(chan struct{})
		}
		e.mu.Unlock()
	}
}

// sees waits for a colour and returns when it came, after the given time. With the zero
// time, a colour that is there already will do.
func (e *viewer) sees(within time.Duration, colour string, after time.Time) time.Time {
	e.t.Helper()
	within = testkit.Allow(within)
	deadline := time.After(within)
	for {
		e.mu.Lock()
		changed := e.changed
		for _, s := range e.changes {
			if s.colour == colour && s.at.After(after) {
				e.mu.Unlock()
				return s.at
			}
		}
		if e.last == colour && after.IsZero() {
			e.mu.Unlock()
			return time.Now()
		}
		last := fmt.Sprint(e.changes[max(0, len(e.changes)-5):])
		e.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			e.t.Fatalf("%s was not seen within %v; last seen: %s", colour, within, last)
		}
	}
}

// frame decodes the newest keyframe of a stream key: w x h, RGB.
func (n *nginx) frame(t testing.TB, key string, w, h int) []byte {
	t.Helper()
	raw, err := exec.Command(testkit.Tool(t, "ffmpeg"), "-v", "error", "-fpsprobesize", "0", "-skip_frame", "nokey", "-i", n.url()+"/"+key, "-an",
		"-frames:v", "1", "-vf", fmt.Sprintf("scale=%d:%d,format=rgb24", w, h), "-f", "rawvideo", "-").Output()
	if err != nil || len(raw) != 3*w*h {
		t.Fatalf("no frame at the destination: %v, %d bytes", err, len(raw))
	}
	return raw
}

// median and worst of some durations.
func spread(all []time.Duration) (median, worst time.Duration) {
	all = slices.Clone(all)
	slices.Sort(all)
	return all[len(all)/2].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond)
}

// similarity of two grey images, -1 to 1 (normalised cross-correlation).
func similarity(a, b []float64) float64 {
	mean := func(v []float64) (m float64) {
		for _, x := range v {
			m += x / float64(len(v))
		}
		return m
	}
	ma, mb := mean(a), mean(b)
	var ab, aa, bb float64
	for i := range a {
		ab += (a[i] - ma) * (b[i] - mb)
		aa += (a[i] - ma) * (a[i] - ma)
		bb += (b[i] - mb) * (b[i] - mb)
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
