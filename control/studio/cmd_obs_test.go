package studio_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"obvan/control"
	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/ingest"
	"obvan/internal/testkit"
	"obvan/mixer"
	"obvan/mixer/obs"
	"obvan/mixer/obs/naming"
	"obvan/mixer/obs/obstest"
	"obvan/mixer/program"
)

// obsHouse is a studio that runs on a fake OBS.
func obsHouse(t *testing.T, srv *obstest.Server, dir string, opts studio.Options) (h *studiotest.House, stop func()) {
	t.Helper()
	opts.Token, opts.OBSPlays, opts.OBSSends = studiotest.AdminToken, cmp.Or(opts.OBSPlays, "127.0.0.1:8555"), cmp.Or(opts.OBSSends, "127.0.0.1:1935")
	m := obs.New(obs.Config{
		URL: srv.URL, Password: func() string { return h.OBSPassword() },
		Play: "rtsp://" + opts.OBSPlays, Program: "rtmp://" + opts.OBSSends + "/mixer",
	}, studiotest.Quiet())
	h = studiotest.Build(t, dir, studiotest.NewFakes(), opts, studiotest.Quiet(), studiotest.On(m))
	end := h.Start(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx, h.MixerChanged) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		ended <- nil
		end()
	}
	t.Cleanup(stop)
	return h, stop
}

// onOBS is obsHouse, once OBS is connected.
func onOBS(t *testing.T, srv *obstest.Server, dir string, opts studio.Options) (h *studiotest.House, stop func()) {
	t.Helper()
	opts.OBSPassword = cmp.Or(opts.OBSPassword, srv.Password)
	h, stop = obsHouse(t, srv, dir, opts)
	h.Await(t, "OBS is connected", func(st *control.State) bool { return st.Mixer.Connected })
	return h, stop
}

func hasScene(st *control.State, name string, feeds ...string) bool {
	return slices.ContainsFunc(st.Mixer.Sources, func(src mixer.Source) bool {
		return src.Name == name && (len(feeds) == 0 || slices.Equal(src.Feeds, feeds))
	})
}

func TestACommandThatTheMixerDoesNotSupportIsRefused(t *testing.T) {
	h := studiotest.Open(t)
	for name, args := range map[string]string{
		"mixer.studioMode": `{"on":true}`, "mixer.transition": `{"kind":"Fade"}`, "mixer.tbar": `{"position":0.5}`,
		"audio.mute": `{"input":"Mic","muted":true}`, "audio.volume": `{"input":"Mic","db":-3}`, "audio.meters": `{"on":true}`,
		"media.play": `{"input":"clip"}`, "media.pause": `{"input":"clip"}`, "media.restart": `{"input":"clip"}`, "media.stop": `{"input":"clip"}`,
		"output.start": `{"output":"stream"}`, "output.stop": `{"output":"stream"}`, "obs.collection": `{"name":"a"}`, "obs.profile": `{"name":"a"}`,
		"obs.provision": `{"preview":true}`, "obs.undo": `{}`,
	} {
		h.Fails(t, name, args, control.Unsupported)
	}
	if h.Now().OBS.Available {
		t.Error("a panel would offer to set it up")
	}
}

func TestOBSIsDrivenByCommands(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	h, _ := onOBS(t, srv, t.TempDir(), studio.Options{})
	h.Do(t, "mixer.transition", `{"kind":"Swipe","durationMs":100}`)
	h.Await(t, "a swipe", func(st *control.State) bool {
		return st.Mixer.Transition == mixer.Transition{Kind: "Swipe", DurationMs: 100}
	})
	h.Do(t, "mixer.preview", `{"source":"cam1"}`)
	h.Do(t, "mixer.take", `{}`)
	h.Await(t, "cam1 on air", func(st *control.State) bool { return st.Mixer.Program == "cam1" && !st.Mixer.InTransition })
	h.Do(t, "mixer.cut", `{"source":"cam2"}`)
	h.Await(t, "cam2 is red", func(st *control.State) bool {
		return st.Tally["cam2"] == control.LightProgram || st.Tally["cam2"] == control.LightBoth
	})
	h.Do(t, "mixer.tbar", `{"position":0.4}`)
	h.Do(t, "mixer.tbar", `{"position":0,"done":true}`)
	h.Do(t, "mixer.studioMode", `{"on":false}`)
	h.Await(t, "no preview bus", func(st *control.State) bool { return !st.Mixer.StudioMode })
	h.Fails(t, "mixer.tbar", `{"position":0.5}`, control.Conflict)
	h.Do(t, "audio.mute", `{"input":"cam1 input","muted":true}`)
	h.Do(t, "audio.volume", `{"input":"cam1 input","db":-12.5}`)
	h.Await(t, "muted at -12.5", func(st *control.State) bool {
		return slices.ContainsFunc(st.Mixer.Audio, func(a mixer.AudioInput) bool { return a.Name == "cam1 input" && a.Muted && a.DB == -12.5 })
	})
	h.Fails(t, "audio.mute", `{"input":"nobody","muted":true}`, control.NotFound)
	h.Fails(t, "audio.volume", `{"input":"cam1 input","db":27}`, control.BadRequest)
	h.Fails(t, "media.pause", `{"input":"cam1 input"}`, control.NotFound) // a camera can't be paused
	h.Fails(t, "output.start", `{"output":"replay"}`, control.NotFound)
	h.Fails(t, "obs.profile", `{"name":"Third"}`, control.NotFound)
	h.Do(t, "obs.profile", `{"name":"Second"}`)
	h.Do(t, "obs.collection", `{"name":"Second"}`)
	h.Await(t, "the second of each", func(st *control.State) bool {
		return st.Mixer.Profiles.Current == "Second" && st.Mixer.Collections.Current == "Second"
	})
	srv.Down()
	h.Await(t, "away", func(st *control.State) bool { return !st.Mixer.Connected && st.Mixer.Problem != "" })
	for name, args := range map[string]string{"mixer.studioMode": `{"on":true}`, "obs.provision": `{}`, "output.stop": `{"output":"stream"}`, "mixer.cut": `{"source":"cam1"}`} {
		h.Fails(t, name, args, control.Offline)
	}
}

func TestTheOBSSetupFollowsTheCamerasAndIsUndone(t *testing.T) {
	srv, dir := obstest.Start(t, "user's own"), t.TempDir()
	h, stop := onOBS(t, srv, dir, studio.Options{})
	before := srv.Dump()
	h.Do(t, "feed.add", `{"id":"cam1","name":"Main"}`)
	h.Do(t, "feed.add", `{"id":"cam2","name":"Goal"}`)
	if st := h.Now(); hasScene(&st, naming.Scene("Main")) {
		t.Fatal("OBS was changed before anybody asked")
	}
	plan := h.Do(t, "obs.provision", `{"preview":true,"videoKbps":3000}`).(studio.Provisioned)
	if plan.Done || len(plan.Steps) < 8 || srv.Dump() != before {
		t.Fatalf("a preview did something: %+v", plan)
	}
	done := h.Do(t, "obs.provision", `{"videoKbps":3000}`).(studio.Provisioned)
	if !done.Done || !slices.Equal(done.Steps, plan.Steps) {
		t.Fatalf("done %+v\nplanned %+v", done, plan)
	}
	if text, _ := json.Marshal(done); strings.Contains(string(text), h.MixerKey()) || !strings.Contains(string(text), "3000") {
		t.Errorf("%s", text)
	}
	h.Await(t, "two cameras", func(st *control.State) bool {
		return hasScene(st, naming.Scene("Main"), "cam1") && hasScene(st, naming.TwoUp, "cam1", "cam2") && !hasScene(st, naming.Content) && st.OBS.Available && st.OBS.CanUndo && st.OBS.Since != nil
	})
	if again := h.Do(t, "obs.provision", `{}`).(studio.Provisioned); len(again.Steps) != 0 {
		t.Errorf("the second time: %+v", again)
	}
	h.Do(t, "feed.update", `{"id":"cam1","name":"Centre"}`)
	h.Do(t, "feed.add", `{"id":"cam3","name":"Tunnel"}`)
	h.Await(t, "the rename and the new one", func(st *control.State) bool {
		return hasScene(st, naming.Scene("Centre"), "cam1") && hasScene(st, naming.Scene("Tunnel"), "cam3") && !hasScene(st, naming.Scene("Main"))
	})
	stop() // and while OBS is away, or we are, the cameras change
	h, _ = onOBS(t, srv, dir, studio.Options{})
	srv.Down()
	h.Await(t, "away", func(st *control.State) bool { return !st.Mixer.Connected })
	h.Do(t, "feed.update", `{"id":"cam1","name":"Middle"}`)
	h.Do(t, "feed.remove", `{"id":"cam3"}`)
	srv.Up()
	h.Await(t, "what it missed", func(st *control.State) bool {
		return hasScene(st, naming.Scene("Middle"), "cam1") && slices.Equal(st.OBS.RemovedFeeds, []string{"cam3"}) && hasScene(st, naming.Scene("Tunnel"), "cam3")
	})
	h.Fails(t, "obs.provision", `{"remove":["cam1"]}`, control.BadRequest)
	h.Do(t, "obs.provision", `{"remove":["cam3"]}`)
	h.Await(t, "the orphan is gone", func(st *control.State) bool {
		return !hasScene(st, naming.Scene("Tunnel")) && len(st.OBS.RemovedFeeds) == 0
	})
	h.Do(t, "obs.undo", ``)
	if after := srv.Dump(); after != before {
		t.Errorf("put back, OBS is\n%s\nand was\n%s", after, before)
	}
	h.Await(t, "nothing to put back", func(st *control.State) bool { return !st.OBS.CanUndo && st.OBS.Since == nil })
	h.Fails(t, "obs.undo", ``, control.Refused)
	h.Do(t, "feed.add", `{"id":"cam4","name":"Late"}`)
	h.Do(t, "mixer.studioMode", `{"on":true}`) // OBS has answered since
	if after := srv.Dump(); after != before {
		t.Errorf("OBS is followed though nothing is set up: %s", after)
	}
}

func TestAChangeThatOBSRefusesIsLoggedOnce(t *testing.T) {
	srv := obstest.Start(t, "user's own")
	h, _ := onOBS(t, srv, t.TempDir(), studio.Options{})
	h.Do(t, "feed.add", `{"id":"cam1","name":"Main"}`)
	h.Do(t, "obs.provision", ``)
	srv.Refuse("CreateScene", 601) // the operator's own has this name
	h.Do(t, "feed.add", `{"id":"cam2","name":"Goal"}`)
	refused := func(n int) {
		t.Helper()
		testkit.Eventually(t, 10*time.Second, func() bool { return srv.Requests("CreateScene") >= n }, "asked %d times", n)
	}
	asked := srv.Requests("CreateScene")
	for n := range 3 {
		refused(asked + n)
		h.FollowOBS() // as after some seconds
	}
	refused(asked + 3)
	said := 0
	for _, e := range h.Now().Log {
		if strings.Contains(e.Text, "OBS could not be updated") {
			said++
		}
	}
	if said != 1 {
		t.Errorf("said %d times", said)
	}
}

func TestScenesThatTheOperatorDeletedStayDeleted(t *testing.T) {
	srv := obstest.Start(t, "user's own")
	h, _ := onOBS(t, srv, t.TempDir(), studio.Options{})
	h.Do(t, "feed.add", `{"id":"cam1","name":"Main"}`)
	h.Do(t, "obs.provision", ``)
	asked := srv.Requests("CreateScene")
	srv.Do(removeScene{naming.Scene("Main")}) // the operator does not want it
	srv.Down()
	h.Await(t, "away", func(st *control.State) bool { return !st.Mixer.Connected })
	srv.Up()
	h.Await(t, "back", func(st *control.State) bool { return st.Mixer.Connected && !hasScene(st, naming.Scene("Main")) })
	h.Do(t, "obs.collection", `{"name":"Second"}`)
	h.Await(t, "another collection", func(st *control.State) bool { return st.Mixer.Collections.Current == "Second" && st.OBS.Since == nil })
	h.Do(t, "feed.update", `{"id":"cam1","name":"Renamed"}`)
	h.Fails(t, "obs.undo", ``, control.Refused)
	if n := srv.Requests("CreateScene"); n != asked {
		t.Errorf("%d scenes were made unasked", n-asked)
	}
}

type removeScene struct {
	Name string `json:"sceneName"`
}

func (removeScene) GetRequestName() string { return "RemoveScene" }

func TestOBSThatCannotReachTheCamerasIsWarnedOf(t *testing.T) {
	srv := obstest.Start(t)
	for at, want := range map[string]bool{"obs://192.0.2.9:4455": true, "obs://localhost:4455": false, srv.URL: false} {
		h, _ := onOBS(t, srv, t.TempDir(), studio.Options{MixerURL: at})
		plan := h.Do(t, "obs.provision", `{"preview":true}`).(studio.Provisioned)
		if got := strings.Contains(strings.Join(plan.Notes, " "), "another machine"); got != want {
			t.Errorf("%s: %v", at, plan.Notes)
		}
	}
}

func TestOBSOnAnotherMachineShowsTheMixersKey(t *testing.T) {
	srv := obstest.Start(t)
	h, _ := onOBS(t, srv, t.TempDir(), studio.Options{OBSPlays: "192.0.2.7:8555"})
	h.Do(t, "feed.add", `{"id":"cam1","name":"Main"}`)
	done := h.Do(t, "obs.provision", ``).(studio.Provisioned)
	if text := strings.Join(done.Steps, " "); strings.Contains(text, h.MixerKey()) || !strings.Contains(text, "192.0.2.7:8555/cam1") {
		t.Error(text)
	}
	if !strings.Contains(srv.Dump(), h.MixerKey()) {
		t.Error("OBS was not given the key")
	}
	if err := h.AuthorisePlay("cam1", h.MixerKey(), "192.0.2.9:1"); err != nil {
		t.Error(err)
	}
	if err := h.AuthorisePlay("cam1", "", "192.0.2.9:1"); err == nil {
		t.Error("anybody may play")
	}
	h.Await(t, "the camera in its scene", func(st *control.State) bool { return hasScene(st, naming.Scene("Main"), "cam1") })
}

func TestTheOBSPasswordIsStoredTriedAtOnceAndNeverShown(t *testing.T) {
	srv, dir := obstest.Start(t), t.TempDir()
	h, stop := obsHouse(t, srv, dir, studio.Options{OBSPassword: "the-wrong-password"})
	h.Await(t, "the refusal is said", func(st *control.State) bool { return strings.Contains(st.Mixer.Problem, "refused the password") })
	if _, err := h.Execute(t.Context(), studiotest.As(control.Director), "obs.password", []byte(`{"password":"x"}`)); !errors.Is(err, control.ErrForbidden) {
		t.Errorf("err = %v", err)
	}
	h.Do(t, "obs.password", `{"password":"`+srv.Password+`"}`)
	h.Await(t, "connected", func(st *control.State) bool { return st.Mixer.Connected })
	stop()
	for name, want := range map[string]bool{"secrets.json": true, "show.json": false, "as-run.jsonl": false} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || strings.Contains(string(text), srv.Password) != want {
			t.Errorf("%s: %v: %s", name, err, text)
		}
	}
}

func TestAQuestionInTheLogEndsWithOneMark(t *testing.T) {
	h := studiotest.Open(t)
	h.MixerChanged(mixer.State{Kind: "obs", Problem: "OBS is not responding: is it running?"})
	if !h.Logged("OBS is not responding: is it running?") {
		t.Error(h.Now().Log)
	}
}

func TestTheMixersStreamHasANameInSentences(t *testing.T) {
	h := studiotest.Open(t)
	h.ProgramChanged(program.State{Level: "mixer", OnAir: ingest.Mixer, Target: ingest.Mixer})
	h.ProgramChanged(program.State{Level: "backup", OnAir: "cam1", Target: ingest.Mixer, Reason: "mixer has disconnected"})
	if why := h.Now().Program.Reason; why != "the mixer's output has disconnected" {
		t.Error(why)
	}
	if !h.Logged("The mixer is on air.") || !h.Logged("cam1 is on air as backup: the mixer's output has disconnected.") {
		t.Error(h.Now().Log)
	}
}
