package e2e

import (
	"slices"
	"sync"
	"testing"
	"time"

	"obvan/control"
	"obvan/mixer/program"
)

// held is how long the picture is held: more than one key frame of it is sent.
var held = scaled(12*time.Second, time.Minute)

// The picture stands still in nothing but key frames: their sizes say nothing.
func TestADecoderSeesAStandstillInNothingButKeyframes(t *testing.T) {
	t.Parallel()
	s := start(t)
	run(t, "ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=30,loop=-1:1", "-c:v", "libx264", "-preset", "ultrafast",
		"-pix_fmt", "yuv420p", "-g", "1", "-f", "flv", "rtmp://"+s.listen["rtmp"]+"/live/still")
	s.live(10*time.Second, "still")
	s.cut("still")
	began := time.Now()
	s.await(20*time.Second, "the panel warns", func(st control.State) bool {
		return slices.Contains(st.Program.Warnings, program.Frozen.Text())
	})
	t.Logf("told after %v", time.Since(began))
}

func TestAFreezeFrameIsDecodedAndPlayedAtFullRate(t *testing.T) {
	for kind, extra := range map[string][]string{"CAVLC baseline": nil, "CABAC high": cabac("high")} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			cam := camera{colour: "red", tone: 1000, gop: 60, extra: extra}.send(t, "flv", "rtmp://"+s.listen["rtmp"]+"/live/red")
			s.live(20*time.Second, "red")
			s.cut("red")
			far := startNginx(t, "")
			s.sendTo(map[string]*nginx{"far": far})
			b := s.blank(t)
			plain := b.watch("program", 3)
			const before = 4 * time.Second
			var killing sync.WaitGroup
			killing.Go(func() {
				pause(t, before)
				cam.kill()
			})
			w := b.watch("program", int((before + held).Seconds()))
			killing.Wait()
			st := s.await(time.Second, "the picture is held", func(st control.State) bool { return st.Program.Level == "freeze" })
			pause(t, time.Until(st.Program.Since.Add(held+time.Second)))
			checkHeld(t, s.received(far))
			w.check(t, plain, "freeze frame, "+kind+", in a browser")
		})
	}
}

// checkHeld counts what came in the last of it, when all was held.
func checkHeld(t testing.TB, tags []tag) {
	t.Helper()
	pictures, frames := pick(tags, true), pick(tags, false)
	end := min(pictures[len(pictures)-1].dts, frames[len(frames)-1].dts)
	count := func(tags []tag) (n int) {
		for _, g := range tags {
			if g.dts >= end-held && g.dts < end {
				n++
			}
		}
		return n
	}
	shown, heard := count(pictures), count(frames)
	t.Logf("%d video and %d audio frames in %v", shown, heard, held)
	if want := int(held / period); shown < want-1 || shown > want+1 {
		t.Errorf("%d video frames in %v, want %d", shown, held, want)
	}
	if want := int(held.Seconds() * 48000 / 1024); heard < want-1 || heard > want+1 {
		t.Errorf("%d audio frames in %v, want %d", heard, held, want)
	}
	if line := checkTimeline(t, tags, period*5/4+time.Millisecond); len(line.gaps) > 0 {
		t.Errorf("gaps between pictures: %v", line.gaps)
	}
}
