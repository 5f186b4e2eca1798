package program_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"obvan/media"
	"obvan/mixer"
	"obvan/mixer/program"
)

var (
	cam1 = camera{name: "cam1", fps: 30, gop: 60, rate: 48000, start: 90 * time.Second, config: 1}
	cam2 = camera{name: "cam2", fps: 30, gop: 30, rate: 48000, start: time.Hour, config: 2}
	cam3 = camera{name: "cam3", fps: 25, gop: 50, config: 3} // no audio
	cam5 = camera{name: "cam5", fps: 30, gop: 30, rate: 48000, jitter: 90 * time.Millisecond, config: 5}
	cam4 = camera{name: "cam4", fps: 50, gop: 100, rate: 44100, reorder: true, start: time.Minute, config: 4}
)

// measured is what the checks found in what the program wrote.
type measured struct {
	maxGap      time.Duration // between two frames
	frames      int
	audioFrames int
}

// checkSeamless fails the test when the program has a discontinuity, and measures the rest.
func checkSeamless(t *testing.T, units []unit) (found measured) {
	t.Helper()
	var lastVideo, lastShown, nextAudio time.Duration = -1, -1, -1
	var samples, rate int64
	var base time.Duration
	for i, u := range units {
		if u.PTS < u.DTS {
			t.Fatalf("unit %d is presented %v before it is decoded", i, u.DTS-u.PTS)
		}
		if u.Video() {
			found.frames++
			if lastVideo >= 0 {
				if u.DTS < lastVideo+time.Millisecond {
					t.Fatalf("frame %d at %v after one at %v", i, u.DTS, lastVideo)
				}
				found.maxGap = max(found.maxGap, u.DTS-lastVideo)
			}
			if u.Key && u.PTS <= lastShown {
				t.Fatalf("keyframe %d is presented at %v, after a frame presented at %v", i, u.PTS, lastShown)
			}
			lastVideo, lastShown = u.DTS, max(lastShown, u.PTS)
			continue
		}
		found.audioFrames++
		if r := int64(u.Info().SampleRate); r != rate {
			if nextAudio >= 0 && (u.DTS-nextAudio).Abs() > time.Microsecond {
				t.Fatalf("audio frame %d of a new rate at %v, the old one ended at %v", i, u.DTS, nextAudio)
			}
			base, rate, samples = u.DTS, r, 0
		}
		if want := base + time.Duration(samples*int64(time.Second)/rate); (u.DTS - want).Abs() > time.Microsecond {
			t.Fatalf("audio frame %d at %v, its grid says %v", i, u.DTS, want)
		}
		samples += 1024
		nextAudio = base + time.Duration(samples*int64(time.Second)/rate)
	}
	return found
}

// settled is the newest frame once the excess of the last cut has settled.
func (s *studio) settled() unit {
	s.t.Helper()
	time.Sleep(1100 * time.Millisecond)
	synctest.Wait()
	units := s.written(0)
	for i := len(units) - 1; i >= 0; i-- {
		if units[i].Video() {
			return units[i]
		}
	}
	s.t.Fatal("no frame was written")
	return unit{}
}

func TestHundredsOfCutsAreSeamless(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		random := newRand(t)
		cams := []camera{cam1, cam2, cam3, cam4, cam5}
		for _, c := range cams {
			c.seed = random.Uint64()
			c.publish(t, s.hub)
			time.Sleep(time.Duration(random.IntN(700)) * time.Millisecond)
		}
		time.Sleep(cam5.jitter) // until the last one, too, has sent its first keyframe
		s.Follow("cam2", mixer.Instant)
		before := s.settled()
		for range 200 {
			c := cams[random.IntN(len(cams))]
			s.Follow(c.name, mixer.Instant)
			synctest.Wait()
			if on, _ := s.OnAir(); on != c.name {
				t.Fatalf("%s is not on air at once, but %q", c.name, on)
			}
			time.Sleep(time.Duration(50+random.IntN(2000)) * time.Millisecond)
		}
		s.Follow("cam2", mixer.Instant)
		after := s.settled()
		found := checkSeamless(t, s.written(0))
		if found.maxGap > 50*time.Millisecond { // a frame of 25 a second, a quarter longer while a late splice settles
			t.Errorf("a gap of %v between frames", found.maxGap)
		}
		if drift := after.DTS - before.DTS - after.Arrived.Sub(before.Arrived); drift.Abs() > 5*time.Millisecond {
			t.Errorf("the program drifted %v from the wall", drift)
		}
		t.Logf("%+v, %v splices", found, s.State().Splices)
	})
}

// skew is how much further audio and video are apart than they were
// at the source.
func skew(units []unit, arrivedAfter time.Time) (worst time.Duration) {
	var video time.Duration
	var at time.Time
	for _, u := range units {
		if u.Video() {
			video, at = u.DTS, u.Arrived
			continue
		}
		if at.IsZero() || u.Arrived.Before(arrivedAfter) || !strings.Contains(string(u.Data), "audio") {
			continue
		}
		// What arrived at one moment was made at one moment by these cameras.
		worst = max(worst, ((u.DTS - video) - u.Arrived.Sub(at)).Abs())
	}
	return worst
}

func TestAudioAndVideoStayInSync(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		for _, c := range []camera{cam1, cam2} {
			c.publish(t, s.hub)
			time.Sleep(130 * time.Millisecond)
		}
		random := newRand(t)
		for n := range 60 {
			from := len(s.written(0))
			cut := time.Now()
			s.Follow([]string{"cam1", "cam2"}[n%2], mixer.Instant)
			time.Sleep(1300*time.Millisecond + time.Duration(random.IntN(500))*time.Millisecond)
			synctest.Wait()
			units := s.written(from)
			if worst := skew(units, cut.Add(400*time.Millisecond)); worst > 40*time.Millisecond {
				t.Fatalf("cut %d: %v apart once settled", n, worst)
			}
			if worst := skew(units, cut); worst > 100*time.Millisecond {
				t.Fatalf("cut %d: %v apart", n, worst)
			}
		}
	})
}

func TestAnInstantCutSendsTheGOPSoFarCompressed(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		s.start(cam1, cam2)
		time.Sleep(1510 * time.Millisecond) // 15 frames after cam2's keyframe
		from := len(s.written(0))
		s.Follow("cam2", mixer.Instant)
		synctest.Wait()
		var burst []unit
		for _, u := range s.written(from) {
			if u.Video() {
				burst = append(burst, u)
			}
		}
		if len(burst) != 16 || !burst[0].Key || burst[1].Key {
			t.Fatalf("%d frames, the first a keyframe: %v", len(burst), burst[0].Key)
		}
		for i := 1; i < len(burst); i++ {
			if step := burst[i].DTS - burst[i-1].DTS; step != time.Millisecond {
				t.Fatalf("step %d is %v", i, step)
			}
		}
		for i, u := range burst { // else readers that drop frames by age would drop the compressed GOP
			if age := time.Since(u.Arrived); age != 10*time.Millisecond {
				t.Fatalf("frame %d arrived %v ago, the newest did 10 ms ago", i, age)
			}
		}
	})
}

func TestACutToALongGOPWaitsAndSaysSo(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		long := camera{name: "long", fps: 30, gop: 300, rate: 48000}
		cam1.publish(t, s.hub)
		long.publish(t, s.hub)
		s.Follow("cam1", mixer.Instant)
		time.Sleep(7 * time.Second)
		s.Follow("long", mixer.Instant)
		synctest.Wait()
		st := s.State()
		if st.OnAir != "cam1" || st.Pending != "long" || !strings.Contains(st.Reason, "keyframe") {
			t.Fatalf("state = %+v", st)
		}
		time.Sleep(3010 * time.Millisecond)
		synctest.Wait()
		if st := s.State(); st.OnAir != "long" || st.Pending != "" || st.Reason != "" {
			t.Fatalf("state = %+v", st)
		}
		if found := checkSeamless(t, s.written(0)); found.maxGap > 34*time.Millisecond {
			t.Fatalf("a gap of %v", found.maxGap)
		}
	})
}

func TestACutMayWaitForTheNextKeyframe(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		s.start(cam1, cam2)
		time.Sleep(1200 * time.Millisecond)
		s.Follow("cam2", mixer.Keyframe)
		time.Sleep(700 * time.Millisecond)
		synctest.Wait()
		if st := s.State(); st.OnAir != "cam1" || st.Pending != "cam2" {
			t.Fatalf("state = %+v", st)
		}
		time.Sleep(110 * time.Millisecond)
		synctest.Wait()
		if st := s.State(); st.OnAir != "cam2" || st.Pending != "" {
			t.Fatalf("state = %+v", st)
		}
		checkSeamless(t, s.written(0))
	})
}

func TestACutToASourceThatNeverDeliversStaysPendingUntilTheNextCut(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		s.start(cam1, cam2)
		time.Sleep(time.Second)
		s.Follow("absent", mixer.Instant)
		time.Sleep(time.Second)
		synctest.Wait()
		if st := s.State(); st.OnAir != "cam1" || st.Pending != "absent" || st.Reason != "absent is not connected" {
			t.Fatalf("state = %+v", st)
		}
		s.Follow("cam2", mixer.Instant)
		synctest.Wait()
		if st := s.State(); st.OnAir != "cam2" || st.Pending != "" || st.Reason != "" {
			t.Fatalf("state = %+v", st)
		}
	})
}

func TestASourceWithoutAudioGetsSilence(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		s.start(cam3)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		units := s.written(0)
		found := checkSeamless(t, units)
		if found.audioFrames < 3*46 {
			t.Fatalf("%d frames of silence in 3 s", found.audioFrames)
		}
		if a := units[len(units)-1].Tracks; a.Audio() != 1 || (*a)[1].Codec != media.AAC || (*a)[1].SampleRate != 48000 {
			t.Fatalf("tracks = %+v", a)
		}
	})
}

func TestAudioThatArrivesLateIsNotReplacedBySilence(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		slow := cam1
		slow.audioDelay = 450 * time.Millisecond
		slow.publish(t, s.hub)
		s.Follow("cam1", mixer.Instant)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		units := s.written(0)
		checkSeamless(t, units)
		var silent, heard int
		for _, u := range units {
			if !u.Video() && string(u.Data) != "cam1 audio" {
				silent++
			} else if !u.Video() {
				heard++
			}
		}
		if silent > 30 || heard < 150 {
			t.Fatalf("%d frames of silence, %d of audio", silent, heard)
		}
	})
}

func TestASourceThatDisconnectsIsFrozenAndFailsBackAutomatically(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		off := s.start(cam1)
		time.Sleep(2 * time.Second)
		off()
		synctest.Wait()
		if st := s.State(); st.Level != program.LevelFreeze || st.OnAir != "" || st.Reason != "cam1 has disconnected" {
			t.Fatalf("state = %+v", st)
		}
		from := len(s.written(0))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if frozen := checkSeamless(t, s.written(from)); frozen.frames < 9 || frozen.audioFrames < 460 {
			t.Fatalf("freeze: %+v", frozen)
		}
		cam1.publish(t, s.hub)
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		if st := s.State(); st.OnAir != "cam1" || st.Level != program.LevelMixer || st.Reason != "" {
			t.Fatalf("state = %+v", st)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if found := checkSeamless(t, s.written(0)); found.maxGap > time.Second+34*time.Millisecond {
			t.Fatalf("a gap of %v", found.maxGap)
		}
	})
}

func TestACameraWhoseClockDriftsLeavesNoGapBehind(t *testing.T) {
	for _, speed := range []float64{1.01, 0.99} {
		inStudio(t, func(t *testing.T, s *studio) {
			wrong := cam1
			wrong.speed = speed
			wrong.publish(t, s.hub)
			cam2.publish(t, s.hub)
			for range 3 {
				s.Follow("cam1", mixer.Instant)
				time.Sleep(100 * time.Second)
				from, cut := len(s.written(0)), time.Now()
				s.Follow("cam2", mixer.Instant)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if worst := skew(s.written(from), cut.Add(400*time.Millisecond)); worst > 40*time.Millisecond {
					t.Errorf("at speed %v: %v apart", speed, worst)
				}
			}
			if found := checkSeamless(t, s.written(0)); found.maxGap > 45*time.Millisecond {
				t.Errorf("at speed %v: a gap of %v", speed, found.maxGap)
			}
		})
	}
}
