package clock_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"obvan/media/clock"
)

// farthest sends n seconds of both tracks, each with its clock, through a network that
// delays by up to jitter. It is how far sound and picture of one moment are apart at
// most after settled, and how far from the arrival clock the sound is at the end.
func farthest(r *clock.Corrector, n int, settled, jitter time.Duration, device func(track int, at time.Duration) time.Duration) (worst, sound time.Duration) {
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
		shown := fix(r, u).PTS - made
		if u.track == video {
			sound = -shown
			continue
		}
		if sound += shown; made > settled {
			worst = max(worst, sound.Abs())
		}
		sound = shown
	}
	return worst, sound
}

func TestADriftThatIsSeenOnLipsIsMendedInSeconds(t *testing.T) {
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
		"sound is slow":                {drifts(audio, -5), 0},
		"sound is fast":                {drifts(audio, 5), 0},
		"the picture is slow":          {drifts(video, -5), 0},
		"the picture is fast":          {drifts(video, 5), 0},
		"over a network that is shaky": {drifts(audio, 5), 60 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepairer()
			worst, sound := farthest(r, 60, 13*second, c.jitter, c.device)
			t.Logf("%v apart at most once mended, sound at the end %v off, %v", worst, sound, r.Counts.Map())
			if worst > 25*time.Millisecond {
				t.Errorf("%v apart", worst)
			}
			if sound.Abs() > 25*time.Millisecond { // whichever track is wrong, the sound keeps its samples
				t.Errorf("sound is %v off", sound)
			}
			if r.Counts.Map()["drift"] != 1 || len(r.Counts.Map()) != 1 {
				t.Errorf("counts %v", r.Counts.Map())
			}
		})
	}
}

func TestWhatIsNoDriftIsLeftAlone(t *testing.T) {
	for name, device := range map[string]func(track int, at time.Duration) time.Duration{
		"nothing": func(_ int, at time.Duration) time.Duration { return at },
		"a camera that says after five seconds how its clocks compare": func(track int, at time.Duration) time.Duration {
			if track == audio && at > 5*second {
				return at + 70*time.Millisecond
			}
			return at
		},
		"both clocks run away together": func(_ int, at time.Duration) time.Duration { return at + at/200 },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRepairer()
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
	t.Run("packets of many frames of sound", func(t *testing.T) {
		// What ffmpeg sends by RTSP while it is quiet: up to 33 frames in a packet, which
		// goes out with the next picture.
		const picture, sound = second / 30, 1024 * second / 48000
		r, n, bunch := newRepairer(), 0, []int{33, 14}
		for i := range 300 * 30 {
			at := time.Duration(i) * picture
			if au := fix(r, unit{video, at, at, 0}); au.DTS != at {
				t.Fatalf("at %v, a picture: %v", at, au.DTS)
			}
			for at >= time.Duration(n+bunch[0])*sound {
				for range bunch[0] {
					made := time.Duration(n) * sound
					if au := fix(r, unit{audio, at, made, 0}); au.DTS != made {
						t.Fatalf("at %v, sound: %v, not %v", at, au.DTS, made)
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
	t.Run("a network that is shaky", func(t *testing.T) {
		r := newRepairer()
		if _, _ = farthest(r, 300, 0, 80*time.Millisecond, func(_ int, at time.Duration) time.Duration { return at }); r.Counts.Map()["drift"] != 0 {
			t.Errorf("counts %v", r.Counts.Map())
		}
	})
}

func TestAJumpDoesNotUndoWhatADriftCost(t *testing.T) {
	r := newRepairer()
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

func TestWhatTheProtocolPutTogetherStaysTogether(t *testing.T) {
	const told = 6 * second // when the device says how its clocks compare
	for _, wrong := range []time.Duration{-25 * time.Millisecond, 25 * time.Millisecond} {
		r := newRepairer()
		units := both(30, func(track int, at time.Duration) time.Duration {
			if track == audio && at < told {
				return at + wrong
			}
			return at
		})
		aligned := false
		for _, u := range units {
			if !aligned && u.arrived >= told {
				aligned = true
				r.Aligned()
			}
			if off := fix(r, u).PTS - u.arrived; u.arrived > told+time.Second && off.Abs() > 2*time.Millisecond {
				t.Fatalf("at %v track %d is %v off, %v", u.arrived, u.track, off, r.Counts.Map())
			}
		}
		if mended := r.Counts.Map(); len(mended) > 0 {
			t.Errorf("sound %v late until then: %v", wrong, mended)
		}
	}
}
