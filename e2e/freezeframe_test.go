package e2e

import (
	"slices"
	"sync"
	"testing"
	"time"

	"obvan/control"
	"obvan/mixer/program"
)

// freezeFor is how long the freeze frame lasts: more than one keyframe of it is sent.
var freezeFor = scaled(12*time.Second, time.Minute)

// With nothing but keyframes, the sizes of frames don't show a freeze.
func TestADecoderDetectsAFrozenFeedOfKeyframesOnly(t *testing.T) {
	parallel(t, light)
	s := start(t)
	run(t, "ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=30,loop=-1:1", "-c:v", "libx264", "-preset", "ultrafast",
		"-pix_fmt", "yuv420p", "-g", "1", "-f", "flv", "rtmp://"+s.listen["rtmp"]+"/live/still")
	s.live(10*time.Second, "still")
	s.cut("still")
	began := time.Now()
	s.await(20*time.Second, "the freeze is reported", func(st control.State) bool {
		return slices.Contains(st.Program.Warnings, program.Frozen.Text())
	})
	t.Logf("reported after %v", time.Since(began))
}

func TestAFreezeFrameIsDecodedAndPlayedAtFullRate(t *testing.T) {
	for kind, extra := range map[string][]string{"CAVLC baseline": nil, "CABAC high": cabac("high")} {
		t.Run(kind, func(t *testing.T) {
			parallel(t, heavy)
			s := start(t)
			cam := camera{colour: "red", tone: 1000, gop: 60, extra: extra}.send(t, "flv", "rtmp://"+s.listen["rtmp"]+"/live/red")
			s.live(20*time.Second, "red")
			s.cut("red")
			dest := startNginx(t, "")
			s.sendTo(map[string]*nginx{"dest": dest})
			b := s.blank(t)
			plain := b.watch("program", 3)
			const before = 4 * time.Second
			var killing sync.WaitGroup
			killing.Go(func() {
				pause(t, before)
				cam.kill()
			})
			w := b.watch("program", int((before + freezeFor).Seconds()))
			killing.Wait()
			st := s.await(time.Second, "the freeze frame is on air", func(st control.State) bool { return st.Program.Level == "freeze" })
			pause(t, time.Until(st.Program.Since.Add(freezeFor+time.Second)))
			checkFreeze(t, s.checkRecording(dest))
			w.check(t, plain, "freeze frame, "+kind+", in a browser")
		})
	}
}

// checkFreeze counts what came in the last of it, when all was the freeze frame.
func checkFreeze(t testing.TB, tags []tag) {
	t.Helper()
	video, audio := pick(tags, true), pick(tags, false)
	end := min(video[len(video)-1].dts, audio[len(audio)-1].dts)
	count := func(tags []tag) (n int) {
		for _, g := range tags {
			if g.dts >= end-freezeFor && g.dts < end {
				n++
			}
		}
		return n
	}
	shown, heard := count(video), count(audio)
	t.Logf("%d video and %d audio frames in %v", shown, heard, freezeFor)
	if want := int(freezeFor / period); shown < want-1 || shown > want+1 {
		t.Errorf("%d video frames in %v, want %d", shown, freezeFor, want)
	}
	if want := int(freezeFor.Seconds() * 48000 / 1024); heard < want-1 || heard > want+1 {
		t.Errorf("%d audio frames in %v, want %d", heard, freezeFor, want)
	}
	if line := checkTimeline(t, tags, longestPeriod); len(line.gaps) > 0 {
		t.Errorf("gaps between frames: %v", line.gaps)
	}
}
