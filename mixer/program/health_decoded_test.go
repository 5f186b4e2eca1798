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

// constantBitrate is a camera whose frame sizes say nothing about what it shows.
var constantBitrate = sizes{key: 60_000, delta: 8_000, audio: 300}

// decoding has a decoder sample the stream that the program watches once a second.
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

func TestAFaultThatADecoderFindsIsReportedAndCleared(t *testing.T) {
	for name, c := range map[string]struct {
		bad  program.Sample
		says string
	}{
		"still": {program.Sample{Frozen: true}, "the video seems to be frozen"},
		"black": {program.Sample{Black: true, Frozen: true}, "the video seems to be black, or one flat color"},
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
				warns(3 * time.Second) // a still moment is no fault
				warns(6*time.Second, c.says)
				bad.Store(false)
				warns(3 * time.Second)
			})
		})
	}
}

func TestADecoderOverridesASizeThatLooksBlack(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		f := s.feed()
		s.decoding(func(stream string) program.Sample { return program.Sample{Stream: stream, Frozen: true} })
		sendAll(20*time.Second, map[*feed]sizes{f: {key: 900, delta: 30, audio: 300}}) // a title on black
		synctest.Wait()
		if st := s.State(); !slices.Equal(st.Warnings, []string{"the video seems to be frozen"}) {
			t.Errorf("%q", st.Warnings)
		}
	})
}

func TestAnOldSampleIsIgnored(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		f := s.feed()
		sendAll(3*time.Second, map[*feed]sizes{f: constantBitrate})
		s.ReportSample(program.Sample{Stream: "cam1", Black: true})
		s.ReportSample(program.Sample{Stream: "cam1", Black: true}) // and then the decoder stops
		sendAll(20*time.Second, map[*feed]sizes{f: constantBitrate})
		synctest.Wait()
		if st := s.State(); len(st.Warnings) > 0 {
			t.Errorf("%q", st.Warnings)
		}
	})
}

func TestACameraWithAVideoFaultStaysOffAirUntilADecoderFindsItHealthy(t *testing.T) {
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
		s.expect("cam2", program.LevelBackup, "cam1: the video seems to be black, or one flat color")
		if stream, _ := s.Watched(); stream != "cam1" {
			t.Errorf("a decoder samples %q", stream)
		}
		both(time.Minute)
		s.expect("cam2", program.LevelBackup, "cam1: the video seems to be black, or one flat color")
		black.Store(false)
		both(5 * time.Second)
		s.expect("cam1", program.LevelMixer, "")
		if n := s.State().Splices; n != 3 {
			t.Errorf("%d splices", n)
		}
		checkSeamless(t, s.written(0))
	})
}

func TestADecoderSamplesTheStreamOnAir(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		looks := func(want string) {
			t.Helper()
			synctest.Wait()
			if stream, _ := s.Watched(); stream != want {
				t.Fatalf("a decoder samples %q, not %q", stream, want)
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
			t.Error("it is not notified")
		}
		s.Follow("cam1", mixer.Instant)
		time.Sleep(time.Second)
		off()
		looks("")
	})
}
