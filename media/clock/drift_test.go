package clock_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"obvan/media/clock"
)

// farthest sends n seconds of both tracks, each with its clock, through a network that
// delays by up to jitter. It returns the largest offset between audio and video after
// settled, and the offset between audio and the arrival clock at the end.
func farthest(r *clock.Corrector, n int, settled, jitter time.Duration, device func(track int, at time.Duration) time.Duration) (worst, audioOff time.Duration) {
	dice := rand.New(rand.NewPCG(1, 2))
	delay := func() time.Duration {
		if jitter == 0 {
			return 0
		}
		return time.Duration(dice.Int64N(int64(jitter)))
	}
	for _, u := range both(n, device) {
		made := u.arrived
		u.arrived += delay()
		off := fix(r, u).PTS - made
		if u.track == video {
			audioOff = -off
			continue
		}
		if audioOff += off; made > settled {
			worst = max(worst, audioOff.Abs())
		}
		audioOff = off
	}
	return worst, audioOff
}

func TestADriftThatAffectsLipSyncIsCorrectedInSeconds(t *testing.T) {
	drifts := func(which int, parts time.Duration) func(int, time.Duration) time.Duration {
		return func(track int, at time.Duration) time.Duration {
			if track == which {
				return at + at*parts/1000
			}
			return at
		}
	}
	for name, c := range map[string]struct {
		device func(int, time.Duration) time.Duration
		jitter time.Duration
	}{
		"audio is slow":              {drifts(audio, -5), 0},
		"audio is fast":              {drifts(audio, 5), 0},
		"video is slow":              {drifts(video, -5), 0},
		"video is fast":              {drifts(video, 5), 0},
		"over a network with jitter": {drifts(audio, 5), 60 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			r := newCorrector()
			worst, audioOff := farthest(r, 60, 13*second, c.jitter, c.device)
			t.Logf("at most %v apart once corrected, audio %v off at the end, %v", worst, audioOff, r.Counts.Map())
			if worst > 25*time.Millisecond {
				t.Errorf("%v apart", worst)
			}
			if audioOff.Abs() > 25*time.Millisecond { // whichever track is wrong, audio keeps its samples
				t.Errorf("audio is %v off", audioOff)
			}
			if r.Counts.Map()["drift"] != 1 || len(r.Counts.Map()) != 1 {
				t.Errorf("counts %v", r.Counts.Map())
			}
		})
	}
}

func TestChangesThatAreNotDriftAreNotCorrected(t *testing.T) {
	for name, device := range map[string]func(track int, at time.Duration) time.Duration{
		"a correct clock": func(_ int, at time.Duration) time.Duration { return at },
		"a camera that reports after five seconds how its clocks compare": func(track int, at time.Duration) time.Duration {
			if track == audio && at > 5*second {
				return at + 70*time.Millisecond
			}
			return at
		},
		"both clocks are fast by the same amount": func(_ int, at time.Duration) time.Duration { return at + at/200 },
	} {
		t.Run(name, func(t *testing.T) {
			r := newCorrector()
			for _, u := range both(60, device) {
				if au := fix(r, u); au.DTS != u.dts {
					t.Fatalf("at %v, track %d: %v, not %v", u.arrived, u.track, au.DTS, u.dts)
				}
			}
			if n := r.Counts.Map()["drift"]; n != 0 {
				t.Errorf("counted %d times", n)
			}
		})
	}
	t.Run("packets of many audio frames", func(t *testing.T) {
		// What ffmpeg sends over RTSP during silence: up to 33 frames in a packet, which
		// is sent with the next video frame.
		const videoFrame, audioFrame = second / 30, 1024 * second / 48000
		r, n, bunch := newCorrector(), 0, []int{33, 14}
		for i := range 300 * 30 {
			at := time.Duration(i) * videoFrame
			if au := fix(r, unit{video, at, at, 0}); au.DTS != at {
				t.Fatalf("at %v, a video frame: %v", at, au.DTS)
			}
			for at >= time.Duration(n+bunch[0])*audioFrame {
				for range bunch[0] {
					made := time.Duration(n) * audioFrame
					if au := fix(r, unit{audio, at, made, 0}); au.DTS != made {
						t.Fatalf("at %v, an audio frame: %v, not %v", at, au.DTS, made)
					}
					n++
				}
				bunch[0], bunch[1] = bunch[1], bunch[0]
			}
		}
		if n := r.Counts.Map()["drift"]; n != 0 {
			t.Errorf("counted %d times", n)
		}
	})
	t.Run("a network with jitter", func(t *testing.T) {
		r := newCorrector()
		if _, _ = farthest(r, 300, 0, 80*time.Millisecond, func(_ int, at time.Duration) time.Duration { return at }); r.Counts.Map()["drift"] != 0 {
			t.Errorf("counts %v", r.Counts.Map())
		}
	})
}

func TestAJumpDoesNotUndoADriftCorrection(t *testing.T) {
	r := newCorrector()
	worst, _ := farthest(r, 60, 13*second, 0, func(track int, at time.Duration) time.Duration {
		if at < 30*second {
			return at + time.Duration(track)*at/200
		}
		return time.Hour + at + time.Duration(track)*at/200
	})
	if worst > 25*time.Millisecond || r.Counts.Map()["jumps"] != 1 {
		t.Errorf("%v apart, %v", worst, r.Counts.Map())
	}
}

func TestTracksAlignedByTheProtocolAreNotCorrected(t *testing.T) {
	const aligns = 6 * second // when the device reports how its clocks compare
	for _, wrong := range []time.Duration{-25 * time.Millisecond, 25 * time.Millisecond} {
		r := newCorrector()
		units := both(30, func(track int, at time.Duration) time.Duration {
			if track == audio && at < aligns {
				return at + wrong
			}
			return at
		})
		aligned := false
		for _, u := range units {
			if !aligned && u.arrived >= aligns {
				aligned = true
				r.Aligned()
			}
			if off := fix(r, u).PTS - u.arrived; u.arrived > aligns+time.Second && off.Abs() > 2*time.Millisecond {
				t.Fatalf("at %v track %d is %v off, %v", u.arrived, u.track, off, r.Counts.Map())
			}
		}
		if corrections := r.Counts.Map(); len(corrections) > 0 {
			t.Errorf("audio %v late until then: %v", wrong, corrections)
		}
	}
}
