package program_test

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"obvan/media"
	"obvan/mixer"
	"obvan/mixer/program"
)

// h265Track has one parameter set of each kind (ISO/IEC 14496-15, 8.3.3.1).
func h265Track() media.Track {
	config := make([]byte, 23)
	config[0], config[22] = 1, 3
	for _, kind := range []byte{32, 33, 34} {
		config = append(config, kind, 0, 1, 0, 4, kind<<1, 1, kind, kind)
	}
	return media.Track{Codec: media.H265, Config: config, Width: 1280, Height: 720, FrameRate: 30}
}

// changeFormat changes a feed's tracks, from its next keyframe on.
func (f *feed) changeFormat(frame media.Track, audio ...media.Track) {
	f.pub.SetTracks(append(media.Tracks{frame}, audio...))
	f.keyframeNext = true
}

func (f *feed) audio() media.Track { return (*f.pub.Tracks())[1] }

// nalTypes is the NAL unit types of a frame.
func nalTypes(t *media.Track, data []byte) (all []byte) {
	for len(data) > 4 {
		kind := data[4] & 0x1f
		if t.Codec == media.H265 {
			kind = data[4] >> 1 & 0x3f
		}
		all = append(all, kind)
		data = data[4+binary.BigEndian.Uint32(data):]
	}
	return all
}

func TestASourceThatChangesItsFormatGoesOnSeamlessly(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		f := s.feed()
		sendAll(3*time.Second, map[*feed]sizes{f: good})
		small := (*f.pub.Tracks())[0]
		small.Config, small.Width, small.Height = []byte{1, 2, 3, 99}, 640, 360
		f.changeFormat(small, f.audio())
		sendAll(3*time.Second, map[*feed]sizes{f: good})
		f.changeFormat(h265Track(), f.audio())
		from := len(s.written(0))
		sendAll(3*time.Second, map[*feed]sizes{f: good})
		synctest.Wait()
		s.expect("cam1", program.LevelMixer, "")
		units := s.written(0)
		if found := checkSeamless(t, units); found.maxGap > 70*time.Millisecond {
			t.Errorf("a gap of %v", found.maxGap)
		}
		for _, u := range units[from:] {
			if u.Video() {
				if k := nalTypes(u.Info(), u.Data); u.Info().Codec != media.H265 || !u.Key || len(k) < 4 || k[0] != 32 || k[1] != 33 || k[2] != 34 {
					t.Errorf("the first frame of H.265: %v, %v", u.Info().Codec, k)
				}
				break
			}
		}
		if st := s.State(); st.Splices != 1 {
			t.Errorf("%d splices", st.Splices)
		}
	})
}

func TestTheProgramCutsBetweenH264AndH265AndFreezesEach(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		a, b := newFeed(t, s.hub, "cam1"), newFeed(t, s.hub, "cam2")
		b.changeFormat(h265Track(), b.audio())
		both := map[*feed]sizes{a: good, b: good}
		for n := range 6 {
			s.Follow([]string{"cam1", "cam2"}[n%2], mixer.Instant)
			sendAll(1300*time.Millisecond, both)
			synctest.Wait()
			want := []media.Codec{media.H264, media.H265}[n%2]
			if st, _ := s.hub.Stream("program"); (*st.Tracks)[0].Codec != want {
				t.Fatalf("the program is %v", (*st.Tracks)[0].Codec)
			}
			from := len(s.written(0))
			time.Sleep(3500 * time.Millisecond) // no one sends anything
			s.expect("", program.LevelFreeze, []string{"cam1", "cam2"}[n%2]+" is sending no video")
			if frozen := checkSeamless(t, s.written(from)); frozen.frames < 3 || frozen.audioFrames < 120 {
				t.Errorf("freeze: %+v", frozen)
			}
		}
		if found := checkSeamless(t, s.written(0)); found.maxGap > 1100*time.Millisecond {
			t.Errorf("a gap of %v", found.maxGap)
		}
	})
}

func TestAnAudioTrackMayAppearDisappearAndChangeItsFormat(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		f := newFeed(t, s.hub, "cam1")
		frame, aac := (*f.pub.Tracks())[0], f.audio()
		mono := aac
		mono.Config, mono.Channels = []byte{0x11, 0x88}, 1
		f.changeFormat(frame)
		s.Follow("cam1", mixer.Instant)
		mute := good
		mute.audio = 0
		sendAll(3*time.Second, map[*feed]sizes{f: mute})
		heard := func(of media.Track) {
			t.Helper()
			from := len(s.written(0))
			f.audioFrames = f.frames * 48000 / 1024 / 30
			sendAll(3*time.Second, map[*feed]sizes{f: good})
			synctest.Wait()
			n := 0
			for _, u := range s.written(from) {
				if !u.Video() && len(u.Data) == good.audio && u.Info().Channels == of.Channels {
					n++
				}
			}
			if n < 130 {
				t.Errorf("%d audio frames in 3 s", n)
			}
		}
		f.pub.SetTracks(media.Tracks{frame, aac}) // in the middle of a GOP
		heard(aac)
		f.pub.SetTracks(media.Tracks{frame, mono})
		heard(mono)
		f.pub.SetTracks(media.Tracks{frame})
		from := len(s.written(0))
		sendAll(3*time.Second, map[*feed]sizes{f: mute})
		synctest.Wait()
		if quiet := checkSeamless(t, s.written(from)); quiet.audioFrames < 120 {
			t.Errorf("%d frames of silence in 3 s", quiet.audioFrames)
		}
		s.expect("cam1", program.LevelMixer, "")
		checkSeamless(t, s.written(0))
	})
}

func TestASourceThatLosesItsVideoTrackFailsOver(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		f := s.feed()
		sendAll(2*time.Second, map[*feed]sizes{f: good})
		aac := f.audio()
		f.pub.SetTracks(media.Tracks{aac})
		for range 100 { // audio alone
			f.pub.Write(media.AccessUnit{Key: true, PTS: time.Since(s.begin), DTS: time.Since(s.begin), Data: make([]byte, 300)})
			time.Sleep(21 * time.Millisecond)
		}
		s.expect("", program.LevelFreeze, "cam1 has no video track")
		checkSeamless(t, s.written(0))
	})
}
