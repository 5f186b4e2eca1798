package program_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"obvan/mixer"
	"obvan/mixer/program"
)

// wasteful is a camera whose sizes say nothing: a constant bitrate, whatever it shows.
var constantBitrate = sizes{key: 60_000, delta: 8_000, audio: 300}

// decoding has a decoder look once a second at what the program wants it to look at.
func (s *studio) decoding(see func(stream string) program.Sample) {
	done := make(chan struct{})
	s.t.Cleanup(func() { close(done) })
	go func() {
		for {
			if stream, _ := s.Watched(); stream != "" {
				s.ReportSample(see(stream))
			}
			select {
			case <-time.After(time.Second):
			case <-done:
				return
			}
		}
	}()
}

func TestWhatADecoderSeesIsSaidAndTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		bad  program.Sample
		says string
	}{
		"still": {program.Sample{Frozen: true}, "the picture seems to be frozen"},
		"black": {program.Sample{Black: true, Frozen: true}, "the picture seems to be black, or of one colour"},
	} {
		t.Run(name, func(t *testing.T) {
			inStudio(t, func(t *testing.T, s *studio) {
				f := s.feed()
				var bad atomic.Bool
				s.decoding(func(stream string) (see program.Sample) {
					if bad.Load() {
						see = c.bad
					}
					see.Stream = stream
					return see
				})
				warns := func(after time.Duration, words ...string) {
					t.Helper()
					sendAll(after, map[*feed]sizes{f: constantBitrate})
					synctest.Wait()
					if st := s.State(); !slices.Equal(st.Warnings, words) || st.OnAir != "cam1" {
						t.Fatalf("%q, on air %q", st.Warnings, st.OnAir)
					}
				}
				warns(10 * time.Second)
				bad.Store(true)
				warns(3 * time.Second) // a still moment is none
				warns(6*time.Second, c.says)
				bad.Store(false)
				warns(3 * time.Second)
			})
		})
	}
}

func TestASizeThatLooksBlackIsNotWhereADecoderSeesMore(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		f := s.feed()
		s.decoding(func(stream string) program.Sample { return program.Sample{Stream: stream, Frozen: true} })
		sendAll(20*time.Second, map[*feed]sizes{f: {key: 900, delta: 30, audio: 300}}) // a title on black
		synctest.Wait()
		if st := s.State(); !slices.Equal(st.Warnings, []string{"the picture seems to be frozen"}) {
			t.Errorf("%q", st.Warnings)
		}
	})
}

func TestAnOldSightSaysNothing(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		f := s.feed()
		sendAll(3*time.Second, map[*feed]sizes{f: constantBitrate})
		s.ReportSample(program.Sample{Stream: "cam1", Black: true})
		s.ReportSample(program.Sample{Stream: "cam1", Black: true}) // and then the decoder dies
		sendAll(20*time.Second, map[*feed]sizes{f: constantBitrate})
		synctest.Wait()
		if st := s.State(); len(st.Warnings) > 0 {
			t.Errorf("%q", st.Warnings)
		}
	})
}

func TestACameraThatFellForItsFrameStaysOffUntilADecoderSeesItWell(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		a, b := s.feeds()
		if err := s.SetTriggers([]program.Fault{program.Black}); err != nil {
			t.Fatal(err)
		}
		var black atomic.Bool
		s.decoding(func(stream string) program.Sample {
			return program.Sample{Stream: stream, Black: stream == "cam1" && black.Load()}
		})
		both := func(d time.Duration) { sendAll(d, map[*feed]sizes{a: constantBitrate, b: constantBitrate}) }
		both(5 * time.Second)
		black.Store(true)
		both(8 * time.Second)
		s.expect("cam2", program.LevelBackup, "cam1: the picture seems to be black, or of one colour")
		if stream, _ := s.Watched(); stream != "cam1" {
			t.Errorf("a decoder looks at %q", stream)
		}
		both(time.Minute)
		s.expect("cam2", program.LevelBackup, "cam1: the picture seems to be black, or of one colour")
		black.Store(false)
		both(5 * time.Second)
		s.expect("cam1", program.LevelMixer, "")
		if n := s.State().Splices; n != 3 {
			t.Errorf("%d splices", n)
		}
		checkSeamless(t, s.written(0))
	})
}

func TestADecoderLooksAtWhatIsOnAir(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		looks := func(want string) {
			t.Helper()
			synctest.Wait()
			if stream, _ := s.Watched(); stream != want {
				t.Fatalf("a decoder looks at %q, not %q", stream, want)
			}
		}
		looks("")
		off := cam1.publish(t, s.hub)
		cam2.publish(t, s.hub)
		s.Follow("cam1", mixer.Instant)
		time.Sleep(time.Second)
		looks("cam1")
		_, changed := s.Watched()
		s.Follow("cam2", mixer.Instant)
		looks("cam2")
		select {
		case <-changed:
		default:
			t.Error("it is not told")
		}
		s.Follow("cam1", mixer.Instant)
		time.Sleep(time.Second)
		off()
		looks("")
	})
}
