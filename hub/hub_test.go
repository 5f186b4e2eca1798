package hub_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
	"obvan/internal/testkit"
	"obvan/media"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var tracks = media.Tracks{
	{Codec: media.H264, Config: []byte{1, 2, 3}},
	{Codec: media.AAC, SampleRate: 48000, Channels: 2},
}

func videoFrame(n int, key bool) media.AccessUnit {
	at := time.Duration(n) * time.Second / 30
	return media.AccessUnit{PTS: at, DTS: at, Key: key, Data: []byte{byte(n >> 8), byte(n)}}
}

func number(au media.AccessUnit) int { return int(au.Data[0])<<8 | int(au.Data[1]) }

func publish(t testing.TB, h *hub.Hub, name string) *hub.Publisher {
	t.Helper()
	p, err := h.Publish(name, hub.Origin{Proto: "test"})
	if err != nil {
		t.Fatal(err)
	}
	p.SetTracks(tracks)
	t.Cleanup(p.Close)
	return p
}

func subscribe(t testing.TB, h *hub.Hub, name string) *hub.Subscriber {
	t.Helper()
	s, err := h.Subscribe(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestASecondPublisherIsRefusedUntilTheFirstCloses(t *testing.T) {
	h := hub.New()
	p := publish(t, h, "cam1")
	if _, err := h.Publish("cam1", hub.Origin{}); !errors.Is(err, hub.ErrPublishing) {
		t.Fatalf("err = %v", err)
	}
	p.Close()
	publish(t, h, "cam1")
}

func TestANewReaderStartsAtTheNewestKeyframe(t *testing.T) {
	h := hub.New()
	p := publish(t, h, "cam1")
	for n := range 10 {
		p.Write(videoFrame(n, n%4 == 0))
	}
	s := subscribe(t, h, "cam1")
	for want := 8; want < 10; want++ {
		au, err := s.TryNext()
		if err != nil || number(au) != want {
			t.Fatalf("got %d %v, want %d", number(au), err, want)
		}
	}
	if _, err := s.TryNext(); !errors.Is(err, hub.ErrNotYet) {
		t.Fatalf("err = %v", err)
	}
}

func TestFramesBeforeTheFirstKeyframeAreDroppedAndCounted(t *testing.T) {
	h := hub.New()
	p := publish(t, h, "cam1")
	s := subscribe(t, h, "cam1")
	for n := range 5 {
		p.Write(videoFrame(n, n == 3))
	}
	if au, err := s.TryNext(); err != nil || number(au) != 3 {
		t.Fatalf("got %d %v", number(au), err)
	}
	if st, _ := h.Stream("cam1"); st.AwaitingKeyframe != 3 || st.Frames != 2 {
		t.Fatalf("stats = %+v", st)
	}
}

func TestUnitsCarryTheTracksTheyWereWrittenWith(t *testing.T) {
	h := hub.New()
	p := publish(t, h, "cam1")
	s := subscribe(t, h, "cam1")
	p.Write(videoFrame(0, true))
	p.SetTracks(media.Tracks{{Codec: media.H264, Config: []byte{9}}, tracks[1]})
	p.Write(videoFrame(1, false)) // of the old configuration, or undecodable: dropped
	p.Write(videoFrame(2, true))
	first, _ := s.TryNext()
	second, _ := s.TryNext()
	if number(second) != 2 || first.Tracks == second.Tracks || (*second.Tracks)[0].Config[0] != 9 {
		t.Fatalf("second = %d, same generation = %v", number(second), first.Tracks == second.Tracks)
	}
}

func TestASlowReaderJumpsToTheNewestKeyframeWithoutAffectingOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New()
		p := publish(t, h, "cam1")
		slow, fast := subscribe(t, h, "cam1"), subscribe(t, h, "cam1")
		for n := range 30 * 30 { // 30 s of video, of which the ring keeps 12
			p.Write(videoFrame(n, n%30 == 0))
			if au, err := fast.TryNext(); err != nil || number(au) != n {
				t.Fatalf("the fast reader got %d %v, want %d", number(au), err, n)
			}
			time.Sleep(time.Second / 30)
		}
		if au, err := slow.TryNext(); err != nil || number(au) != 870 || !au.Key {
			t.Fatalf("the slow reader got %d %v, want keyframe 870", number(au), err)
		}
		if slow.Lost() != 870 || fast.Lost() != 0 {
			t.Fatalf("lost: slow %d, fast %d", slow.Lost(), fast.Lost())
		}
	})
}

func TestTheByteLimitHoldsWithoutKeyframes(t *testing.T) {
	h := hub.New()
	p := publish(t, h, "cam1")
	s := subscribe(t, h, "cam1")
	for n := range 40 {
		au := videoFrame(n, n == 0)
		au.Data = make([]byte, 4<<20)
		p.Write(au)
	}
	if _, err := s.TryNext(); !errors.Is(err, hub.ErrNotYet) { // no keyframe is left to start from
		t.Fatalf("err = %v", err)
	}
	p.Write(videoFrame(40, true))
	if au, err := s.TryNext(); err != nil || number(au) != 40 {
		t.Fatalf("got %v %v", au.Data, err)
	}
}

func TestReadersGetTheRemainingUnitsBeforeTheEnd(t *testing.T) {
	h := hub.New()
	p := publish(t, h, "cam1")
	s := subscribe(t, h, "cam1")
	p.Write(videoFrame(0, true))
	p.Close()
	if _, err := s.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Fatalf("err = %v", err)
	}
	if _, err := h.Subscribe("cam1"); !errors.Is(err, hub.ErrNoStream) {
		t.Fatalf("err = %v", err)
	}
}

func TestNextWakesForAUnitAndForTheContext(t *testing.T) {
	h := hub.New()
	p := publish(t, h, "cam1")
	const readers, units = 50, 500
	var all sync.WaitGroup
	for range readers {
		s := subscribe(t, h, "cam1")
		all.Go(func() {
			for n := range units {
				if au, err := s.Next(t.Context()); err != nil || number(au) != n {
					t.Errorf("got %d %v, want %d", number(au), err, n)
					return
				}
			}
		})
	}
	for n := range units {
		p.Write(videoFrame(n, n == 0))
	}
	all.Wait()

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	s := subscribe(t, h, "cam1")
	s.SkipToLive()
	if _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("err = %v", err)
	}
}

func TestAwaitWaitsForTheName(t *testing.T) {
	h := hub.New()
	got := make(chan error)
	go func() {
		s, err := h.Await(t.Context(), "cam1")
		if err == nil {
			s.Close()
		}
		got <- err
	}()
	publish(t, h, "cam2")
	publish(t, h, "cam1")
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

func TestStatsCountFramesBytesAndReaders(t *testing.T) {
	h := hub.New()
	p := publish(t, h, "cam1")
	s := subscribe(t, h, "cam1")
	for n := range 61 {
		p.Write(videoFrame(n, n%30 == 0))
		p.Write(media.AccessUnit{Track: 1, Key: true, Data: []byte{1}})
	}
	p.Write(media.AccessUnit{Track: 7}) // no such track: dropped
	st, ok := h.Stream("cam1")
	if !ok || st.Frames != 61 || st.Keyframes != 3 || st.AudioFrames != 61 || st.Bytes != 61*3 || st.KeyframeInterval != time.Second || st.Readers != 1 {
		t.Fatalf("stats = %+v", st)
	}
	s.Close()
	if st := h.Streams()[0]; st.Readers != 0 || st.LastFrame.IsZero() {
		t.Fatalf("stats = %+v", st)
	}
}

func TestAWatchIsWokenByWritesAndIsNotCountedAsAReader(t *testing.T) {
	h := hub.New()
	pub, err := h.Publish("cam", hub.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	pub.SetTracks(media.Tracks{{Codec: media.H264}})
	pub.Write(media.AccessUnit{Key: true})
	sub, err := h.Subscribe("cam")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	w := sub.Watch()
	if _, err := w.TryNext(); err != hub.ErrNotYet || !w.SameStream(sub) {
		t.Fatalf("err = %v, same stream %v", err, w.SameStream(sub))
	}
	ready := w.Ready()
	pub.Write(media.AccessUnit{Key: true, DTS: 1})
	<-ready
	if au, err := w.TryNext(); err != nil || au.DTS != 1 {
		t.Fatalf("%v, err = %v", au.DTS, err)
	}
	if st, _ := h.Stream("cam"); st.Readers != 1 {
		t.Errorf("%d readers", st.Readers)
	}
	pub.Close()
	if _, err := w.TryNext(); err != io.EOF {
		t.Errorf("err = %v", err)
	}
}

func TestAReaderSkipsWhatAnotherReadOnItsBehalf(t *testing.T) {
	h := hub.New()
	p := publish(t, h, "cam1")
	waits, reads := subscribe(t, h, "cam1"), subscribe(t, h, "cam1")
	watch := waits.Watch()
	if waits.IsAt(watch.Position()) {
		t.Error("a reader that waits for a keyframe reports that it is at the position")
	}
	p.Write(videoFrame(0, true))
	for _, s := range []*hub.Subscriber{waits, reads} {
		if _, err := s.TryNext(); err != nil {
			t.Fatal(err)
		}
	}
	if watch.Position() == reads.Position() || reads.IsAt(watch.Position()) {
		t.Error("readers at different positions report the same one")
	}
	if _, err := watch.TryNext(); err != nil || !reads.IsAt(watch.Position()) {
		t.Error("readers at the same position report different ones", err)
	}
	p.Write(videoFrame(1, false))
	p.Write(videoFrame(2, false))
	if _, err := watch.TryNext(); err != nil {
		t.Fatal(err)
	}
	reads.SeekTo(watch.Position())
	if au, err := reads.TryNext(); err != nil || number(au) != 2 || reads.Lost() != 0 {
		t.Errorf("frame %d, %d lost, %v", number(au), reads.Lost(), err)
	}
	if au, err := waits.TryNext(); err != nil || number(au) != 1 {
		t.Errorf("frame %d, %v", number(au), err)
	}
	if waits.Delay(time.Second); waits.IsAt(waits.Position()) {
		t.Error("a delayed reader reports that it is at the position")
	}
}

func TestAReaderWithSuspendedWakeupsIsWokenByTheFirstWriteAfterThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New()
		p := publish(t, h, "cam1")
		suspended, other := subscribe(t, h, "cam1"), subscribe(t, h, "cam1")
		woken := func(s *hub.Subscriber) bool {
			select {
			case <-s.Ready():
				return true
			default:
				return false
			}
		}
		suspended.SuspendWakeups(time.Now().Add(time.Second))
		suspended.Ready()
		p.Write(videoFrame(0, true))
		if woken(suspended) || !woken(other) {
			t.Error("woken while suspended, or the other reader was not woken")
		}
		time.Sleep(time.Second) // of the test's clock
		p.Write(videoFrame(1, false))
		if !woken(suspended) {
			t.Error("not woken after the suspension ended")
		}
		suspended.SuspendWakeups(time.Now().Add(time.Hour))
		if woken(suspended) {
			t.Error("woken by a unit written before the suspension")
		}
		suspended.SuspendWakeups(time.Time{})
		if !woken(suspended) {
			t.Error("not woken by a unit written during the suspension")
		}
		suspended.SuspendWakeups(time.Now().Add(time.Hour))
		suspended.Ready()
		p.Close()
		if !woken(suspended) {
			t.Error("not woken by the end of the stream")
		}
	})
}
