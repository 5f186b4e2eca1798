package relay_test

import (
	"testing"
	"time"

	"obvan/media"
	"obvan/relay"
)

func TestABacklogDropsDisposableFramesFirstThenUpToAKeyframe(t *testing.T) {
	tracks := &media.Tracks{{Codec: media.H264}, {Codec: media.AAC}}
	at := time.Unix(1000, 0)
	s := relay.FrameDropper{Limit: 4 * time.Second}
	s.Start(time.Hour, at)
	frame := func(dts, age time.Duration, key, disposable bool) bool {
		au := media.AccessUnit{Tracks: tracks, DTS: time.Hour + dts, Key: key, Disposable: disposable}
		return s.ShouldSend(&au, age)
	}
	for _, c := range []struct {
		what            string
		age             time.Duration
		key, disposable bool
		keep            bool
	}{
		{"on time", 0, false, true, true},
		{"a little late", 2 * time.Second, false, true, true},
		{"late and disposable", 3 * time.Second, false, true, false},
		{"late and referred to", 3 * time.Second, false, false, true},
		{"too late", 5 * time.Second, false, false, false},
		{"refers to a dropped frame", 3 * time.Second, false, false, false},
		{"a keyframe that is late itself", 3 * time.Second, true, false, false},
		{"refers to that", 1 * time.Second, false, false, false},
		{"a keyframe in time", 1 * time.Second, true, false, true},
		{"after it", 1 * time.Second, false, false, true},
		{"a late keyframe when nothing was dropped", 3 * time.Second, true, false, true},
		{"a keyframe that is too late", 5 * time.Second, true, false, false},
	} {
		if got := frame(0, c.age, c.key, c.disposable); got != c.keep {
			t.Errorf("%s: sent %v", c.what, got)
		}
	}
	audio := media.AccessUnit{Tracks: tracks, Track: 1, Key: true}
	if !s.ShouldSend(&audio, 6*time.Second) || s.ShouldSend(&audio, 8*time.Second) {
		t.Error("audio is dropped too early or never")
	}
}

func TestDataAheadOfAUnitCountsAsBacklog(t *testing.T) {
	tracks := &media.Tracks{{Codec: media.H264}}
	at := time.Unix(1000, 0)
	kept := 500 * time.Millisecond
	s := relay.FrameDropper{Limit: 4 * time.Second, Ahead: func(oldest time.Duration) time.Duration { return oldest + kept }}
	s.Start(time.Hour, at)
	au := media.AccessUnit{Tracks: tracks, DTS: time.Hour}
	age := s.Age(au.DTS, at.Add(2*time.Second))
	if !s.ShouldSend(&au, age) || !s.ShouldSend(&au, age+time.Second) {
		t.Error("dropped although in time")
	}
	if kept = 1500 * time.Millisecond; !s.ShouldSend(&au, age) || s.ShouldSend(&au, age+time.Second) {
		t.Error("sent although viewers would see it 4.5 s late")
	}
}

func TestABacklogIsMeasuredFromTheLastTimeNothingWasWaiting(t *testing.T) {
	at := time.Unix(1000, 0)
	s := relay.FrameDropper{Limit: 4 * time.Second}
	s.Start(time.Hour, at)
	if age := s.Age(time.Hour+2*time.Second, at); age != 0 {
		t.Errorf("the burst at the beginning is %v late", age)
	}
	s.CaughtUp(at.Add(time.Second))
	if age := s.Age(time.Hour+3*time.Second, at.Add(2*time.Second)); age != 0 {
		t.Errorf("a unit on time is %v late", age)
	}
	if age := s.Age(time.Hour+4*time.Second, at.Add(6*time.Second)); age != 3*time.Second {
		t.Errorf("a unit that waited 3 s is %v late", age)
	}
}
