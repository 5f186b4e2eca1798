package obs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andreykaipov/goobs/api/requests/scenes"

	"obvan/internal/testkit"
	"obvan/mixer"
	"obvan/mixer/mixertest"
	"obvan/mixer/obs"
	"obvan/mixer/obs/obstest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func config(s *obstest.Server) obs.Config {
	return obs.Config{
		URL: s.URL, Password: func() string { return s.Password },
		Play: "rtsp://127.0.0.1:8555", Program: "rtmp://127.0.0.1:1935/mixer",
	}
}

func TestContract(t *testing.T) {
	mixertest.Test(t, func(t *testing.T) mixer.Mixer {
		return obs.New(config(obstest.Start(t, mixertest.Cam1, mixertest.Cam2)), slog.New(slog.NewTextHandler(t.Output(), nil)))
	})
}

// runningMixer is a mixer that runs on a fake OBS.
type runningMixer struct {
	*obs.Mixer
	t   *testing.T
	srv *obstest.Server
	log *bytes.Buffer

	mu     sync.Mutex
	state  mixer.State
	states []mixer.State // all that were reported
}

// start runs a mixer on srv, and waits until it is connected if requested.
func start(t *testing.T, srv *obstest.Server, connected bool) *runningMixer {
	t.Helper()
	return startWith(t, srv, config(srv), connected)
}

func startWith(t *testing.T, srv *obstest.Server, cfg obs.Config, connected bool) *runningMixer {
	t.Helper()
	d := &runningMixer{t: t, srv: srv, log: &bytes.Buffer{}}
	d.Mixer = obs.New(cfg, slog.New(slog.NewTextHandler(lockedWriter{&d.mu, d.log}, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx, d.changed) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	if connected {
		d.await("connected", func(s *mixer.State) bool { return s.Connected })
	}
	return d
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (d *runningMixer) changed(s mixer.State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state, d.states = s, append(d.states, s)
}

func (d *runningMixer) now() mixer.State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

func (d *runningMixer) logged(text string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Count(d.log.String(), text)
}

func (d *runningMixer) await(what string, fact func(s *mixer.State) bool) {
	d.t.Helper()
	defer func() {
		if d.t.Failed() {
			d.t.Logf("state: %+v", d.now())
		}
	}()
	testkit.Eventually(d.t, 15*time.Second, func() bool {
		s := d.now()
		return fact(&s)
	}, "%s", what)
}

// stateCount is how many states there were so far.
func (d *runningMixer) stateCount() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.states)
}

// awaitPast is await for what may be over soon: any state since state number from.
func (d *runningMixer) awaitPast(from int, what string, fact func(s *mixer.State) bool) {
	d.t.Helper()
	testkit.Eventually(d.t, 15*time.Second, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return slices.ContainsFunc(d.states[from:], func(s mixer.State) bool { return fact(&s) })
	}, "%s", what)
}

func (d *runningMixer) onAir(source string, feeds ...string) {
	d.t.Helper()
	d.await(source+" on air", func(s *mixer.State) bool {
		return s.Program == source && !s.InTransition && slices.Equal(s.OnAir, feeds)
	})
}

func shortContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Allow(5*time.Second))
	t.Cleanup(cancel)
	return ctx
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnOBSThatIsNotRunningYetIsConnectedLater(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	srv.Down()
	d := start(t, srv, false)
	d.await("the problem", func(s *mixer.State) bool { return strings.Contains(s.Problem, "is not responding") })
	if err := d.Cut(shortContext(t), "cam1", mixer.Instant); !errors.Is(err, mixer.ErrOffline) {
		t.Errorf("cut: %v", err)
	}
	srv.Up()
	d.await("connected", func(s *mixer.State) bool { return s.Connected && s.Problem == "" })
}

func TestAWrongPasswordIsReportedOnceAndRarelyRetried(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	right := srv.Password
	var mu sync.Mutex
	password := "guess"
	d := &runningMixer{t: t, srv: srv, log: &bytes.Buffer{}}
	cfg := config(srv)
	tried := 0
	cfg.Password = func() string {
		mu.Lock()
		defer mu.Unlock()
		tried++
		return password
	}
	d.Mixer = obs.New(cfg, slog.New(slog.NewTextHandler(lockedWriter{&d.mu, d.log}, nil)))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); d.Run(ctx, d.changed) }()
	defer func() { cancel(); <-ended }()
	d.await("the password is refused", func(s *mixer.State) bool { return strings.Contains(s.Problem, "password") })
	if n := d.logged("OBS is not connected"); n != 1 || d.logged("guess") != 0 || d.logged(right) != 0 {
		t.Errorf("reported %d times; log: %s", n, d.log.String())
	}
	mu.Lock()
	password = right // it is corrected: that must not take 30 s
	mu.Unlock()
	d.await("connected", func(s *mixer.State) bool { return s.Connected })
}

func TestAnOBSThatOnlyAcceptsTheLoginIsReportedOnceAsNotConnected(t *testing.T) {
	t.Parallel()
	srv := obstest.Start(t, "cam1")
	srv.Slow(time.Minute)
	d := start(t, srv, false)
	for n := 1; ; n++ {
		testkit.Eventually(t, 15*time.Second, func() bool { return srv.Requests("GetVersion") >= n }, "question %d", n)
		if n == 4 {
			break
		}
		srv.Drop()
	}
	if away, connected := d.logged("OBS is not connected"), d.logged("OBS connected"); away != 1 || connected != 0 {
		t.Errorf("reported as not connected %d times and as connected %d times", away, connected)
	}
}

func TestTheVersionIsThatOfOBSAndStaysWhileItIsDisconnected(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	if s := d.now(); s.Version != "29.0.2" {
		t.Fatalf("version = %q", s.Version)
	}
	srv.Down()
	d.await("disconnected", func(s *mixer.State) bool { return !s.Connected && s.Version == "29.0.2" })
}

func TestTheMixerReconnectsAfterEachKindOfConnectionLoss(t *testing.T) {
	t.Parallel()
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	for name, lose := range map[string]func(){
		"dropped": srv.Drop, "reset": srv.Reset, "down": func() { srv.Down(); srv.Up() },
		"silent": srv.Freeze,
	} {
		from := d.stateCount()
		lose()
		d.awaitPast(from, name+": disconnected", func(s *mixer.State) bool {
			hangs := strings.Contains(s.Problem, "has stopped responding")
			return !s.Connected && len(s.OnAir) == 0 && s.Program == "" && hangs == (name == "silent")
		})
		srv.Unfreeze()
		d.await(name+": reconnected", func(s *mixer.State) bool { return s.Connected })
		for _, cam := range []string{"cam1", "cam2"} {
			noError(t, d.Cut(shortContext(t), cam, mixer.Instant))
			d.onAir(cam, cam)
		}
	}
}

func TestTheSourcesStayInTheStateWhenOBSQuits(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	from, before := d.stateCount(), srv.Requests("GetSceneList")
	restore := srv.RemoveAll()
	testkit.Eventually(t, 5*time.Second, func() bool { return srv.Requests("GetSceneList") > before+2 }, "the scenes are requested")
	srv.Drop()
	d.awaitPast(from, "disconnected", func(s *mixer.State) bool { return !s.Connected })
	restore()
	d.await("reconnected", func(s *mixer.State) bool { return s.Connected })
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.states[from:] {
		if len(s.Sources) != 3 || !slices.Equal(s.Sources[2].Feeds, []string{"cam2"}) && !slices.Equal(s.Sources[0].Feeds, []string{"cam2"}) {
			t.Errorf("sources: %v", s.Sources)
		}
	}
}

// dropDuring is the result of a command whose connection is lost during a request.
func (d *runningMixer) dropDuring(request string, command func(ctx context.Context) error) error {
	d.t.Helper()
	d.srv.Slow(10 * time.Second)
	defer d.srv.Slow(0)
	before := d.srv.Requests(request)
	result := make(chan error, 1)
	go func() { result <- command(context.WithoutCancel(d.t.Context())) }()
	testkit.Eventually(d.t, 5*time.Second, func() bool { return d.srv.Requests(request) > before }, "sent")
	d.srv.Drop()
	return <-result
}

func TestACutThatWasNeverSentIsReportedAsNotDone(t *testing.T) {
	d := start(t, obstest.Start(t, "cam1", "cam2"), true)
	err := d.dropDuring("GetSceneSceneTransitionOverride", func(ctx context.Context) error { return d.Cut(ctx, "cam2", mixer.Instant) })
	if !errors.Is(err, mixer.ErrOffline) || errors.Is(err, mixer.ErrUnsure) {
		t.Errorf("cut: %v", err)
	}
}

func TestACommandWhoseConnectionBreaksIsUnsure(t *testing.T) {
	d := start(t, obstest.Start(t, "cam1", "cam2"), true)
	err := d.dropDuring("SetCurrentPreviewScene", func(ctx context.Context) error { return d.Preview(ctx, "cam2") })
	if !errors.Is(err, mixer.ErrUnsure) {
		t.Errorf("preview: %v", err)
	}
	d.await("reconnected", func(s *mixer.State) bool { return s.Connected })
}

func TestALateAnswerIsDroppedAndTheNextCommandWorks(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	srv.Slow(time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := d.Preview(ctx, "cam2"); !errors.Is(err, mixer.ErrUnsure) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("preview: %v", err)
	}
	srv.Slow(0)
	for range 5 {
		noError(t, d.Preview(shortContext(t), "cam1"))
	}
	d.await("the state is correct", func(s *mixer.State) bool { return s.Connected && s.Preview == "cam1" || s.Preview == "cam2" })
}

func TestAnEventFloodCostsBoundedMemoryAndEndsInTheRightState(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	noError(t, d.Cut(shortContext(t), "cam1", mixer.Instant))
	noError(t, d.Preview(shortContext(t), "cam2"))
	d.await("ready", func(s *mixer.State) bool { return s.Program == "cam1" && s.Preview == "cam2" })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := time.Now()
	srv.Flood(20_000) // two events each
	srv.Do(scenes.NewCreateSceneParams().WithSceneName("after the flood"))
	d.await("the scene after the flood", func(s *mixer.State) bool {
		return s.Program == "cam1" && s.Preview == "cam2" && slices.ContainsFunc(s.Sources, func(src mixer.Source) bool { return src.Name == "after the flood" })
	})
	took := time.Since(begin)
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("40000 events in %v, heap %d KB more", took, (int64(after.HeapAlloc)-int64(before.HeapAlloc))/1024)
	if int64(after.HeapAlloc)-int64(before.HeapAlloc) > 16<<20 {
		t.Error("the flood is still in memory")
	}
	noError(t, d.Cut(shortContext(t), "cam2", mixer.Instant))
	d.onAir("cam2", "cam2")
}

func TestAnOldOBSHasFewerSectionsWithoutAnError(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	srv.MakeUnknown("GetSourceActive", "GetSceneCollectionList", "GetProfileList", "GetRecordStatus", "GetInputVolume", "GetCurrentSceneTransitionCursor")
	d := start(t, srv, true)
	s := d.now()
	if s.Problem != "" || s.Collections != nil || s.Profiles != nil || len(s.Audio) != 0 || len(s.Outputs) != 1 {
		t.Errorf("state = %+v", s)
	}
	noError(t, d.Cut(shortContext(t), "cam1", mixer.Instant))
	d.onAir("cam1", "cam1") // from the items of the scene
}
