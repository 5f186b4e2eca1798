package observe_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"obvan/control"
	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/hub"
	"obvan/mixer"
)

// watched is a studio whose clock is the test's.
func watched(t *testing.T, do func(t *testing.T, h *studiotest.House)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := studiotest.Build(t, dir, studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
		ended := make(chan error, 1)
		ctx, cancel := context.WithCancel(context.Background())
		go func() { ended <- h.Run(ctx) }()
		synctest.Wait()
		do(t, h)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestAFeedIsWaitingThenLiveThenStalledThenLost(t *testing.T) {
	watched(t, func(t *testing.T, h *studiotest.House) {
		h.Do(t, "feed.add", `{"id":"cam1","name":"Goal"}`)
		if f := h.Feed("cam1"); f.State != control.FeedWaiting || !f.Added || f.Name != "Goal" {
			t.Fatalf("feed = %+v", f)
		}
		c := studiotest.NewCamera(t, h.Hub, "cam1", studiotest.Tracks(), 30)
		c.Roll(5*time.Second, false)
		synctest.Wait()
		f := h.Feed("cam1")
		if f.State != control.FeedLive || f.Proto != "rtmp" || f.FPS != 30 || f.Kbps < 2350 || f.Kbps > 2450 || f.KeyframeIntervalMs != 1000 || len(f.Notes) != 0 || !f.Watch.OK {
			t.Fatalf("feed = %+v", f)
		}
		if f.Video.Codec != "H264" || f.Video.Profile != "High" || f.Audio.Profile != "LC" || f.Video.BFrames {
			t.Fatalf("codecs = %+v %+v", f.Video, f.Audio)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if f := h.Feed("cam1"); f.State != control.FeedStalled || !strings.Contains(f.Problem, "no video for") {
			t.Fatalf("feed = %+v", f)
		}
		c.Roll(2*time.Second, false)
		synctest.Wait()
		if f := h.Feed("cam1"); f.State != control.FeedLive {
			t.Fatalf("feed = %+v", f)
		}
		c.Close()
		synctest.Wait()
		if f := h.Feed("cam1"); f.State != control.FeedLost || f.Video != nil || f.Kbps != 0 {
			t.Fatalf("feed = %+v", f)
		}
		for _, line := range []string{"Goal connected (RTMP).", "Goal: Connected, but no video for 3 s.", "Goal disconnected."} {
			if !h.Logged(line) {
				t.Errorf("no %q in %+v", line, h.Now().Log)
			}
		}
	})
}

func TestAnAdHocFeedIsForgottenAMinuteAfterItDisconnected(t *testing.T) {
	watched(t, func(t *testing.T, h *studiotest.House) {
		c, onAir := studiotest.NewCamera(t, h.Hub, "stray", studiotest.Tracks(), 30), studiotest.NewCamera(t, h.Hub, "onair", studiotest.Tracks(), 30)
		h.MixerChanged(mixer.State{Kind: "cut", Connected: true, OnAir: []string{"onair"}})
		c.Roll(time.Second, false)
		onAir.Roll(time.Second, false)
		synctest.Wait()
		if f := h.Feed("stray"); f.State != control.FeedLive || f.Added || f.Name != "stray" {
			t.Fatalf("feed = %+v", f)
		}
		c.Close()
		onAir.Close()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if f := h.Feed("stray"); f.State != control.FeedLost {
			t.Fatalf("feed = %+v", f)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if f := h.Feed("stray"); f.ID != "" {
			t.Fatalf("feed = %+v", f)
		}
		if f := h.Feed("onair"); f.State != control.FeedLost {
			t.Fatalf("a lost feed that is on air was forgotten: %+v", f)
		}
	})
}

func TestACameraKeepsItsPlaceWhicheverOthersConnect(t *testing.T) {
	watched(t, func(t *testing.T, h *studiotest.House) {
		order := func() (ids []string) {
			synctest.Wait()
			for _, f := range h.Now().Feeds {
				ids = append(ids, f.ID)
			}
			return ids
		}
		for _, id := range []string{"zoo", "bench", "crane"} {
			defer studiotest.NewCamera(t, h.Hub, id, studiotest.Tracks(), 30).Close()
			time.Sleep(time.Second)
		}
		first := studiotest.NewCamera(t, h.Hub, "alps", studiotest.Tracks(), 30)
		want := []string{"zoo", "bench", "crane", "alps"}
		if got := order(); !slices.Equal(got, want) {
			t.Fatalf("feeds = %v, want the newest last: %v", got, want)
		}
		first.Close()
		h.Do(t, "feed.add", `{"id":"crane","name":"Crane"}`)
		if got := order(); !slices.Equal(got, want) {
			t.Errorf("feeds = %v once one was added and one is lost, want %v", got, want)
		}
	})
}

func TestTheProgramAndTheMixerAreNotFeeds(t *testing.T) {
	watched(t, func(t *testing.T, h *studiotest.House) {
		prog, mix := studiotest.NewCamera(t, h.Hub, hub.Program, studiotest.Tracks(), 30), studiotest.NewCamera(t, h.Hub, "mixer", studiotest.Tracks(), 30)
		defer prog.Close()
		defer mix.Close()
		prog.Roll(4*time.Second, false)
		synctest.Wait()
		st := h.Now()
		if len(st.Feeds) != 0 {
			t.Fatalf("feeds = %+v", st.Feeds)
		}
		if p := st.Program; p.Video == nil || p.FPS != 30 || p.Kbps == 0 || !p.Watch.OK {
			t.Fatalf("program = %+v", p)
		}
	})
}

func TestNotesNameTheProblemsOfACodec(t *testing.T) {
	watched(t, func(t *testing.T, h *studiotest.House) {
		long, reordered := studiotest.NewCamera(t, h.Hub, "long", studiotest.Tracks()[:1], 250), studiotest.NewCamera(t, h.Hub, "reordered", studiotest.Tracks(), 30)
		defer long.Close()
		defer reordered.Close()
		for range 18 {
			long.Roll(500*time.Millisecond, false)
			reordered.Roll(500*time.Millisecond, true)
		}
		synctest.Wait()
		want := []string{"no audio", "a keyframe only every 8.3 s: cuts wait; set the keyframe interval to 2 s"}
		if f := h.Feed("long"); !slices.Equal(f.Notes, want) {
			t.Errorf("notes = %q", f.Notes)
		}
		if f := h.Feed("reordered"); !f.Video.BFrames || len(f.Notes) != 1 || !strings.Contains(f.Notes[0], "set B-frames to 0") {
			t.Errorf("notes = %q", f.Notes)
		}
	})
}

func TestAnUnsupportedAudioCodecIsNamed(t *testing.T) {
	watched(t, func(t *testing.T, h *studiotest.House) {
		p, err := h.Hub.Publish("gate", hub.Origin{Proto: "rtsp", UnsupportedAudioCodec: "G711"})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		p.SetTracks(studiotest.Tracks()[:1])
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if f := h.Feed("gate"); len(f.Notes) == 0 || !strings.Contains(f.Notes[0], "G711") || !strings.Contains(f.Notes[0], "AAC") {
			t.Errorf("notes = %q", f.Notes)
		}
	})
}

func TestAPulledFeedThatCannotBeReachedIsLoggedOnce(t *testing.T) {
	watched(t, func(t *testing.T, h *studiotest.House) {
		h.Do(t, "feed.add", `{"id":"roof","name":"Roof","url":"rtsp://joe:hunter22@cam.example/s1"}`)
		for range 5 {
			h.PullsChanged()
			time.Sleep(time.Second)
			synctest.Wait()
		}
		f := h.Feed("roof")
		if f.State != control.FeedRetrying || strings.Contains(f.Problem, "hunter22") {
			t.Fatalf("feed = %+v", f)
		}
		n := 0
		for _, e := range h.Now().Log {
			if strings.HasPrefix(e.Text, "Can't connect to Roof") {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("it was logged %d times", n)
		}
	})
}
