package control

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/mixer"
	"obvan/mixer/program"
)

var coded = media.Tracks{
	{Codec: media.H264, Config: []byte{1, 100, 0, 31}, Width: 1280, Height: 720, FrameRate: 30},
	{Codec: media.AAC, Config: []byte{0x11, 0x90}, SampleRate: 48000, Channels: 2},
}

// camera publishes a stream by hand, at 30 pictures a second of the test's clock.
type camera struct {
	*hub.Publisher
	n   int
	gop int
}

func film(t testing.TB, h *hub.Hub, name string, tracks media.Tracks, gop int) *camera {
	t.Helper()
	p, err := h.Publish(name, hub.Origin{Proto: "rtmp", Remote: "10.0.0.7:5"})
	if err != nil {
		t.Fatal(err)
	}
	p.SetTracks(tracks)
	return &camera{Publisher: p, gop: gop}
}

// roll films for d.
func (c *camera) roll(d time.Duration, reorder bool) {
	for range int(d * 30 / time.Second) {
		at := time.Duration(c.n) * time.Second / 30
		au := media.AccessUnit{PTS: at, DTS: at, Key: c.n%c.gop == 0, Data: make([]byte, 10_000)}
		if reorder && !au.Key {
			au.PTS += time.Duration(1-2*(c.n%2)) * 2 * time.Second / 30
		}
		c.Write(au)
		c.n++
		time.Sleep(time.Second / 30)
	}
}

// watched is a studio whose clock is the test's.
func watched(t *testing.T, do func(t *testing.T, h *house)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := build(t, dir, newDesk(), Options{}, quiet())
		ended := make(chan error, 1)
		ctx, cancel := contextOf(t)
		go func() { ended <- h.Run(ctx) }()
		synctest.Wait()
		do(t, h)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func (h *house) feed(id string) Feed {
	for _, f := range h.now().Feeds {
		if f.ID == id {
			return f
		}
	}
	return Feed{}
}

func TestAFeedIsWaitingThenLiveThenStalledThenLost(t *testing.T) {
	watched(t, func(t *testing.T, h *house) {
		h.do(t, "feed.add", `{"id":"cam1","name":"Goal"}`)
		if f := h.feed("cam1"); f.State != FeedWaiting || !f.Added || f.Name != "Goal" {
			t.Fatalf("feed = %+v", f)
		}
		c := film(t, h.hub, "cam1", coded, 30)
		c.roll(5*time.Second, false)
		synctest.Wait()
		f := h.feed("cam1")
		if f.State != FeedLive || f.Proto != "rtmp" || f.FPS != 30 || f.Kbps < 2350 || f.Kbps > 2450 || f.KeyframeIntervalMs != 1000 || len(f.Notes) != 0 || !f.Watch.OK {
			t.Fatalf("feed = %+v", f)
		}
		if f.Video.Codec != "H264" || f.Video.Profile != "High" || f.Audio.Profile != "LC" || f.Video.BFrames {
			t.Fatalf("coding = %+v %+v", f.Video, f.Audio)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if f := h.feed("cam1"); f.State != FeedStalled || !strings.Contains(f.Problem, "no picture came for") {
			t.Fatalf("feed = %+v", f)
		}
		c.roll(2*time.Second, false)
		synctest.Wait()
		if f := h.feed("cam1"); f.State != FeedLive {
			t.Fatalf("feed = %+v", f)
		}
		c.Close()
		synctest.Wait()
		if f := h.feed("cam1"); f.State != FeedLost || f.Video != nil || f.Kbps != 0 {
			t.Fatalf("feed = %+v", f)
		}
		for _, line := range []string{"Goal is live, by rtmp.", "Goal sends nothing: It is connected, but no picture came for 3 s.", "Goal is lost."} {
			if !h.logged(line) {
				t.Errorf("no %q in %+v", line, h.now().Log)
			}
		}
	})
}

func TestAStrayFeedIsShownAndForgottenAMinuteAfterItLeft(t *testing.T) {
	watched(t, func(t *testing.T, h *house) {
		c, onAir := film(t, h.hub, "stray", coded, 30), film(t, h.hub, "onair", coded, 30)
		h.MixerChanged(mixer.State{Kind: "cut", Connected: true, OnAir: []string{"onair"}})
		c.roll(time.Second, false)
		onAir.roll(time.Second, false)
		synctest.Wait()
		if f := h.feed("stray"); f.State != FeedLive || f.Added || f.Name != "stray" {
			t.Fatalf("feed = %+v", f)
		}
		c.Close()
		onAir.Close()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if f := h.feed("stray"); f.State != FeedLost {
			t.Fatalf("feed = %+v", f)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if f := h.feed("stray"); f.ID != "" {
			t.Fatalf("feed = %+v", f)
		}
		if f := h.feed("onair"); f.State != FeedLost {
			t.Fatalf("a lost feed that is on air was forgotten: %+v", f)
		}
	})
}

func TestACameraKeepsItsPlaceWhoeverComesOrGoes(t *testing.T) {
	watched(t, func(t *testing.T, h *house) {
		order := func() (ids []string) {
			synctest.Wait()
			for _, f := range h.now().Feeds {
				ids = append(ids, f.ID)
			}
			return ids
		}
		for _, id := range []string{"zoo", "bench", "crane"} {
			defer film(t, h.hub, id, coded, 30).Close()
			time.Sleep(time.Second)
		}
		first := film(t, h.hub, "alps", coded, 30)
		want := []string{"zoo", "bench", "crane", "alps"}
		if got := order(); !slices.Equal(got, want) {
			t.Fatalf("feeds = %v, want the newest last: %v", got, want)
		}
		first.Close()
		if _, err := h.addFeed(t.Context(), FeedAddArgs{ID: "crane", Name: "Crane"}); err != nil {
			t.Fatal(err)
		}
		if got := order(); !slices.Equal(got, want) {
			t.Errorf("feeds = %v once one was added and one is lost, want %v", got, want)
		}
	})
}

func TestTheProgramAndTheMixerAreNoFeeds(t *testing.T) {
	watched(t, func(t *testing.T, h *house) {
		prog, mix := film(t, h.hub, hub.Program, coded, 30), film(t, h.hub, "mixer", coded, 30)
		defer prog.Close()
		defer mix.Close()
		prog.roll(4*time.Second, false)
		synctest.Wait()
		st := h.now()
		if len(st.Feeds) != 0 {
			t.Fatalf("feeds = %+v", st.Feeds)
		}
		if p := st.Program; p.Video == nil || p.FPS != 30 || p.Kbps == 0 || !p.Watch.OK {
			t.Fatalf("program = %+v", p)
		}
	})
}

func TestNotesSayWhatIsWrongWithACoding(t *testing.T) {
	watched(t, func(t *testing.T, h *house) {
		long, reordered := film(t, h.hub, "long", coded[:1], 250), film(t, h.hub, "reordered", coded, 30)
		defer long.Close()
		defer reordered.Close()
		for range 18 {
			long.roll(500*time.Millisecond, false)
			reordered.roll(500*time.Millisecond, true)
		}
		synctest.Wait()
		want := []string{"no sound", "a key frame only every 8.3 s: cuts wait; set the key frame interval to 2 s"}
		if f := h.feed("long"); !slices.Equal(f.Notes, want) {
			t.Errorf("notes = %q", f.Notes)
		}
		if f := h.feed("reordered"); !f.Video.BFrames || len(f.Notes) != 1 || !strings.Contains(f.Notes[0], "set B-frames to 0") {
			t.Errorf("notes = %q", f.Notes)
		}
	})
}

func TestSoundThatIsNotCarriedIsNamed(t *testing.T) {
	watched(t, func(t *testing.T, h *house) {
		p, err := h.hub.Publish("gate", hub.Origin{Proto: "rtsp", UnsupportedAudioCodec: "G711"})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		p.SetTracks(coded[:1])
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if f := h.feed("gate"); len(f.Notes) == 0 || !strings.Contains(f.Notes[0], "G711") || !strings.Contains(f.Notes[0], "AAC") {
			t.Errorf("notes = %q", f.Notes)
		}
	})
}

func TestAPulledFeedSaysWhyItIsNotReachedOnce(t *testing.T) {
	watched(t, func(t *testing.T, h *house) {
		h.do(t, "feed.add", `{"id":"roof","name":"Roof","url":"rtsp://joe:hunter22@cam.example/s1"}`)
		for range 5 {
			h.PullsChanged()
			time.Sleep(time.Second)
			synctest.Wait()
		}
		f := h.feed("roof")
		if f.State != FeedRetrying || strings.Contains(f.Problem, "hunter22") {
			t.Fatalf("feed = %+v", f)
		}
		n := 0
		for _, e := range h.now().Log {
			if strings.HasPrefix(e.Text, "Roof is not reached") {
				n++
			}
		}
		if n != 1 {
			t.Fatalf("it was said %d times", n)
		}
	})
}

func TestTallyIsWhatViewersMaySee(t *testing.T) {
	m := mixer.State{OnAir: []string{"a", "b"}, OnPreview: []string{"b", "c"}}
	got := tally(&m, &program.State{Level: "backup", OnAir: "c"})
	for id, want := range map[string]Light{"a": LightProgram, "b": LightBoth, "c": LightBoth, "d": ""} {
		if got[id] != want {
			t.Errorf("%s = %q, want %q", id, got[id], want)
		}
	}
}

func TestTheEventLogIsBounded(t *testing.T) {
	h := build(t, t.TempDir(), newDesk(), Options{}, quiet())
	for i := range 3 * logLines {
		h.note(Info, "line %d", i)
	}
	h.note(Warn, "%s", strings.Repeat("é", 10*longestLine)+"\n")
	log := h.now().Log
	if len(log) != logLines || log[logLines-2].Text != "line 599" || len([]rune(log[logLines-1].Text)) != longestLine {
		t.Fatalf("%d lines, the last %q", len(log), log[len(log)-2:])
	}
}
