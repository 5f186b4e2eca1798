package e2e

import (
	"sync"
	"testing"
	"time"

	"obvan/control"
)

// held is how long the picture is held.
const held = time.Minute

// TestAMinuteOfTrouble is what needs a minute and little of the machine, at the same
// time: the longest first, the others where there is room beside them.
func TestAMinuteOfTrouble(t *testing.T) {
	holding := make(chan struct{}, 3)
	t.Run("a held picture is decoded and played at full rate", func(t *testing.T) { aHeldPicture(t, holding) })
	t.Run("broken clocks are mended on the way to a destination", func(t *testing.T) {
		t.Parallel()
		for range cap(holding) {
			select {
			case <-holding:
			case <-time.After(5 * time.Second): // so few run at the same time here
			}
		}
		brokenClocks(t)
	})
}

func aHeldPicture(t *testing.T, holding chan<- struct{}) {
	t.Parallel()
	for kind, extra := range map[string][]string{"CAVLC baseline": nil, "CABAC main": cabac("main"), "CABAC high": cabac("high")} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			holding <- struct{}{}
			s := start(t)
			cam := camera{colour: "red", tone: 1000, gop: 60, extra: extra}.send(t, "flv", "rtmp://"+s.listen["rtmp"]+"/live/red")
			s.live(20*time.Second, "red")
			s.cut("red")
			far := startNginx(t, "")
			s.sendTo(map[string]*nginx{"far": far})
			b := s.blank(t)
			const before = 4 * time.Second
			var killing sync.WaitGroup
			killing.Go(func() {
				pause(t, before)
				cam.kill()
			})
			w := b.watch("program", int((before + held).Seconds()))
			killing.Wait()
			st := s.await(time.Second, "the picture is held", func(st control.State) bool { return st.Program.Rung == "held" })
			pause(t, time.Until(st.Program.Since.Add(held+time.Second)))
			checkHeld(t, s.received(far))
			checkWatched(t, w)
		})
	}
}

// checkHeld counts what came in the last minute: all of it was held.
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
	t.Logf("%d pictures and %d frames of sound in a minute", shown, heard)
	if want := int(held / period); shown < want-1 || shown > want+1 {
		t.Errorf("%d pictures in a minute, not %d", shown, want)
	}
	if want := int(held.Seconds() * 48000 / 1024); heard < want-1 || heard > want+1 {
		t.Errorf("%d frames of sound in a minute, not %d", heard, want)
	}
	if line := checkTimeline(t, tags, period*5/4+time.Millisecond); len(line.gaps) > 0 {
		t.Errorf("gaps between pictures: %v", line.gaps)
	}
}
