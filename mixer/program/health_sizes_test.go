package program_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/mixer"
	"obvan/mixer/program"
)

// sizes is the bytes of the units of a 720p feed at 30 frames a second.
type sizes struct {
	key, delta, audio int
	fill              int // of a frame, filler data
	noKeys            bool
}

// good is a camera's, at some 2 Mbit/s.
var good = sizes{key: 60_000, delta: 8_000, audio: 300}

// feed is one that is written by hand.
type feed struct {
	pub          *hub.Publisher
	frames       int
	audioFrames  int
	keyframeNext bool // the next frame is a keyframe
}

func newFeed(t *testing.T, h *hub.Hub, name string) *feed {
	t.Helper()
	pub, err := h.Publish(name, hub.Origin{Proto: "test"})
	if err != nil {
		t.Fatal(err)
	}
	tracks := cam1.tracks()
	tracks[0].Width, tracks[0].Height = 1280, 720
	pub.SetTracks(tracks)
	t.Cleanup(pub.Close)
	return &feed{pub: pub}
}

// feed is one that the program follows.
func (s *studio) feed() *feed {
	s.t.Helper()
	f := newFeed(s.t, s.hub, "cam1")
	s.Follow("cam1", mixer.Instant)
	return f
}

// feeds is one that the program follows, cam1, and its backup, cam2.
func (s *studio) feeds() (a, b *feed) {
	s.t.Helper()
	s.SetBackups([]string{"cam2"})
	return s.feed(), newFeed(s.t, s.hub, "cam2")
}

// sendAll sends feeds in real time, for that long.
func sendAll(d time.Duration, feeds map[*feed]sizes) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		for f, s := range feeds {
			f.send(s)
		}
		time.Sleep(time.Second / 30)
	}
}

func (f *feed) send(s sizes) {
	at := time.Duration(f.frames) * time.Second / 30
	au := media.AccessUnit{PTS: at, DTS: at, Key: f.keyframeNext || f.frames%60 == 0 && (!s.noKeys || f.frames == 0), Data: nal(1, s.delta)}
	if au.Key {
		f.keyframeNext = false
		au.Data = nal(5, s.key)
	}
	if s.fill > 0 {
		au.Data = append(au.Data, nal(12, s.fill)...)
	}
	f.pub.Write(au)
	f.frames++
	for s.audio > 0 && time.Duration(f.audioFrames)*1024*time.Second/48000 <= at {
		heard := time.Duration(f.audioFrames) * 1024 * time.Second / 48000
		f.pub.Write(media.AccessUnit{Track: 1, Key: true, PTS: heard, DTS: heard, Data: make([]byte, s.audio)})
		f.audioFrames++
	}
}

func nal(kind byte, size int) []byte {
	b := make([]byte, 4+max(size, 1))
	binary.BigEndian.PutUint32(b, uint32(max(size, 1)))
	b[4] = kind
	return b
}

func TestAFaultIsReportedAndCleared(t *testing.T) {
	for name, c := range map[string]struct {
		bad  sizes
		says []string
	}{
		"well":                {good, nil},
		"frozen":              {sizes{key: 60_000, delta: 40, audio: 300}, []string{"the video seems to be frozen"}},
		"frozen, with filler": {sizes{key: 60_000, delta: 40, fill: 8000, audio: 300}, []string{"the video seems to be frozen"}},
		"black":               {sizes{key: 900, delta: 30, audio: 300}, []string{"the video seems to be black, or one flat color"}},
		"silent":              {sizes{key: 60_000, delta: 8_000, audio: 8}, []string{"the audio seems to be silent"}},
		"audio that stops":    {sizes{key: 60_000, delta: 8_000}, []string{"the audio seems to be silent"}},
		"starved":             {sizes{key: 6_000, delta: 700, audio: 300}, []string{"the bitrate has collapsed"}},
		"without keyframes":   {sizes{key: 60_000, delta: 8_000, audio: 300, noKeys: true}, []string{"keyframes have stopped arriving"}},
	} {
		t.Run(name, func(t *testing.T) {
			inStudio(t, func(t *testing.T, s *studio) {
				f := s.feed()
				sendAll(40*time.Second, map[*feed]sizes{f: good})
				synctest.Wait()
				if st := s.State(); len(st.Warnings) > 0 {
					t.Fatalf("a good camera: %v", st.Warnings)
				}
				sendAll(3*time.Second, map[*feed]sizes{f: c.bad})
				synctest.Wait()
				if st := s.State(); len(st.Warnings) > 0 {
					t.Fatalf("after a moment: %v", st.Warnings)
				}
				sendAll(12*time.Second, map[*feed]sizes{f: c.bad})
				synctest.Wait()
				if st := s.State(); !slices.Equal(st.Warnings, c.says) || st.OnAir != "cam1" {
					t.Fatalf("%v, on air %q", st.Warnings, st.OnAir)
				}
				sendAll(5*time.Second, map[*feed]sizes{f: good})
				synctest.Wait()
				if st := s.State(); len(st.Warnings) > 0 {
					t.Fatalf("healthy again: %v", st.Warnings)
				}
			})
		})
	}
}

func TestAFrozenCameraFailsOverOnlyWhenFreezeIsATrigger(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		a, b := newFeed(t, s.hub, "cam1"), newFeed(t, s.hub, "cam2")
		frozen := sizes{key: 60_000, delta: 40, audio: 300}
		s.Follow("cam1", mixer.Instant)
		s.SetBackups([]string{"cam2"})
		both := func(d time.Duration, one, two sizes) { sendAll(d, map[*feed]sizes{a: one, b: two}) }
		sendAll(time.Second, map[*feed]sizes{a: good}) // the program begins with it, not with whoever is first
		both(5*time.Second, good, good)
		both(15*time.Second, frozen, good)
		s.expect("cam1", program.LevelMixer, "")
		if err := s.SetTriggers([]program.Fault{program.Frozen}); err != nil {
			t.Fatal(err)
		}
		both(3*time.Second, frozen, good)
		s.expect("cam2", program.LevelBackup, "cam1: the video seems to be frozen")
		both(20*time.Second, frozen, good)
		s.expect("cam2", program.LevelBackup, "cam1: the video seems to be frozen")
		both(6*time.Second, good, good)
		s.expect("cam1", program.LevelMixer, "")
		both(20*time.Second, frozen, frozen) // nothing is better: no failover, and no going back and forth
		s.expect("cam1", program.LevelMixer, "")
		if n := s.State().Splices; n != 3 {
			t.Errorf("%d splices", n)
		}
		checkSeamless(t, s.written(0))
	})
}

func TestTheSignalLossTimeoutCanBeSet(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		f := s.feed()
		if err := s.SetTimeout("", 2*time.Second); err != nil {
			t.Fatal(err)
		}
		sendAll(3*time.Second, map[*feed]sizes{f: good})
		time.Sleep(1900 * time.Millisecond)
		s.expect("cam1", program.LevelMixer, "")
		time.Sleep(200 * time.Millisecond)
		s.expect("", program.LevelFreeze, "cam1 is sending no video")
		if st := s.State(); st.TimeoutMs != 2000 {
			t.Errorf("%+v", st)
		}
		for _, d := range []time.Duration{0, -time.Second, 200 * time.Millisecond, 11 * time.Second} {
			if err := s.SetTimeout("", d); !errors.Is(err, program.ErrTimeout) {
				t.Errorf("%v: %v", d, err)
			}
		}
		if err := s.SetTriggers([]program.Fault{"boredom"}); !errors.Is(err, program.ErrNoFault) {
			t.Error(err)
		}
	})
}
