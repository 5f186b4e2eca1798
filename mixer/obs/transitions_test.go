package obs_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andreykaipov/goobs/api/events"
	"github.com/andreykaipov/goobs/api/events/subscriptions"
	"github.com/andreykaipov/goobs/api/requests/sceneitems"
	"github.com/andreykaipov/goobs/api/requests/scenes"

	"obvan/mixer"
	"obvan/mixer/obs/obstest"
)

func TestBothScenesAreOnAirDuringATransition(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	noError(t, d.Cut(shortContext(t), "cam1", mixer.Instant))
	noError(t, d.Preview(shortContext(t), "cam2"))
	d.await("preview", func(s *mixer.State) bool { return s.Preview == "cam2" && slices.Equal(s.OnPreview, []string{"cam2"}) })
	from := d.stateCount()
	noError(t, d.Take(shortContext(t), mixer.Transition{Kind: "Fade", DurationMs: 800}))
	d.awaitPast(from, "both on air", func(s *mixer.State) bool { return s.InTransition && slices.Equal(s.OnAir, []string{"cam1", "cam2"}) })
	d.onAir("cam2", "cam2")
	if s := d.now(); s.Transition.Kind != "Fade" || s.Transition.DurationMs != 60 {
		t.Errorf("the operator's own transition changed to %+v", s.Transition)
	}
}

// OBS reports that an input is on air only when its next frame finds it changed.
func TestAnItemThatIsShownIsOnAirWithoutAnEventOfItsInput(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	noError(t, d.Cut(shortContext(t), "cam1", mixer.Instant))
	d.onAir("cam1", "cam1")
	srv.Show("cam1", "cam1 input", false)
	d.onAir("cam1")
	lists := srv.Requests("GetInputList")
	const item, shown = 1, true
	srv.DoSilently(sceneitems.NewSetSceneItemEnabledParams().WithSceneName("cam1").WithSceneItemId(item).WithSceneItemEnabled(shown))
	srv.Event("SceneItemEnableStateChanged", subscriptions.SceneItems,
		&events.SceneItemEnableStateChanged{SceneName: "cam1", SceneItemId: item, SceneItemEnabled: shown})
	d.onAir("cam1", "cam1")
	if srv.Requests("GetInputList") > lists {
		t.Error("it is right only after everything was fetched again")
	}
}

func TestTallyFollowsNestingGroupsAndVisibility(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	srv.Group("Scene", "corner", "cam2 input")
	srv.Do(sceneitems.NewCreateSceneItemParams().WithSceneName("Scene").WithSourceName("cam1"))
	d := start(t, srv, true)
	noError(t, d.Cut(shortContext(t), "Scene", mixer.Instant))
	d.onAir("Scene", "cam1", "cam2")
	srv.Show("Scene", "cam1", false)
	d.onAir("Scene", "cam2")
	srv.Show("Scene", "corner", false)
	d.onAir("Scene")
	srv.Show("Scene", "cam1", true)
	d.onAir("Scene", "cam1")
	for _, src := range d.now().Sources {
		if src.Name == "Scene" && !slices.Equal(src.Feeds, []string{"cam1"}) {
			t.Errorf("feeds of the scene: %v", src.Feeds)
		}
	}
}

// OBS ignores a cut during a transition, but still names
// the scene as its program.
func TestACutDuringATransitionIsCarriedOutAfterIt(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2", "cam3")
	d := start(t, srv, true)
	noError(t, d.Cut(shortContext(t), "cam1", mixer.Instant))
	noError(t, d.Preview(shortContext(t), "cam2"))
	d.await("preview", func(s *mixer.State) bool { return s.Preview == "cam2" })
	noError(t, d.Take(shortContext(t), mixer.Transition{Kind: "Fade", DurationMs: 300}))
	noError(t, d.Cut(shortContext(t), "cam3", mixer.Instant))
	d.onAir("cam3", "cam3")
	if named, shown := srv.Program(); named != "cam3" || shown != "cam3" {
		t.Errorf("OBS names %s and shows %s", named, shown)
	}
}

func TestACutPastThePreviewBusLeavesPreviewAsItIs(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2", "cam3")
	d := start(t, srv, true)
	noError(t, d.Cut(shortContext(t), "cam1", mixer.Instant))
	noError(t, d.Preview(shortContext(t), "cam2"))
	d.await("preview", func(s *mixer.State) bool { return s.Preview == "cam2" })
	noError(t, d.Cut(shortContext(t), "cam3", mixer.Instant))
	d.onAir("cam3", "cam3")
	d.await("preview as it was", func(s *mixer.State) bool { return s.Preview == "cam2" })
}

// OBS reports the end of a transition before it swaps preview and program, which may
// take until the next command arrives.
func TestPreviewIsCorrectAfterEachCutWheneverOBSSwaps(t *testing.T) {
	cams := []string{"cam1", "cam2", "cam3"}
	for _, lag := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond} {
		srv := obstest.Start(t, cams...)
		srv.Swap(lag, true)
		d := start(t, srv, true)
		noError(t, d.Cut(shortContext(t), "cam1", mixer.Instant))
		noError(t, d.Preview(shortContext(t), "cam2"))
		program, preview := "cam1", "cam2"
		for _, next := range []int{2, 0, 1, 2, 1, 0, 1, 0, 2, 1, 2, 0} {
			next := cams[next]
			if next == preview {
				preview = program // what went on air does not stay in preview
			}
			program = next
			noError(t, d.Cut(shortContext(t), next, mixer.Instant))
			d.await(fmt.Sprintf("lag %v: %s on air and %s in preview", lag, program, preview), func(s *mixer.State) bool {
				return s.Program == program && s.Preview == preview && !s.InTransition
			})
			if in := srv.Preview(); in != preview {
				t.Fatalf("lag %v: OBS has %s in preview, not %s", lag, in, preview)
			}
		}
	}
}

func TestAnOBSThatIsSetNotToSwapKeepsItsPreview(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2", "cam3")
	srv.Swap(5*time.Millisecond, false)
	d := start(t, srv, true)
	noError(t, d.Cut(shortContext(t), "cam1", mixer.Instant))
	noError(t, d.Preview(shortContext(t), "cam2"))
	before := srv.Requests("SetCurrentPreviewScene")
	shortest := time.Hour // a cut that waits for a swap takes as long as OBS may take to swap: 250 ms
	for _, next := range []string{"cam3", "cam1", "cam2", "cam1", "cam3", "cam1", "cam2", "cam1"} {
		began := time.Now()
		noError(t, d.Cut(shortContext(t), next, mixer.Instant))
		shortest = min(shortest, time.Since(began))
		d.onAir(next, next)
	}
	if shortest > 200*time.Millisecond {
		t.Errorf("each cut waits for a swap, at least %v", shortest)
	}
	if n := srv.Requests("SetCurrentPreviewScene"); n != before || srv.Preview() != "cam2" {
		t.Errorf("preview was set %d times and is %s", n-before, srv.Preview())
	}
}

func TestTwoOperatorsWhoTakeTheSameSceneTakeItOnce(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	noError(t, d.Cut(shortContext(t), "cam1", mixer.Instant))
	noError(t, d.Preview(shortContext(t), "cam2"))
	d.await("preview", func(s *mixer.State) bool { return s.Preview == "cam2" && s.Program == "cam1" && !s.InTransition })
	srv.Slow(150 * time.Millisecond) // both read preview before one of them takes it
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if err := d.Take(shortContext(t), mixer.Transition{Kind: "Fade", DurationMs: 100}); err != nil {
				t.Errorf("take: %v", err)
			}
		})
	}
	both.Wait()
	srv.Slow(0)
	d.onAir("cam2", "cam2")
}

func TestACutThatOBSIgnoredForAnotherTransitionIsSentAgain(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2", "cam3")
	d := start(t, srv, true)
	noError(t, d.Cut(shortContext(t), "cam1", mixer.Instant))
	d.onAir("cam1", "cam1")
	srv.DoSilently(scenes.NewSetCurrentProgramSceneParams().WithSceneName("cam2")) // a fade without events
	noError(t, d.Cut(shortContext(t), "cam3", mixer.Instant))
	d.onAir("cam3", "cam3")
	if _, shown := srv.Program(); shown != "cam3" {
		t.Errorf("OBS shows %s", shown)
	}
}

func TestALongTransitionMakesTheMixerBusy(t *testing.T) {
	t.Parallel()
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	noError(t, d.Preview(shortContext(t), "cam2"))
	d.await("preview", func(s *mixer.State) bool { return s.Preview == "cam2" })
	noError(t, d.Take(shortContext(t), mixer.Transition{Kind: "Fade", DurationMs: 2500}))
	if err := d.Cut(shortContext(t), "cam1", mixer.Instant); !errors.Is(err, mixer.ErrBusy) {
		t.Errorf("cut: %v", err)
	}
	d.onAir("cam2", "cam2")
}

func TestTheOperatorsTransitionOverrideIsRestored(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	srv.Override("cam2", "Swipe", 700)
	d := start(t, srv, true)
	noError(t, d.Cut(shortContext(t), "cam2", mixer.Instant))
	d.onAir("cam2", "cam2")
	if name, ms := srv.OverrideOf("cam2"); name != "Swipe" || ms != 700 {
		t.Errorf("the override is %s %d", name, ms)
	}
	noError(t, d.Cut(shortContext(t), "cam1", mixer.Instant))
	if name, _ := srv.OverrideOf("cam1"); name != "" {
		t.Errorf("an override was left: %s", name)
	}
}

func TestASceneNameMayBeAnything(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	for i, name := range []string{"🎥 \"main\"\ncamera", strings.Repeat("ü", 300), "it's, with commas; and 100 %", "\u202eright to left"} {
		srv.Do(scenes.NewCreateSceneParams().WithSceneName(name))
		d.await(fmt.Sprint("scene ", i), func(s *mixer.State) bool {
			return slices.ContainsFunc(s.Sources, func(src mixer.Source) bool { return src.Name == name })
		})
		noError(t, d.Cut(shortContext(t), name, mixer.Instant))
		d.onAir(name)
		srv.Do(scenes.NewSetSceneNameParams().WithSceneName(name).WithNewSceneName(name + "!"))
		d.onAir(name + "!")
	}
}

func TestWithoutStudioModeThereIsNoPreview(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	noError(t, d.SetStudioMode(shortContext(t), false))
	d.await("no preview bus", func(s *mixer.State) bool {
		return !s.StudioMode && s.Preview == "" && s.TBar == nil && len(s.OnPreview) == 0
	})
	if err := d.Take(shortContext(t), mixer.Transition{}); !errors.Is(err, mixer.ErrNoPreview) {
		t.Errorf("take: %v", err)
	}
	if err := d.Preview(shortContext(t), "cam1"); !errors.Is(err, mixer.ErrNotNow) {
		t.Errorf("preview: %v", err)
	}
	noError(t, d.Cut(shortContext(t), "cam2", mixer.Instant))
	d.onAir("cam2", "cam2")
	noError(t, d.Cut(shortContext(t), "cam2", mixer.Instant))
	noError(t, d.SetStudioMode(shortContext(t), true))
	d.await("a preview bus", func(s *mixer.State) bool { return s.StudioMode && s.Preview == "cam2" })
}

func TestTheTBarCompletesATransition(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	noError(t, d.Cut(shortContext(t), "cam1", mixer.Instant))
	noError(t, d.Preview(shortContext(t), "cam2"))
	for i := range 11 {
		noError(t, d.MoveTBar(shortContext(t), float64(i)/10, i == 10))
	}
	d.onAir("cam2", "cam2")
}
