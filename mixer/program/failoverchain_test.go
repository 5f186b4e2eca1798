package program_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"obvan/mixer"
	"obvan/mixer/program"
)

// expect lets the bubble come to rest and compares the state.
func (s *studio) expect(onAir, level, why string) {
	s.t.Helper()
	synctest.Wait()
	if st := s.State(); st.OnAir != onAir || st.Level != level || st.Reason != why {
		s.t.Fatalf("want %q by %q because %q; state = %+v", onAir, level, why, st)
	}
}

func TestADeadSourceTriggersToTheFirstHealthyBackupAndClimbsBack(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		s.SetBackups([]string{"nobody", "cam2", "cam3"})
		off := cam1.publish(t, s.hub)
		cam2.publish(t, s.hub)
		cam3.publish(t, s.hub)
		s.Follow("cam1", mixer.Instant)
		time.Sleep(3 * time.Second)
		s.expect("cam1", program.LevelMixer, "")
		off()
		s.expect("cam2", program.LevelBackup, "cam1 is gone")
		time.Sleep(2 * time.Second)
		cam1.publish(t, s.hub)
		time.Sleep(900 * time.Millisecond)
		s.expect("cam2", program.LevelBackup, "cam1 has to be well for a moment before it comes back")
		time.Sleep(300 * time.Millisecond)
		s.expect("cam1", program.LevelMixer, "")
		if found := checkSeamless(t, s.written(0)); found.maxGap > 70*time.Millisecond {
			t.Fatalf("a gap of %v", found.maxGap)
		}
	})
}

func TestAFrozenSourceTriggersWithinItsTimeout(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		pub := s.publish("cam1")
		s.Follow("cam1", mixer.Instant)
		s.send(pub, 30)
		s.expect("cam1", program.LevelMixer, "")
		time.Sleep(450 * time.Millisecond)
		s.expect("cam1", program.LevelMixer, "")
		time.Sleep(100 * time.Millisecond)
		s.expect("", program.LevelFreeze, "cam1 sends no picture")
		time.Sleep(3 * time.Second)
		s.send(pub, 3) // its key frame is 4 s old by now, but it sends again
		s.expect("cam1", program.LevelMixer, "")
		checkSeamless(t, s.written(0))
	})
}

func TestWhoCanComeAtOnceIsBetterThanWhoHasToWaitForItsKeyFrame(t *testing.T) {
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
		s.expect("cam2", program.LevelBackup, "cam1 is gone")
		time.Sleep(4 * time.Second) // the better backup's key frame
		s.expect("long", program.LevelBackup, "cam1 is gone")
		checkSeamless(t, s.written(0))
	})
}

func TestACutWhileTheOldSourceDiesStillHappens(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		off := s.start(cam1)
		time.Sleep(time.Second)
		s.Follow("cam2", mixer.Instant)
		time.Sleep(time.Second)
		off()
		s.expect("", program.LevelFreeze, "cam2 is not there")
		cam2.publish(t, s.hub)
		time.Sleep(10 * time.Millisecond)
		s.expect("cam2", program.LevelMixer, "")
	})
}

func TestTheOperatorKeepsALevel(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		s.SetBackups([]string{"cam2"})
		off := cam1.publish(t, s.hub)
		cam2.publish(t, s.hub)
		s.Follow("cam1", mixer.Instant)
		time.Sleep(time.Second)
		off()
		s.expect("cam2", program.LevelBackup, "cam1 is gone")
		s.SetFailover(false)
		off = cam1.publish(t, s.hub)
		time.Sleep(5 * time.Second)
		s.expect("cam2", program.LevelBackup, "the operator keeps this rung")
		if !s.State().FailoverOff {
			t.Fatal("the state does not say so")
		}
		s.SetFailover(true)
		s.expect("cam1", program.LevelMixer, "")
		s.SetFailover(false)
		off()
		time.Sleep(5 * time.Second)
		s.expect("", program.LevelFreeze, "cam1 is gone")
		s.SetFailover(true)
		s.expect("cam2", program.LevelBackup, "cam1 is gone")
		checkSeamless(t, s.written(0))
	})
}

func TestTheOperatorForcesALevel(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		s.SetBackups([]string{"cam2"})
		s.start(cam1, cam2)
		time.Sleep(time.Second)
		if err := s.Lock("cam3"); !errors.Is(err, program.ErrNoLevel) {
			t.Fatalf("err = %v", err)
		}
		for _, step := range []struct{ force, onAir, level, why string }{
			{"cam2", "cam2", program.LevelBackup, "the operator forced cam2"},
			{program.LevelFreeze, "", program.LevelFreeze, "the operator forced freeze"},
			{program.LevelMixer, "cam1", program.LevelMixer, ""},
			{program.LevelFreeze, "", program.LevelFreeze, "the operator forced freeze"},
			{"", "cam1", program.LevelMixer, ""},
		} {
			if err := s.Lock(step.force); err != nil {
				t.Fatal(err)
			}
			s.expect(step.onAir, step.level, step.why)
			if st := s.State(); st.Locked != step.force {
				t.Fatalf("state = %+v", st)
			}
			time.Sleep(time.Second)
		}
		checkSeamless(t, s.written(0))
	})
}

func TestFollowingWhatIsOnAirChangesNothing(t *testing.T) {
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

func TestAFollowThatIsTakenBackInTimeNeverHappens(t *testing.T) {
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

func TestASlowSourceIsNoDeadSource(t *testing.T) {
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
		s.expect("", program.LevelFreeze, "slides is gone")
	})
}

func TestWhatWasOnAirComesBackAlsoWhileItsSuccessorIsWaitedFor(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		off := s.start(cam1)
		time.Sleep(time.Second)
		s.Follow("nobody", mixer.Instant)
		s.expect("cam1", program.LevelMixer, "nobody is not there")
		off()
		s.expect("", program.LevelFreeze, "nobody is not there")
		cam1.publish(t, s.hub)
		time.Sleep(50 * time.Millisecond)
		s.expect("cam1", program.LevelMixer, "nobody is not there")
		if st := s.State(); st.Pending != "nobody" {
			t.Fatalf("state = %+v", st)
		}
	})
}

func TestALevelThatIsKeptIsKeptWhenThatIsAskedAgain(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		off := s.start(cam1)
		time.Sleep(time.Second)
		s.SetFailover(false)
		synctest.Wait()
		off()
		s.expect("", program.LevelFreeze, "cam1 is gone")
		s.SetFailover(false) // another deck, or the same once more
		cam1.publish(t, s.hub)
		time.Sleep(50 * time.Millisecond)
		s.expect("cam1", program.LevelMixer, "")
	})
}
