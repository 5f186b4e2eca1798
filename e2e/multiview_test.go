package e2e

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"obvan/internal/testkit"
)

// TestAMultiviewShowsAllItsFeeds watches many feeds side by side, as the
// multiview does: a connection each, without audio. Sixteen of them take a while to
// start: only in make measure.
func TestAMultiviewShowsAllItsFeeds(t *testing.T) {
	parallel(t, heavy)
	s := start(t)
	clip := filepath.Join(t.TempDir(), "clip.flv")
	out, err := exec.Command(testkit.Tool(t, "ffmpeg"), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=30", "-t", "6", "-c:v", "libx264", "-preset", "veryfast",
		"-profile:v", "baseline", "-b:v", "800k", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0", clip).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sizes := scaled([]int{9}, []int{9, 16})
	var feeds []string
	var tiles []view
	for n := range sizes[len(sizes)-1] {
		feeds = append(feeds, fmt.Sprintf("tile%d", n))
		tiles = append(tiles, view{Stream: feeds[n], FPS: 30})
		run(t, "ffmpeg", "-v", "error", "-re", "-stream_loop", "-1", "-i", clip, "-c", "copy", "-f", "flv", "rtmp://"+s.listen["rtmp"]+"/live/"+feeds[n])
	}
	s.live(20*time.Second, feeds...)
	b := s.viewers()
	for _, n := range sizes {
		var got []viewed
		server, browser, began := s.cpu(), b.cpu(), time.Now()
		b.call(&got, "watch", tiles[:n], scaled(3, 7), 2, false)
		span := time.Since(began)
		slowest, sum := math.Inf(1), 0.0
		for _, w := range got {
			rate := float64(w.Decoded) / w.Seconds
			slowest, sum = min(slowest, rate), sum+rate
		}
		if len(got) != n || slowest == 0 {
			t.Errorf("%d of %d tiles were played; the slowest shows %.1f frames per second", len(got), n, slowest)
		}
		t.Logf("%d tiles: %.1f frames per second decoded on average", n, sum/float64(n))
		name := fmt.Sprintf("%d tiles: ", n)
		testkit.Measure(t, name+"the slowest one", slowest, "fps", testkit.AtLeast(27))
		testkit.Measure(t, name+"CPU of the server", 100*float64(s.cpu()-server)/float64(span), "% core", testkit.NoGoal())
		testkit.Measure(t, name+"CPU of the browser", 100*float64(b.cpu()-browser)/float64(span), "% core", testkit.NoGoal())
	}
}

// cpu is the processor time that the browser's processes have used.
func (b *browser) cpu() (all time.Duration) {
	b.t.Helper()
	parents := map[int]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.t.Fatal(err)
	}
	for _, path := range stats {
		var pid, parent int
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended just now
		}
		fmt.Sscan(string(text), &pid)
		fmt.Sscanf(string(text[bytes.LastIndexByte(text, ')')+1:]), " %1s %d", new(string), &parent)
		parents[pid] = parent
	}
	root := chromedp.FromContext(b.ctx).Browser.Process().Pid
	for pid := range parents {
		for at := pid; at > 1; at = parents[at] {
			if at == root {
				if used, err := cpuOf(pid); err == nil {
					all += used
				}
				break
			}
		}
	}
	return all
}
