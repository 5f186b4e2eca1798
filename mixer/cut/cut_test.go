package cut_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
	"obvan/internal/testkit"
	"obvan/media"
	"obvan/mixer"
	"obvan/mixer/cut"
	"obvan/mixer/mixertest"
	"obvan/mixer/program"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var quiet = slog.New(slog.DiscardHandler)

// camera publishes video frames under name until the test, or the returned function,
// ends it.
func camera(t *testing.T, h *hub.Hub, name string) (off func()) {
	t.Helper()
	pub, err := h.Publish(name, hub.Origin{Proto: "test"})
	if err != nil {
		t.Fatal(err)
	}
	pub.SetTracks(media.Tracks{{Codec: media.H264, Config: []byte(name), FrameRate: 50}})
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		defer pub.Close()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			at := time.Duration(n) * 20 * time.Millisecond
			pub.Write(media.AccessUnit{DTS: at, PTS: at, Key: n%10 == 0, Data: []byte(name)})
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	off = sync.OnceFunc(func() { cancel(); done.Wait() })
	t.Cleanup(off)
	return off
}

// studio is a hub, a program that runs, and a cut mixer that does not yet.
func studio(t *testing.T) (*hub.Hub, *program.Program, *cut.Mixer) {
	t.Helper()
	h := hub.New()
	p, err := program.New(h, quiet)
	if err != nil {
		t.Fatal(err)
	}
	run(t, func(ctx context.Context) error { return p.Run(ctx, func(program.State) {}) })
	return h, p, cut.New(h, p, quiet)
}

func run(t *testing.T, f func(ctx context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := f(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
}

// watch runs the mixer and returns its newest state.
func watch(t *testing.T, m *cut.Mixer) func() mixer.State {
	var mu sync.Mutex
	var state mixer.State
	run(t, func(ctx context.Context) error {
		return m.Run(ctx, func(s mixer.State) { mu.Lock(); state = s; mu.Unlock() })
	})
	return func() mixer.State { mu.Lock(); defer mu.Unlock(); return state }
}

func TestContract(t *testing.T) {
	mixertest.Test(t, func(t *testing.T) mixer.Mixer {
		h, _, m := studio(t)
		camera(t, h, mixertest.Cam1)
		camera(t, h, mixertest.Cam2)
		return m
	})
}

func TestTheFirstFeedsFillTheBusesUntilAnOperatorCuts(t *testing.T) {
	h, _, m := studio(t)
	m.SetFeeds([]string{"cam2", "cam1"})
	state := watch(t, m)
	testkit.Eventually(t, 5*time.Second, func() bool { return len(state().Sources) == 2 }, "two sources that are not connected")
	if s := state(); s.Sources[0].Name != "cam2" || s.Program != "" || s.Preview != "" || s.Output != "" {
		t.Fatalf("state = %+v", s)
	}
	if err := m.Take(t.Context(), mixer.Transition{}); !errors.Is(err, mixer.ErrNoPreview) {
		t.Errorf("take: %v", err)
	}
	if err := m.Cut(t.Context(), "", mixer.Instant); !errors.Is(err, mixer.ErrNoPreview) {
		t.Errorf("cut: %v", err)
	}
	if err := m.Preview(t.Context(), hub.Program); !errors.Is(err, mixer.ErrNoSource) {
		t.Errorf("the program in its own preview: %v", err)
	}
	// The first that connects goes on air, the second to preview.
	camera(t, h, "cam1")
	testkit.Eventually(t, 5*time.Second, func() bool { return state().Program == "cam1" }, "cam1 on air")
	camera(t, h, "cam2")
	testkit.Eventually(t, 5*time.Second, func() bool { return state().Preview == "cam2" }, "cam2 in preview")
	// From the first cut on, newcomers stay where they are.
	if err := m.Cut(t.Context(), "cam2", mixer.Instant); err != nil {
		t.Fatal(err)
	}
	camera(t, h, "cam0")
	testkit.Eventually(t, 5*time.Second, func() bool {
		s := state()
		return s.Program == "cam2" && len(s.Sources) == 3 && s.Sources[2].Name == "cam0"
	}, "cam0 known, cam2 on air")
}

func TestASourceKeepsItsPositionWhicheverOthersConnect(t *testing.T) {
	h, _, m := studio(t)
	m.SetFeeds([]string{"cam2"})
	state := watch(t, m)
	order := func(want ...string) {
		t.Helper()
		testkit.Eventually(t, 5*time.Second, func() bool {
			return slices.EqualFunc(state().Sources, want, func(s mixer.Source, name string) bool { return s.Name == name })
		}, "the sources %v", want)
	}
	camera(t, h, "zoo")
	order("cam2", "zoo")
	camera(t, h, "alps")
	order("cam2", "zoo", "alps")
	m.SetFeeds([]string{"cam2", "alps", "crane"})
	order("cam2", "zoo", "alps", "crane")
}

func TestACutToADisconnectedFeedIsPendingAndTallyStaysCorrect(t *testing.T) {
	h, _, m := studio(t)
	m.SetFeeds([]string{"cam1", "away"})
	camera(t, h, "cam1")
	state := watch(t, m)
	testkit.Eventually(t, 5*time.Second, func() bool { return state().Program == "cam1" }, "cam1 on air")
	if err := m.Cut(t.Context(), "away", mixer.Instant); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, 5*time.Second, func() bool { return state().Pending == "away" }, "pending")
	if s := state(); s.Program != "cam1" || !slices.Equal(s.OnAir, []string{"cam1"}) || s.Output != "away" {
		t.Fatalf("state = %+v", s)
	}
	camera(t, h, "away")
	testkit.Eventually(t, 5*time.Second, func() bool {
		s := state()
		return s.Program == "away" && s.Pending == "" && slices.Equal(s.OnAir, []string{"away"})
	}, "on air once it is connected")
}

func TestTallyFollowsTheFailoverChainAndTheBusDoesNot(t *testing.T) {
	h, p, m := studio(t)
	p.SetBackups([]string{"cam2"})
	off := camera(t, h, "cam1")
	camera(t, h, "cam2")
	state := watch(t, m)
	testkit.Eventually(t, 5*time.Second, func() bool { return state().Program == "cam1" }, "cam1 on air")
	off()
	testkit.Eventually(t, 5*time.Second, func() bool { return slices.Equal(state().OnAir, []string{"cam2"}) }, "the backup on air")
	if s := state(); s.Program != "cam1" || s.Pending != "" {
		t.Fatalf("state = %+v", s)
	}
}

func TestTheResumedSourceGoesOnAirWhicheverFeedConnectsFirst(t *testing.T) {
	h, p, m := studio(t)
	p.SetBackups([]string{"slate"})
	m.SetFeeds([]string{"cam1", "cam2", "slate"})
	m.Resume("cam2")
	state := watch(t, m)
	camera(t, h, "cam1")
	camera(t, h, "slate")
	testkit.Eventually(t, 5*time.Second, func() bool { return slices.Equal(state().OnAir, []string{"slate"}) }, "the backup on air meanwhile")
	if s := state(); s.Pending != "cam2" || s.Preview != "cam1" {
		t.Fatalf("state = %+v", s)
	}
	camera(t, h, "cam2")
	testkit.Eventually(t, 5*time.Second, func() bool { return state().Program == "cam2" }, "cam2 on air")
}

func TestACutBeforeTheResumedSourceIsBackWins(t *testing.T) {
	h, _, m := studio(t)
	m.SetFeeds([]string{"cam1", "cam2"})
	state := watch(t, m)
	m.Resume("cam2")
	camera(t, h, "cam1")
	if err := m.Cut(t.Context(), "cam1", mixer.Instant); err != nil {
		t.Fatal(err)
	}
	m.Resume("cam2")
	camera(t, h, "cam2")
	testkit.Eventually(t, 5*time.Second, func() bool { return state().Program == "cam1" }, "cam1 on air")
	if s := state(); s.Pending != "" {
		t.Fatalf("state = %+v", s)
	}
}

func TestAResumedSourceIsGivenUpWhenNothingElseIsOnAir(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, m := studio(t)
		m.SetFeeds([]string{"cam1", "cam2"})
		state := watch(t, m)
		m.Resume("cam2")
		camera(t, h, "cam1")
		time.Sleep(9 * time.Second)
		if s := state(); s.Program != "" || s.Pending != "cam2" {
			t.Fatalf("state = %+v", s)
		}
		time.Sleep(2 * time.Second)
		if s := state(); s.Program != "cam1" {
			t.Fatalf("state = %+v", s)
		}
	})
}
