package program_test

import (
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/mixer"
)

func TestAMinuteOfFreezeFrameHasAllFramesThoughTimesWereInMilliseconds(t *testing.T) {
	clip := encodeClip(t, "red", "s=320x180:r=30", "cabac=1:bframes=0:keyint=60")
	for i := range clip.units { // as RTMP sends them
		clip.units[i].DTS = clip.units[i].DTS.Round(time.Millisecond)
		clip.units[i].PTS = clip.units[i].DTS
	}
	inStudio(t, func(t *testing.T, s *studio) {
		stop := make(chan struct{})
		go clip.play(s.hub, "red", stop)
		s.Follow("red", mixer.Instant)
		time.Sleep(3333 * time.Millisecond)
		close(stop)
		time.Sleep(90 * time.Second)
		synctest.Wait()
		units := s.written(0)
		checkSeamless(t, units)
		var last media.AccessUnit
		for _, u := range units {
			if u.Video() {
				last = u.AccessUnit
			}
		}
		n := 0
		for _, u := range units {
			if u.Video() && u.DTS >= last.DTS-time.Minute && u.DTS < last.DTS {
				n++
			}
		}
		if n < 1799 || n > 1801 {
			t.Errorf("%d frames in a minute", n)
		}
	})
}

func TestAViewerWhoJoinsALongFreezeSeesIt(t *testing.T) {
	clip := encodeClip(t, "red", "s=320x180:r=30", "cabac=1:bframes=2:keyint=60")
	inStudio(t, func(t *testing.T, s *studio) {
		stop := make(chan struct{})
		go clip.play(s.hub, "red", stop)
		s.Follow("red", mixer.Instant)
		time.Sleep(3333 * time.Millisecond)
		close(stop)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		sub, err := s.hub.Subscribe(hub.Program)
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		au, err := sub.TryNext()
		if err != nil || !au.Video() || !au.Key {
			t.Fatalf("the first unit is %+v, %v", au, err)
		}
		units := s.written(0)
		checkSeamless(t, units)
		last := units[0].DTS
		for _, u := range units {
			if u.Video() && u.Key {
				if apart := u.DTS - last; apart > 4*time.Second && u.DTS > 10*time.Second { // the first comes later
					t.Errorf("a keyframe at %v, %v after the last", u.DTS, apart)
				}
				last = u.DTS
			}
		}
	})
}

func TestAKeyframeThatIsNoIDRPictureIsNotRepeated(t *testing.T) {
	clip := encodeClip(t, "red", "s=320x180:r=30", "open-gop=1:bframes=2:b-adapt=0:keyint=60")
	inStudio(t, func(t *testing.T, s *studio) {
		stop := make(chan struct{})
		go clip.play(s.hub, "red", stop)
		s.Follow("red", mixer.Instant)
		time.Sleep(3333 * time.Millisecond) // its second keyframe is no IDR picture
		close(stop)
		synctest.Wait()
		from := len(s.written(0))
		time.Sleep(9 * time.Second)
		synctest.Wait()
		for _, u := range s.written(from) {
			if u.Video() && u.Key {
				t.Fatalf("the keyframe is repeated at %v", u.DTS)
			}
		}
		checkSeamless(t, s.written(0))
	})
}
