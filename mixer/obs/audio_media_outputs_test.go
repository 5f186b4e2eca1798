package obs_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andreykaipov/goobs/api/events"
	"github.com/andreykaipov/goobs/api/events/subscriptions"
	"github.com/andreykaipov/goobs/api/requests/inputs"
	"github.com/andreykaipov/goobs/api/typedefs"

	"obvan/internal/testkit"
	"obvan/mixer"
	"obvan/mixer/obs/obstest"
)

var (
	_ mixer.StudioModer      = (*runningMixer)(nil)
	_ mixer.TBarMover        = (*runningMixer)(nil)
	_ mixer.AudioMixer       = (*runningMixer)(nil)
	_ mixer.MediaPlayer      = (*runningMixer)(nil)
	_ mixer.OutputSwitch     = (*runningMixer)(nil)
	_ mixer.CollectionSwitch = (*runningMixer)(nil)
)

func output(s *mixer.State, name string) mixer.Output {
	for _, o := range s.Outputs {
		if o.Name == name {
			return o
		}
	}
	return mixer.Output{}
}

// Overlapping starts and stops of one output are not safe in OBS.
func TestStartsAndStopsOfAnOutputDoNotOverlap(t *testing.T) {
	t.Parallel()
	srv := obstest.Start(t, "cam1")
	d := start(t, srv, true)
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			var err error
			if i%3 == 2 {
				err = d.StopOutput(loginContext(t), "stream")
			} else {
				err = d.StartOutput(loginContext(t), "stream")
			}
			if err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
	if srv.Overlapped() {
		t.Fatal("two starts of the stream overlapped")
	}
	noError(t, d.StartOutput(loginContext(t), "stream"))
	d.await("on", func(s *mixer.State) bool {
		return output(s, "stream").State == "on" && output(s, "stream").Since != nil
	})
	noError(t, d.StopOutput(loginContext(t), "stream"))
	if err := d.StartOutput(loginContext(t), "replay"); !errors.Is(err, mixer.ErrNoOutput) {
		t.Errorf("replay: %v", err)
	}
	if err := d.StartOutput(loginContext(t), "teleport"); !errors.Is(err, mixer.ErrNoOutput) {
		t.Errorf("teleport: %v", err)
	}
}

func loginContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Allow(15*time.Second))
	t.Cleanup(cancel)
	return ctx
}

func TestAStreamThatDoesNotStartFailsWithAReason(t *testing.T) {
	t.Parallel()
	srv := obstest.Start(t, "cam1")
	srv.FailStream(true)
	d := start(t, srv, true)
	for to, elsewhere := range map[string]bool{"rtmp://192.0.2.1/live": true, "rtmp://127.0.0.1:1935/mixer": false} {
		srv.Service(to)
		err := d.StartOutput(loginContext(t), "stream")
		if !errors.Is(err, mixer.ErrNotNow) || strings.Contains(err.Error(), "set OBS up again") != elsewhere {
			t.Errorf("start to %s: %v", to, err)
		}
	}
	d.await("a reason", func(s *mixer.State) bool { return output(s, "stream").Reason != "" })
}

func TestTheAudioInputsFollowOBS(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	fader := func(s *mixer.State) mixer.AudioInput {
		for _, a := range s.Audio {
			if a.Name == "cam1 input" {
				return a
			}
		}
		return mixer.AudioInput{}
	}
	noError(t, d.Mute(shortContext(t), "cam1 input", true))
	noError(t, d.Volume(shortContext(t), "cam1 input", -12.5))
	d.await("muted at -12.5", func(s *mixer.State) bool {
		return fader(s) == mixer.AudioInput{Name: "cam1 input", Muted: true, DB: -12.5}
	})
	srv.Do(inputs.NewSetInputMuteParams().WithInputName("cam1 input").WithInputMuted(false)) // in OBS itself
	d.await("unmuted", func(s *mixer.State) bool { return !fader(s).Muted })
	if err := d.Mute(shortContext(t), "no such input", true); !errors.Is(err, mixer.ErrNoInput) {
		t.Errorf("mute: %v", err)
	}
}

func TestOBSSendsMetersOnlyWhileTheyAreSubscribedTo(t *testing.T) {
	srv := obstest.Start(t, "cam1")
	d := start(t, srv, true)
	levels := &events.InputVolumeMeters{Inputs: []*typedefs.InputVolumeMeter{{Name: "cam1 input", Levels: [][3]float64{{0.1, 1, 1}, {0, 0, 0}}}}}
	subscribe := func() (got chan []mixer.Meter, stop func()) {
		ctx, cancel := context.WithCancel(t.Context())
		got, ended := make(chan []mixer.Meter, 1), make(chan struct{})
		go func() {
			defer close(ended)
			noError(t, d.Meters(ctx, func(m []mixer.Meter) {
				select {
				case got <- m:
				default:
				}
			}))
		}()
		return got, func() { cancel(); <-ended }
	}
	want := mixer.Meter{Name: "cam1 input", RMS: []float64{-20, -100}, Peak: []float64{0, -100}}
	for range 2 { // the second time after a lost connection
		got, stop := subscribe()
		testkit.Eventually(t, 10*time.Second, func() bool {
			srv.Event("InputVolumeMeters", subscriptions.InputVolumeMeters, levels)
			select {
			case m := <-got:
				return len(m) == 1 && m[0].Name == want.Name && slices.Equal(m[0].RMS, want.RMS) && slices.Equal(m[0].Peak, want.Peak)
			default:
				return false
			}
		}, "levels")
		stop()
		testkit.Eventually(t, 5*time.Second, func() bool { return srv.Subscribers(subscriptions.InputVolumeMeters) == 0 }, "OBS is unsubscribed from the meters")
		srv.Drop()
		d.await("reconnected", func(s *mixer.State) bool { return s.Connected })
	}
}

func TestAMediaPlayerIsControlledAndACameraIsNot(t *testing.T) {
	srv := obstest.Start(t, "cam1")
	srv.Do(inputs.NewCreateInputParams().WithSceneName("Scene").WithInputName("opener").WithInputKind("ffmpeg_source").
		WithInputSettings(map[string]any{"is_local_file": true, "local_file": "/opener.mp4"}))
	d := start(t, srv, true)
	state := func(want string) {
		t.Helper()
		d.await("the opener is "+want, func(s *mixer.State) bool {
			return len(s.Media) == 1 && s.Media[0].Name == "opener" && s.Media[0].State == want
		})
	}
	noError(t, d.PauseMedia(shortContext(t), "opener"))
	state("paused")
	noError(t, d.RestartMedia(shortContext(t), "opener"))
	state("playing")
	if err := d.PauseMedia(shortContext(t), "cam1 input"); !errors.Is(err, mixer.ErrNoInput) {
		t.Errorf("a camera was paused: %v", err)
	}
}

func TestCollectionsAndProfilesAreChanged(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	noError(t, d.SetCollection(shortContext(t), "Second"))
	noError(t, d.SetProfile(shortContext(t), "Second"))
	d.await("the second of each", func(s *mixer.State) bool {
		return s.Collections.Current == "Second" && s.Profiles.Current == "Second" && s.Problem == ""
	})
	if err := d.SetCollection(shortContext(t), "Third"); !errors.Is(err, mixer.ErrNoChoice) {
		t.Errorf("collection: %v", err)
	}
}

func TestAnOBSThatCrashedIsRestored(t *testing.T) {
	t.Parallel()
	srv := obstest.Start(t, "cam1", "cam2")
	srv.Service("rtmp://127.0.0.1:1935/mixer")
	d := start(t, srv, true)
	noError(t, d.Cut(shortContext(t), "cam2", mixer.Instant))
	noError(t, d.Preview(shortContext(t), "cam1"))
	noError(t, d.StartOutput(loginContext(t), "stream"))
	d.await("on air", func(s *mixer.State) bool {
		return s.Preview == "cam1" && output(s, "stream").State == "on" && s.Health != nil
	})
	srv.Crash()
	d.await("disconnected", func(s *mixer.State) bool { return !s.Connected })
	srv.Up()
	d.await("as it was", func(s *mixer.State) bool {
		return s.Connected && s.StudioMode && s.Program == "cam2" && s.Preview == "cam1" && output(s, "stream").State == "on"
	})
}

func TestAnOBSThatWasQuitIsNotRestored(t *testing.T) {
	srv := obstest.Start(t, "cam1", "cam2")
	d := start(t, srv, true)
	noError(t, d.Cut(shortContext(t), "cam2", mixer.Instant))
	d.await("on air", func(s *mixer.State) bool { return s.Program == "cam2" && s.Health != nil })
	from := d.stateCount()
	srv.Quit()
	d.awaitPast(from, "disconnected", func(s *mixer.State) bool { return !s.Connected && s.Problem == "OBS was closed" })
	srv.Up()
	d.await("reconnected", func(s *mixer.State) bool { return s.Connected })
	if s := d.now(); s.Program != "Scene" || s.StudioMode {
		t.Errorf("state = %+v", s)
	}
}

func TestAnOBSThatCrashesWhileItIsRestoredIsRestoredAgain(t *testing.T) {
	t.Parallel()
	srv := obstest.Start(t, "cam1", "cam2")
	srv.Service("rtmp://127.0.0.1:1935/mixer")
	d := start(t, srv, true)
	noError(t, d.Cut(shortContext(t), "cam2", mixer.Instant))
	noError(t, d.StartOutput(loginContext(t), "stream"))
	d.await("on air", func(s *mixer.State) bool {
		return s.Program == "cam2" && output(s, "stream").State == "on" && s.Health != nil
	})
	srv.Crash()
	d.await("disconnected", func(s *mixer.State) bool { return !s.Connected })
	srv.Up()
	d.await("reconnected", func(s *mixer.State) bool { return s.Connected && s.Program == "cam2" })
	srv.Crash() // before its stream is on
	d.await("disconnected again", func(s *mixer.State) bool { return !s.Connected })
	srv.Up()
	d.await("as it was", func(s *mixer.State) bool {
		return s.Connected && s.Program == "cam2" && output(s, "stream").State == "on"
	})
}

func TestAStreamThatOBSWaitsToReconnectIsRestarted(t *testing.T) {
	t.Parallel()
	srv := obstest.Start(t, "cam1")
	srv.Service("rtmp://127.0.0.1:1935/mixer")
	cfg, arrives := config(srv), atomic.Bool{}
	cfg.StreamArrives = arrives.Load
	d := startWith(t, srv, cfg, true)
	noError(t, d.StartOutput(loginContext(t), "stream"))
	is := func(what, state string) {
		t.Helper()
		d.await(what, func(s *mixer.State) bool { return output(s, "stream").State == state })
	}
	srv.FailStream(true) // and the first attempt fails
	srv.LoseStream()
	is("lost", "reconnecting")
	is("stopped, and not started", "off")
	srv.FailStream(false)
	testkit.Eventually(t, time.Minute, func() bool { s := d.now(); return output(&s, "stream").State == "on" }, "restarted")
	arrives.Store(true)
	srv.LoseStream() // a stream that arrives is not interrupted
	is("lost again", "reconnecting")
	before := srv.Requests("StopStream")
	noError(t, d.StopOutput(shortContext(t), "stream")) // and what an operator stopped stays off
	arrives.Store(false)
	srv.Drop()
	d.await("another connection", func(s *mixer.State) bool { return s.Connected && output(s, "stream").State == "off" })
	if now := srv.Requests("StopStream"); now != before+1 {
		t.Errorf("OBS was requested to stop %d times", now-before)
	}
}
