package program_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"obvan/mixer"
	"obvan/mixer/program"
)

// expect waits until nothing runs in the bubble and compares the state.
func (s *studio) expect(onAir, level, reason string) {
	s.t.Helper()
	synctest.Wait()
	if st := s.State(); st.OnAir != onAir || st.Level != level || st.Reason != reason {
		s.t.Fatalf("want %q by %q because %q; state = %+v", onAir, level, reason, st)
	}
}

func TestTheProgramFailsOverToTheFirstHealthyBackupAndFailsBack(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		s.SetBackups([]string{"absent", "cam2", "cam3"})
		off := cam1.publish(t, s.hub)
		cam2.publish(t, s.hub)
		cam3.publish(t, s.hub)
		s.Follow("cam1", mixer.Instant)
		time.Sleep(3 * time.Second)
		s.expect("cam1", program.LevelMixer, "")
		off()
		s.expect("cam2", program.LevelBackup, "cam1 has disconnected")
		time.Sleep(2 * time.Second)
		cam1.publish(t, s.hub)
		time.Sleep(900 * time.Millisecond)
		s.expect("cam2", program.LevelBackup, "cam1 must be healthy for a moment before the program fails back")
		time.Sleep(300 * time.Millisecond)
		s.expect("cam1", program.LevelMixer, "")
		if found := checkSeamless(t, s.written(0)); found.maxGap > 70*time.Millisecond {
			t.Fatalf("a gap of %v", found.maxGap)
		}
	})
}

func TestASourceThatStopsSendingFailsOverWithinItsTimeout(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		pub := s.publish("cam1")
		s.Follow("cam1", mixer.Instant)
		s.send(pub, 30)
		s.expect("cam1", program.LevelMixer, "")
		time.Sleep(450 * time.Millisecond)
		s.expect("cam1", program.LevelMixer, "")
		time.Sleep(100 * time.Millisecond)
		s.expect("", program.LevelFreeze, "cam1 is sending no video")
		time.Sleep(3 * time.Second)
		s.send(pub, 3) // its keyframe is 4 s old by now, but it sends again
		s.expect("cam1", program.LevelMixer, "")
		checkSeamless(t, s.written(0))
	})
}

func TestABackupThatIsReadyIsPreferredToOneThatWaitsForItsKeyframe(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		long := camera{name: "long", fps: 30, gop: 300}
		s.SetBackups([]string{"long", "cam2"})
		off := cam1.publish(t, s.hub)
		long.publish(t, s.hub)
		cam2.publish(t, s.hub)
		s.Follow("cam1", mixer.Instant)
		time.Sleep(6 * time.Second)
		off()
		time.Sleep(150 * time.Millisecond)
		s.expect("cam2", program.LevelBackup, "cam1 has disconnected")
		time.Sleep(4 * time.Second) // the better backup's keyframe
		s.expect("long", program.LevelBackup, "cam1 has disconnected")
		checkSeamless(t, s.written(0))
	})
}

func TestACutStillHappensWhenTheOldSourceFails(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		off := s.start(cam1)
		time.Sleep(time.Second)
		s.Follow("cam2", mixer.Instant)
		time.Sleep(time.Second)
		off()
		s.expect("", program.LevelFreeze, "cam2 is not connected")
		cam2.publish(t, s.hub)
		time.Sleep(10 * time.Millisecond)
		s.expect("cam2", program.LevelMixer, "")
	})
}

func TestTheProgramStaysOnItsLevelWhileFailoverIsOff(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		s.SetBackups([]string{"cam2"})
		off := cam1.publish(t, s.hub)
		cam2.publish(t, s.hub)
		s.Follow("cam1", mixer.Instant)
		time.Sleep(time.Second)
		off()
		s.expect("cam2", program.LevelBackup, "cam1 has disconnected")
		s.SetFailover(false)
		off = cam1.publish(t, s.hub)
		time.Sleep(5 * time.Second)
		s.expect("cam2", program.LevelBackup, "automatic failover is off")
		if !s.State().FailoverOff {
			t.Fatal("the state does not say so")
		}
		s.SetFailover(true)
		s.expect("cam1", program.LevelMixer, "")
		s.SetFailover(false)
		off()
		time.Sleep(5 * time.Second)
		s.expect("", program.LevelFreeze, "cam1 has disconnected")
		s.SetFailover(true)
		s.expect("cam2", program.LevelBackup, "cam1 has disconnected")
		checkSeamless(t, s.written(0))
	})
}

func TestTheOperatorLocksALevel(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		s.SetBackups([]string{"cam2"})
		s.start(cam1, cam2)
		time.Sleep(time.Second)
		if err := s.Lock("cam3"); !errors.Is(err, program.ErrNoLevel) {
			t.Fatalf("err = %v", err)
		}
		for _, step := range []struct{ lock, onAir, level, reason string }{
			{"cam2", "cam2", program.LevelBackup, "the operator locked the program to cam2"},
			{program.LevelFreeze, "", program.LevelFreeze, "the operator locked the program to freeze"},
			{program.LevelMixer, "cam1", program.LevelMixer, ""},
			{program.LevelFreeze, "", program.LevelFreeze, "the operator locked the program to freeze"},
			{"", "cam1", program.LevelMixer, ""},
		} {
			if err := s.Lock(step.lock); err != nil {
				t.Fatal(err)
			}
			s.expect(step.onAir, step.level, step.reason)
			if st := s.State(); st.Locked != step.lock {
				t.Fatalf("state = %+v", st)
			}
			time.Sleep(time.Second)
		}
		checkSeamless(t, s.written(0))
	})
}

func TestFollowingTheSourceOnAirChangesNothing(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		s.start(cam1)
		time.Sleep(time.Second)
		s.Follow("cam1", mixer.Keyframe)
		time.Sleep(time.Second)
		s.expect("cam1", program.LevelMixer, "")
		if st := s.State(); st.Splices != 1 || st.Pending != "" {
			t.Fatalf("state = %+v", st)
		}
	})
}

func TestACutThatIsRevokedBeforeItsKeyframeNeverHappens(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		s.start(cam1, cam2)
		time.Sleep(1100 * time.Millisecond)
		s.Follow("cam2", mixer.Keyframe)
		synctest.Wait()
		s.Follow("cam1", mixer.Instant)
		time.Sleep(5 * time.Second)
		s.expect("cam1", program.LevelMixer, "")
		if st := s.State(); st.Splices != 1 || st.Pending != "" {
			t.Fatalf("state = %+v", st)
		}
	})
}

func TestASourceWithALowFrameRateDoesNotFailOver(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		slides := camera{name: "slides", fps: 2, gop: 2}
		off := slides.publish(t, s.hub)
		s.Follow("slides", mixer.Instant)
		time.Sleep(30 * time.Second)
		s.expect("slides", program.LevelMixer, "")
		if st := s.State(); st.Splices != 1 {
			t.Fatalf("state = %+v", st)
		}
		off()
		s.expect("", program.LevelFreeze, "slides has disconnected")
	})
}

func TestTheProgramFailsBackToTheOldSourceWhileTheNextOneIsPending(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		off := s.start(cam1)
		time.Sleep(time.Second)
		s.Follow("absent", mixer.Instant)
		s.expect("cam1", program.LevelMixer, "absent is not connected")
		off()
		s.expect("", program.LevelFreeze, "absent is not connected")
		cam1.publish(t, s.hub)
		time.Sleep(50 * time.Millisecond)
		s.expect("cam1", program.LevelMixer, "absent is not connected")
		if st := s.State(); st.Pending != "absent" {
			t.Fatalf("state = %+v", st)
		}
	})
}

func TestSwitchingFailoverOffTwiceKeepsTheSameLevel(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		off := s.start(cam1)
		time.Sleep(time.Second)
		s.SetFailover(false)
		synctest.Wait()
		off()
		s.expect("", program.LevelFreeze, "cam1 has disconnected")
		s.SetFailover(false) // a second client, or the same again
		cam1.publish(t, s.hub)
		time.Sleep(50 * time.Millisecond)
		s.expect("cam1", program.LevelMixer, "")
	})
}
