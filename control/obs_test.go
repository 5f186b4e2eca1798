package control

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"obvan/ingest"
	"obvan/internal/testkit"
	"obvan/mixer"
	"obvan/mixer/obs"
	"obvan/mixer/obs/obstest"
	"obvan/mixer/obs/ours"
	"obvan/mixer/program"
)

// obsHouse is a studio that runs on a fake OBS.
func obsHouse(t *testing.T, srv *obstest.Server, dir string, opts Options) (h *house, stop func()) {
	t.Helper()
	opts.Token, opts.OBSPlays, opts.OBSSends = adminToken, or(opts.OBSPlays, "127.0.0.1:8555"), or(opts.OBSSends, "127.0.0.1:1935")
	m := obs.New(obs.Config{
		URL: srv.URL, Password: func() string { return h.OBSPassword() },
		Play: "rtsp://" + opts.OBSPlays, Program: "rtmp://" + opts.OBSSends + "/mixer",
	}, quiet())
	h = buildOn(t, dir, newDesk(), m, opts, quiet())
	end := h.start(t)
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
func onOBS(t *testing.T, srv *obstest.Server, dir string, opts Options) (h *house, stop func()) {
	t.Helper()
	opts.OBSPassword = or(opts.OBSPassword, srv.Password)
	h, stop = obsHouse(t, srv, dir, opts)
	h.await(t, "OBS is connected", func(st *State) bool { return st.Mixer.Connected })
	return h, stop
}

func (h *house) await(t *testing.T, what string, fact func(st *State) bool) {
	t.Helper()
	testkit.Eventually(t, 10*time.Second, func() bool { st := h.now(); return fact(&st) }, "%s", what)
}

func (h *house) fails(t *testing.T, name, args string, want Word) {
	t.Helper()
	_, err := h.run(t.Context(), as(Admin), name, []byte(args))
	if word, _ := Code(err); err == nil || word != want {
		t.Errorf("%s %s: %v (%s), want %s", name, args, err, word, want)
	}
}

func hasScene(st *State, name string, feeds ...string) bool {
	return slices.ContainsFunc(st.Mixer.Sources, func(src mixer.Source) bool {
		return src.Name == name && (len(feeds) == 0 || slices.Equal(src.Feeds, feeds))
	})
}

func TestWhatAMixerCannotDoIsUnsupported(t *testing.T) {
	h := open(t)
	for name, args := range map[string]string{
		"mixer.studioMode": `{"on":true}`, "mixer.transition": `{"kind":"Fade"}`, "mixer.tbar": `{"position":0.5}`,
		"audio.mute": `{"input":"Mic","muted":true}`, "audio.volume": `{"input":"Mic","db":-3}`, "audio.meters": `{"on":true}`,
		"media.play": `{"input":"clip"}`, "media.pause": `{"input":"clip"}`, "media.restart": `{"input":"clip"}`, "media.stop": `{"input":"clip"}`,
		"output.start": `{"output":"stream"}`, "output.stop": `{"output":"stream"}`, "obs.collection": `{"name":"a"}`, "obs.profile": `{"name":"a"}`,
		"obs.provision": `{"preview":true}`, "obs.undo": `{}`,
	} {
		h.fails(t, name, args, Unsupported)
	}
	if h.now().OBS.Available {
		t.Error("a panel would offer to set it up")
	}
}

func TestOBSIsDrivenByCommands(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	h, _ := onOBS(t, srv, t.TempDir(), Options{})
	h.do(t, "mixer.transition", `{"kind":"Swipe","durationMs":100}`)
	h.await(t, "a swipe", func(st *State) bool { return st.Mixer.Transition == mixer.Transition{Kind: "Swipe", DurationMs: 100} })
	h.do(t, "mixer.preview", `{"source":"cam1"}`)
	h.do(t, "mixer.take", `{}`)
	h.await(t, "cam1 on air", func(st *State) bool { return st.Mixer.Program == "cam1" && !st.Mixer.InTransition })
	h.do(t, "mixer.cut", `{"source":"cam2"}`)
	h.await(t, "cam2 is red", func(st *State) bool { return st.Tally["cam2"] == LightProgram || st.Tally["cam2"] == LightBoth })
	h.do(t, "mixer.tbar", `{"position":0.4}`)
	h.do(t, "mixer.tbar", `{"position":0,"done":true}`)
	h.do(t, "mixer.studioMode", `{"on":false}`)
	h.await(t, "no preview bus", func(st *State) bool { return !st.Mixer.StudioMode })
	h.fails(t, "mixer.tbar", `{"position":0.5}`, Conflict)
	h.do(t, "audio.mute", `{"input":"cam1 input","muted":true}`)
	h.do(t, "audio.volume", `{"input":"cam1 input","db":-12.5}`)
	h.await(t, "muted at -12.5", func(st *State) bool {
		return slices.ContainsFunc(st.Mixer.Audio, func(a mixer.AudioInput) bool { return a.Name == "cam1 input" && a.Muted && a.DB == -12.5 })
	})
	h.fails(t, "audio.mute", `{"input":"nobody","muted":true}`, NotFound)
	h.fails(t, "audio.volume", `{"input":"cam1 input","db":27}`, BadRequest)
	h.fails(t, "media.pause", `{"input":"cam1 input"}`, NotFound) // nobody may pause a camera
	h.fails(t, "output.start", `{"output":"replay"}`, NotFound)
	h.fails(t, "obs.profile", `{"name":"Third"}`, NotFound)
	h.do(t, "obs.profile", `{"name":"Second"}`)
	h.do(t, "obs.collection", `{"name":"Second"}`)
	h.await(t, "the second of each", func(st *State) bool {
		return st.Mixer.Profiles.Current == "Second" && st.Mixer.Collections.Current == "Second"
	})
	srv.Down()
	h.await(t, "away", func(st *State) bool { return !st.Mixer.Connected && st.Mixer.Problem != "" })
	for name, args := range map[string]string{"mixer.studioMode": `{"on":true}`, "obs.provision": `{}`, "output.stop": `{"output":"stream"}`, "mixer.cut": `{"source":"cam1"}`} {
		h.fails(t, name, args, Offline)
	}
}

func TestOBSIsSetUpFollowsTheCamerasAndIsPutBack(t *testing.T) {
	srv, dir := obstest.Start(t, "user's own"), t.TempDir()
	h, stop := onOBS(t, srv, dir, Options{})
	before := srv.Dump()
	h.do(t, "feed.add", `{"id":"cam1","name":"Main"}`)
	h.do(t, "feed.add", `{"id":"cam2","name":"Goal"}`)
	if st := h.now(); hasScene(&st, ours.Scene("Main")) {
		t.Fatal("OBS was changed before anybody asked")
	}
	plan := h.do(t, "obs.provision", `{"preview":true,"videoKbps":3000}`).(Provisioned)
	if plan.Done || len(plan.Steps) < 8 || srv.Dump() != before {
		t.Fatalf("a preview did something: %+v", plan)
	}
	done := h.do(t, "obs.provision", `{"videoKbps":3000}`).(Provisioned)
	if !done.Done || !slices.Equal(done.Steps, plan.Steps) {
		t.Fatalf("done %+v\nplanned %+v", done, plan)
	}
	if text, _ := json.Marshal(done); strings.Contains(string(text), h.MixerKey()) || !strings.Contains(string(text), "3000") {
		t.Errorf("%s", text)
	}
	h.await(t, "two cameras", func(st *State) bool {
		return hasScene(st, ours.Scene("Main"), "cam1") && hasScene(st, ours.TwoUp, "cam1", "cam2") && !hasScene(st, ours.Plate) && st.OBS.Available && st.OBS.CanUndo && st.OBS.Since != nil
	})
	if again := h.do(t, "obs.provision", `{}`).(Provisioned); len(again.Steps) != 0 {
		t.Errorf("the second time: %+v", again)
	}
	h.do(t, "feed.update", `{"id":"cam1","name":"Centre"}`)
	h.do(t, "feed.add", `{"id":"cam3","name":"Tunnel"}`)
	h.await(t, "the rename and the new one", func(st *State) bool {
		return hasScene(st, ours.Scene("Centre"), "cam1") && hasScene(st, ours.Scene("Tunnel"), "cam3") && !hasScene(st, ours.Scene("Main"))
	})
	stop() // and while OBS is away, or we are, the cameras change
	h, _ = onOBS(t, srv, dir, Options{})
	srv.Down()
	h.await(t, "away", func(st *State) bool { return !st.Mixer.Connected })
	h.do(t, "feed.update", `{"id":"cam1","name":"Middle"}`)
	h.do(t, "feed.remove", `{"id":"cam3"}`)
	srv.Up()
	h.await(t, "what it missed", func(st *State) bool {
		return hasScene(st, ours.Scene("Middle"), "cam1") && slices.Equal(st.OBS.RemovedFeeds, []string{"cam3"}) && hasScene(st, ours.Scene("Tunnel"), "cam3")
	})
	h.fails(t, "obs.provision", `{"remove":["cam1"]}`, BadRequest)
	h.do(t, "obs.provision", `{"remove":["cam3"]}`)
	h.await(t, "the orphan is gone", func(st *State) bool { return !hasScene(st, ours.Scene("Tunnel")) && len(st.OBS.RemovedFeeds) == 0 })
	h.do(t, "obs.undo", ``)
	if after := srv.Dump(); after != before {
		t.Errorf("put back, OBS is\n%s\nand was\n%s", after, before)
	}
	h.await(t, "nothing to put back", func(st *State) bool { return !st.OBS.CanUndo && st.OBS.Since == nil })
	h.fails(t, "obs.undo", ``, Refused)
	h.do(t, "feed.add", `{"id":"cam4","name":"Late"}`)
	h.do(t, "mixer.studioMode", `{"on":true}`) // OBS has answered since
	if after := srv.Dump(); after != before {
		t.Errorf("OBS is followed though nothing is set up: %s", after)
	}
}

func TestWhatOBSDoesNotTakeIsSaidOnce(t *testing.T) {
	srv := obstest.Start(t, "user's own")
	h, _ := onOBS(t, srv, t.TempDir(), Options{})
	h.do(t, "feed.add", `{"id":"cam1","name":"Main"}`)
	h.do(t, "obs.provision", ``)
	srv.Refuse("CreateScene", 601) // the operator's own has this name
	h.do(t, "feed.add", `{"id":"cam2","name":"Goal"}`)
	refused := func(n int) {
		t.Helper()
		testkit.Eventually(t, 10*time.Second, func() bool { return srv.Asked("CreateScene") >= n }, "asked %d times", n)
	}
	asked := srv.Asked("CreateScene")
	for n := range 3 {
		refused(asked + n)
		h.desks.setup.look() // as after some seconds
	}
	refused(asked + 3)
	said := 0
	for _, e := range h.now().Log {
		if strings.Contains(e.Text, "OBS was not told") {
			said++
		}
	}
	if said != 1 {
		t.Errorf("said %d times", said)
	}
}

func TestWhatOBSWasToldOfIsLeftAloneAfterwards(t *testing.T) {
	srv := obstest.Start(t, "user's own")
	h, _ := onOBS(t, srv, t.TempDir(), Options{})
	h.do(t, "feed.add", `{"id":"cam1","name":"Main"}`)
	h.do(t, "obs.provision", ``)
	asked := srv.Asked("CreateScene")
	srv.Do(removeScene{ours.Scene("Main")}) // the operator does not want it
	srv.Down()
	h.await(t, "away", func(st *State) bool { return !st.Mixer.Connected })
	srv.Up()
	h.await(t, "back", func(st *State) bool { return st.Mixer.Connected && !hasScene(st, ours.Scene("Main")) })
	h.do(t, "obs.collection", `{"name":"Second"}`)
	h.await(t, "another collection", func(st *State) bool { return st.Mixer.Collections.Current == "Second" && st.OBS.Since == nil })
	h.do(t, "feed.update", `{"id":"cam1","name":"Renamed"}`)
	h.fails(t, "obs.undo", ``, Refused)
	if n := srv.Asked("CreateScene"); n != asked {
		t.Errorf("%d scenes were made unasked", n-asked)
	}
}

type removeScene struct {
	Name string `json:"sceneName"`
}

func (removeScene) GetRequestName() string { return "RemoveScene" }

func TestOBSThatCannotReachTheCamerasIsTold(t *testing.T) {
	srv := obstest.Start(t)
	for at, want := range map[string]bool{"obs://192.0.2.9:4455": true, "obs://localhost:4455": false, srv.URL: false} {
		h, _ := onOBS(t, srv, t.TempDir(), Options{MixerURL: at})
		plan := h.do(t, "obs.provision", `{"preview":true}`).(Provisioned)
		if got := strings.Contains(strings.Join(plan.Notes, " "), "another machine"); got != want {
			t.Errorf("%s: %v", at, plan.Notes)
		}
	}
}

func TestOBSOnAnotherMachineShowsTheMixersKey(t *testing.T) {
	srv := obstest.Start(t)
	h, _ := onOBS(t, srv, t.TempDir(), Options{OBSPlays: "192.0.2.7:8555"})
	h.do(t, "feed.add", `{"id":"cam1","name":"Main"}`)
	done := h.do(t, "obs.provision", ``).(Provisioned)
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
	h.await(t, "the camera in its scene", func(st *State) bool { return hasScene(st, ours.Scene("Main"), "cam1") })
}

func TestThePasswordIsKeptTriedAtOnceAndNeverShown(t *testing.T) {
	srv, dir := obstest.Start(t), t.TempDir()
	h, stop := obsHouse(t, srv, dir, Options{OBSPassword: "the-wrong-password"})
	h.await(t, "the refusal is said", func(st *State) bool { return strings.Contains(st.Mixer.Problem, "refused the password") })
	if _, err := h.run(t.Context(), as(Director), "obs.password", []byte(`{"password":"x"}`)); !errors.Is(err, ErrForbidden) {
		t.Errorf("err = %v", err)
	}
	h.do(t, "obs.password", `{"password":"`+srv.Password+`"}`)
	h.await(t, "connected", func(st *State) bool { return st.Mixer.Connected })
	stop()
	for name, want := range map[string]bool{"secrets.json": true, "show.json": false, "as-run.jsonl": false} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || strings.Contains(string(text), srv.Password) != want {
			t.Errorf("%s: %v: %s", name, err, text)
		}
	}
}

func TestLevelsComeOnlyWhileAPanelLooks(t *testing.T) {
	srv := obstest.Start(t, "cam1")
	h, _ := onOBS(t, srv, t.TempDir(), Options{})
	h.fails(t, "audio.meters", `{"on":true}`, BadRequest) // by no websocket
	const meters = 1 << 16                                // obs-websocket's InputVolumeMeters
	l := h.connect(t, adminToken)
	l.say(`{"jsonrpc":"2.0","id":1,"method":"audio.meters","params":{"on":true}}`)
	testkit.Eventually(t, 5*time.Second, func() bool { return srv.Hearing(meters) == 1 }, "OBS is asked for levels")
	var seen bool
	for !seen {
		srv.Event("InputVolumeMeters", meters, map[string]any{"inputs": []any{map[string]any{"inputName": "cam1 input", "inputLevelsMul": [][]float64{{0.1, 0.5, 0.5}}}}})
		m := l.hear()
		seen = m.Method == "meters"
	}
	l.say(`{"jsonrpc":"2.0","id":2,"method":"audio.meters","params":{"on":false}}`)
	l.answer("2")
	testkit.Eventually(t, 5*time.Second, func() bool { return srv.Hearing(meters) == 0 }, "OBS may be quiet")
	l.say(`{"jsonrpc":"2.0","id":3,"method":"audio.meters","params":{"on":true}}`)
	testkit.Eventually(t, 5*time.Second, func() bool { return srv.Hearing(meters) == 1 }, "OBS is asked for levels")
	l.Close()
	testkit.Eventually(t, 5*time.Second, func() bool { return srv.Hearing(meters) == 0 }, "nobody looks any more")
}

func TestAQuestionInTheLogEndsWithOneMark(t *testing.T) {
	h := open(t)
	h.MixerChanged(mixer.State{Kind: "obs", Problem: "OBS does not answer: is it running?"})
	if !h.logged("The mixer (obs): OBS does not answer: is it running?") {
		t.Error(h.now().Log)
	}
}

func TestTheMixersStreamIsCalledWhatItIs(t *testing.T) {
	h := open(t)
	h.ProgramChanged(program.State{Level: "mixer", OnAir: ingest.Mixer, Target: ingest.Mixer})
	h.ProgramChanged(program.State{Level: "backup", OnAir: "cam1", Target: ingest.Mixer, Reason: "mixer is gone"})
	if why := h.now().Program.Reason; why != "the mixer's output is gone" {
		t.Error(why)
	}
	if !h.logged("The mixer is on air.") || !h.logged("The backup cam1 is on air: the mixer's output is gone.") {
		t.Error(h.now().Log)
	}
}
