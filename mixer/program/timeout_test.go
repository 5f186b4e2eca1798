package program_test

import (
	"errors"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"obvan/mixer/program"
)

func TestALevelMayHaveATimeoutOfItsOwn(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		a, b := s.feeds()
		for level, d := range map[string]time.Duration{program.LevelMixer: 2 * time.Second, "cam2": time.Second} {
			if err := s.SetTimeout(level, d); err != nil {
				t.Fatal(err)
			}
		}
		sendAll(3*time.Second, map[*feed]sizes{a: good, b: good})
		if st := s.State(); st.TimeoutMs != 500 || !maps.Equal(st.Timeouts, map[string]int{"mixer": 2000, "cam2": 1000}) {
			t.Errorf("%+v", st)
		}
		sendAll(1900*time.Millisecond, map[*feed]sizes{b: good})
		s.expect("cam1", program.LevelMixer, "")
		sendAll(200*time.Millisecond, map[*feed]sizes{b: good})
		s.expect("cam2", program.LevelBackup, "cam1 is sending no video")
		time.Sleep(900 * time.Millisecond)
		s.expect("cam2", program.LevelBackup, "cam1 is sending no video")
		time.Sleep(200 * time.Millisecond)
		s.expect("", program.LevelFreeze, "cam1 is sending no video")
		checkSeamless(t, s.written(0))
	})
}

func TestTimeoutsOfLevelsAreRemoved(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		s.SetBackups([]string{"cam2", "cam3"})
		for _, level := range []string{program.LevelMixer, "cam2", "cam3"} {
			if err := s.SetTimeout(level, time.Second); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.SetTimeout("cam2", 0); err != nil {
			t.Fatal(err)
		}
		s.SetBackups([]string{"cam2"}) // cam3 is no level any more
		synctest.Wait()
		if st := s.State(); !maps.Equal(st.Timeouts, map[string]int{"mixer": 1000}) {
			t.Errorf("%v", st.Timeouts)
		}
		for level, want := range map[string]error{"cam9": program.ErrNoLevel, program.LevelFreeze: program.ErrNoLevel, "": program.ErrTimeout} {
			if err := s.SetTimeout(level, time.Second); want == program.ErrNoLevel && !errors.Is(err, want) {
				t.Errorf("%q: %v", level, err)
			}
			if err := s.SetTimeout(level, 0); !errors.Is(err, want) {
				t.Errorf("%q removed: %v", level, err)
			}
		}
		for _, d := range []time.Duration{-1, program.MinTimeout - 1, program.MaxTimeout + 1} {
			if err := s.SetTimeout(program.LevelMixer, d); !errors.Is(err, program.ErrTimeout) {
				t.Errorf("%v: %v", d, err)
			}
		}
	})
}
