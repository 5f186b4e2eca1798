package obs_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andreykaipov/goobs/api/requests/scenes"

	"obvan/internal/testkit"
	"obvan/mixer"
	"obvan/mixer/obs/naming"
	"obvan/mixer/obs/obstest"
	"obvan/mixer/obs/provision"
)

var _ mixer.Graphics = (*runningMixer)(nil)

var target = provision.Target{
	Feeds: []provision.Feed{{ID: "cam1", Name: "Main"}, {ID: "cam2"}, {ID: "cam3"}},
	Play:  "rtsp://127.0.0.1:8555", Program: "rtmp://127.0.0.1:1935/mixer", Key: "private",
}

func setUp(t *testing.T, d *runningMixer, w provision.Target) (*provision.Plan, *provision.Undo) {
	t.Helper()
	plan, err := provision.Make(shortContext(t), d, w)
	noError(t, err)
	undo, err := plan.Apply(shortContext(t), d)
	noError(t, err)
	return plan, undo
}

func texts(p *provision.Plan) string {
	var all []string
	for _, s := range p.Steps {
		all = append(all, s.Text)
	}
	return strings.Join(all, "\n")
}

func TestASetUpIsPlannedAppliedOnceAndUndone(t *testing.T) {
	srv := obstest.Start(t, "user's own")
	d := start(t, srv, true)
	before := srv.Dump()
	plan, undo := setUp(t, d, target)
	if strings.Contains(texts(plan), "private") {
		t.Error("the plan shows the stream key")
	}
	d.await("three feeds and a lower third", func(s *mixer.State) bool {
		return slices.ContainsFunc(s.Sources, func(src mixer.Source) bool {
			return src.Name == naming.FourUp && slices.Equal(src.Feeds, []string{"cam1", "cam2", "cam3"})
		}) && s.Graphic != nil && !s.Graphic.Shown
	})
	again, err := provision.Make(shortContext(t), d, target)
	noError(t, err)
	if len(again.Steps) != 0 {
		t.Errorf("the second set-up would change:\n%s", texts(again))
	}
	noError(t, undo.Apply(shortContext(t), d))
	if after := srv.Dump(); after != before {
		t.Errorf("undone, OBS is\n%s\nand was\n%s", after, before)
	}
	if !undo.Empty() {
		t.Error("there is still something to undo")
	}
}

func TestTheScenesFollowFeedsThatAreRenamedAddedOrRemoved(t *testing.T) {
	srv := obstest.Start(t, "user's own")
	d := start(t, srv, true)
	setUp(t, d, target)
	w := target
	w.Feeds = []provision.Feed{{ID: "cam1", Name: "Centre \"stage\"\n🎥"}, {ID: "cam2"}, {ID: "cam4"}}
	plan, _ := setUp(t, d, w)
	if !slices.Equal(plan.RemovedFeeds, []string{"cam3"}) || strings.Contains(texts(plan), "emove") {
		t.Errorf("removed feeds %v, steps\n%s", plan.RemovedFeeds, texts(plan))
	}
	d.await("renamed, and the new one in the 4-up", func(s *mixer.State) bool {
		has := func(name string, feeds ...string) bool {
			return slices.ContainsFunc(s.Sources, func(src mixer.Source) bool { return src.Name == name && slices.Equal(src.Feeds, feeds) })
		}
		return has(naming.Scene("Centre \"stage\"\n🎥"), "cam1") && has(naming.Scene("cam4"), "cam4") && has(naming.FourUp, "cam1", "cam2", "cam3", "cam4") &&
			!slices.ContainsFunc(s.Sources, func(src mixer.Source) bool { return src.Name == naming.Scene("Main") })
	})
	w.Remove = []string{"cam3"}
	setUp(t, d, w)
	d.await("cam3 is removed, the user's own is not", func(s *mixer.State) bool {
		hidden, own := true, false
		for _, src := range s.Sources {
			hidden = hidden && src.Name != naming.Scene("cam3") && !slices.Contains(src.Feeds, "cam3")
			own = own || src.Name == "user's own"
		}
		return hidden && own
	})
}

func TestASetUpThatFailsHalfWayCanBeUndone(t *testing.T) {
	srv := obstest.Start(t, "user's own")
	d := start(t, srv, true)
	before := srv.Dump()
	plan, err := provision.Make(shortContext(t), d, target)
	noError(t, err)
	srv.Refuse("SetStreamServiceSettings", 500)
	undo, err := plan.Apply(shortContext(t), d)
	if !errors.Is(err, mixer.ErrNotNow) || strings.Contains(err.Error(), "private") {
		t.Errorf("apply: %v", err)
	}
	noError(t, undo.Apply(shortContext(t), d))
	if after := srv.Dump(); after != before {
		t.Errorf("undone, OBS is\n%s\nand was\n%s", after, before)
	}
}

func TestTheLogoOfALowerThirdIsAFileThatOBSReads(t *testing.T) {
	srv := obstest.Start(t, "cam9")
	cfg := config(srv)
	cfg.Logo = func(name string) string {
		return map[string]string{"sponsor": `C:\data\logos\sponsor.png`, "unreadable": obstest.Unreadable}[name]
	}
	d := startWith(t, srv, cfg, true)
	local := target
	local.Logos = true
	plan, _ := setUp(t, d, local)
	if !strings.Contains(texts(plan), "Add the logo to the lower third.") {
		t.Errorf("plan = %s", texts(plan))
	}
	d.await("set up", func(s *mixer.State) bool { return s.Graphic != nil && slices.Contains(s.Graphic.Fields, "logo") })
	noError(t, d.Cut(shortContext(t), naming.Scene("Main"), mixer.Instant))
	show := func(logo, shown, problem string) {
		t.Helper()
		noError(t, d.ShowGraphic(shortContext(t), map[string]string{"name": "Ada", "logo": logo}))
		d.await("the logo "+logo, func(s *mixer.State) bool {
			g := s.Graphic
			return g.OnAir && g.Text["name"] == "Ada" && g.Text["logo"] == shown && strings.Contains(g.Problem, problem) && (problem == "") == (g.Problem == "")
		})
	}
	show("sponsor", "sponsor", "")
	show("unreadable", "unreadable", "can't read the logo")
	show("deleted", "", "")
	show("sponsor", "sponsor", "")
	show("", "", "")
}

func TestAnOBSOnAnotherComputerHasNoLogos(t *testing.T) {
	srv := obstest.Start(t, "cam9")
	d := start(t, srv, true)
	plan, _ := setUp(t, d, target)
	if !strings.Contains(strings.Join(plan.Notes, "\n"), "have no logo in this OBS") || strings.Contains(texts(plan), "logo") {
		t.Errorf("plan = %s, %s", texts(plan), plan.Notes)
	}
	d.await("set up", func(s *mixer.State) bool { return s.Graphic != nil })
	noError(t, d.ShowGraphic(shortContext(t), map[string]string{"name": "Ada", "logo": "sponsor"}))
	d.await("on air without a logo", func(s *mixer.State) bool {
		return s.Graphic.Text["name"] == "Ada" && s.Graphic.Text["logo"] == ""
	})
}

func TestTheLowerThirdIsShownUpdatedAndHidden(t *testing.T) {
	srv := obstest.Start(t, "cam9")
	d := start(t, srv, true)
	if err := d.ShowGraphic(shortContext(t), nil); !errors.Is(err, mixer.ErrNotNow) {
		t.Errorf("before it is set up: %v", err)
	}
	setUp(t, d, target)
	d.await("set up", func(s *mixer.State) bool { return s.Graphic != nil })
	noError(t, d.Cut(shortContext(t), naming.Scene("Main"), mixer.Instant))
	noError(t, d.ShowGraphic(shortContext(t), map[string]string{"name": "Grace\nHopper \xff", "title": strings.Repeat("å", 200)}))
	d.await("on air", func(s *mixer.State) bool {
		return s.Graphic.OnAir && s.Graphic.Text["name"] == "Grace Hopper" && s.Graphic.Text["title"] == strings.Repeat("å", 79)+"…"
	})
	noError(t, d.UpdateGraphic(shortContext(t), map[string]string{"name": "Ada"}))
	d.await("updated", func(s *mixer.State) bool {
		return s.Graphic.OnAir && s.Graphic.Text["name"] == "Ada" && s.Graphic.Text["title"] == ""
	})
	noError(t, d.UpdateGraphic(shortContext(t), map[string]string{"name": "שלום"}))
	d.await("right to left", func(s *mixer.State) bool { return s.Graphic.Text["name"] == "שלום" })
	if dump := srv.Dump(); !strings.Contains(dump, "text:םולש") {
		t.Errorf("it is not rendered from right to left: %s", dump)
	}
	noError(t, d.Cut(shortContext(t), "cam9", mixer.Instant)) // a scene of the user's own, without the layer
	d.await("shown, but not here", func(s *mixer.State) bool { return s.Graphic.Shown && !s.Graphic.OnAir })
	noError(t, d.HideGraphic(shortContext(t)))
	d.await("out", func(s *mixer.State) bool { return !s.Graphic.Shown && !s.Graphic.OnAir })
}

// The connection is lost again and again while commands are sent: each command
// returns once, and the state at the end is that of OBS.
func TestCommandsAreAnsweredOnceWhileConnectionsAreLost(t *testing.T) {
	t.Parallel()
	srv := obstest.Start(t, "cam1", "cam2", "cam3")
	d := start(t, srv, true)
	stop := make(chan struct{})
	var cutting sync.WaitGroup
	cutting.Go(func() {
		for n := range 20 {
			select {
			case <-time.After(time.Duration(50+rand.IntN(150)) * time.Millisecond):
			case <-stop:
				return
			}
			if n%2 == 0 {
				srv.Drop()
			} else {
				srv.Reset()
			}
		}
	})
	var giving sync.WaitGroup
	for operator := range 4 {
		giving.Go(func() {
			for n := range 50 {
				ctx, cancel := context.WithTimeout(t.Context(), testkit.Allow(2*time.Second))
				cam := []string{"cam1", "cam2", "cam3"}[rand.IntN(3)]
				var err error
				if (n+operator)%2 == 0 {
					err = d.Cut(ctx, cam, mixer.Instant)
				} else {
					err = d.Preview(ctx, cam)
				}
				cancel()
				for _, fair := range []error{nil, mixer.ErrOffline, mixer.ErrUnsure, mixer.ErrBusy, mixer.ErrNotNow} {
					if errors.Is(err, fair) {
						err = nil
					}
				}
				if err != nil {
					t.Errorf("command: %v", err)
				}
				<-time.After(time.Duration(rand.IntN(40)) * time.Millisecond)
			}
		})
	}
	giving.Wait()
	close(stop)
	cutting.Wait()
	d.await("the state of OBS", func(s *mixer.State) bool {
		named, shown := srv.Program()
		return s.Connected && !s.InTransition && s.Program == named && named == shown && s.Preview == srv.Preview()
	})
}

func TestACommandWhileTheCollectionChangesIsRefusedAsBusy(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	srv.Refuse("SetCurrentPreviewScene", 207)
	if err := d.Preview(shortContext(t), "cam1"); !errors.Is(err, mixer.ErrBusy) {
		t.Errorf("preview: %v", err)
	}
	srv.Refuse("GetSceneList", 207)
	srv.Do(scenes.NewCreateSceneParams().WithSceneName("new"))
	testkit.Eventually(t, 5*time.Second, func() bool { return srv.Requests("GetSceneList") > 4 }, "requested again")
	srv.Refuse("GetSceneList", 0)
	d.await("the new scene", func(s *mixer.State) bool {
		return slices.ContainsFunc(s.Sources, func(src mixer.Source) bool { return src.Name == "new" })
	})
}

func TestAnOBSThatAnswersAfterTenSecondsStillWorks(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes more than ten seconds")
	}
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	srv.Slow(10 * time.Second)
	before := srv.Requests("SetCurrentPreviewScene")
	result := make(chan error, 1)
	go func() { result <- d.Preview(t.Context(), "cam2") }()
	testkit.Eventually(t, 5*time.Second, func() bool { return srv.Requests("SetCurrentPreviewScene") > before }, "requested")
	srv.Do(scenes.NewSetCurrentProgramSceneParams().WithSceneName("cam1")) // an operator cuts in OBS meanwhile
	d.onAir("cam1", "cam1")
	select {
	case err := <-result:
		t.Errorf("the cut was seen only after the answer (%v): events must not wait for answers", err)
		result <- err
	default:
	}
	if err := <-result; err != nil {
		t.Errorf("preview: %v", err)
	}
	srv.Slow(0)
}
