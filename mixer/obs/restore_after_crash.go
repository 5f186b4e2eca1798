package obs

import (
	"context"
	"slices"
	"strings"

	"github.com/andreykaipov/goobs/api/requests/config"
	"github.com/andreykaipov/goobs/api/requests/general"
	"github.com/andreykaipov/goobs/api/requests/scenes"
	"github.com/andreykaipov/goobs/api/requests/ui"

	"obvan/mixer"
	"obvan/mixer/obs/mirror"
	"obvan/mixer/obs/wire"
)

// snapshot is what OBS was doing when its connection was lost.
type snapshot struct {
	renderedFrames float64 // since OBS' start; 0 for no snapshot
	mixer.State
	streaming bool
	attempts  int // restores to it that were cut short
}

// maxRestores is how often an OBS that crashes while it is restored is restored again:
// what it was doing may be what makes it crash.
const maxRestores = 3

func (m *Mixer) saveSnapshot(s *session) {
	if !s.synced {
		return // the last snapshot is still valid
	}
	if s.mirror.Leaving() { // OBS was quit on purpose
		m.snapshot = snapshot{}
		m.restarting.Store(false)
		return
	}
	if s.restoring.renderedFrames > 0 && s.restoring.attempts < maxRestores { // not restored yet: its present state is not the one to keep
		m.snapshot = s.restoring
		m.snapshot.attempts++
		return
	}
	state := s.mirror.State()
	on := s.mirror.OutputState(mirror.Stream)
	m.snapshot = snapshot{renderedFrames: s.mirror.Rendered(), State: state, streaming: on == mirror.On || on == mirror.Reconnecting}
}

// restore restores an OBS that crashed: OBS saves its scenes immediately, but studio
// mode, the buses and the stream exist only in its process. An OBS that only lost the
// connection is left as it is.
func (s *session) restore(ctx context.Context) {
	past := s.m.snapshot
	if past.renderedFrames == 0 {
		return
	}
	s.m.snapshot, s.restoring = snapshot{}, past
	s.helpers.Go(func() {
		s.restoreAfterCrash(ctx, &past)
		if s.conn.Err() == nil {
			s.restoring = snapshot{}
		}
	})
}

func (s *session) restoreAfterCrash(ctx context.Context, past *snapshot) {
	var stats general.GetStatsResponse
	if err := s.conn.Call(ctx, &general.GetStatsParams{}, &stats); err != nil || stats.RenderTotalFrames >= past.renderedFrames {
		return
	}
	s.m.log.Warn("OBS restarted: restoring its state", "program", past.Program, "streaming", past.streaming)
	if s.m.shared.awaitOnline(ctx) != nil {
		return
	}
	for _, p := range s.m.restoreRequests(ctx, s.conn, past) {
		if err := s.conn.Call(ctx, p, nil); err != nil && ctx.Err() == nil {
			s.m.log.Warn("OBS could not be fully restored", "err", err)
		}
	}
	if past.Graphic != nil && past.Graphic.Shown {
		if err := s.m.ShowGraphic(ctx, past.Graphic.Text); err != nil && ctx.Err() == nil {
			s.m.log.Warn("the lower third could not be restored", "err", err)
		}
	}
	if past.streaming && s.m.streamsToStudio(ctx, s.conn) {
		if err := s.m.start(ctx, mirror.Stream, afterRestart); err != nil && ctx.Err() == nil {
			s.m.log.Warn("could not restart OBS' stream", "err", err)
		}
	}
}

func (m *Mixer) restoreRequests(ctx context.Context, conn *wire.Conn, past *snapshot) []wire.Params {
	var list scenes.GetSceneListResponse
	if conn.Call(ctx, &scenes.GetSceneListParams{}, &list) != nil {
		return nil
	}
	var names []string
	for _, sc := range list.Scenes {
		names = append(names, sc.SceneName)
	}
	var steps []wire.Params
	// Program before studio mode: a take in studio mode would run a transition.
	if slices.Contains(names, past.Program) && list.CurrentProgramSceneName != past.Program {
		steps = append(steps, scenes.NewSetCurrentProgramSceneParams().WithSceneName(past.Program))
	}
	if past.StudioMode {
		steps = append(steps, ui.NewSetStudioModeEnabledParams().WithStudioModeEnabled(true))
		if slices.Contains(names, past.Preview) {
			steps = append(steps, scenes.NewSetCurrentPreviewSceneParams().WithSceneName(past.Preview))
		}
	}
	return steps
}

// streamsToStudio reports whether OBS' stream goes to the studio: a stream to anywhere
// else is not ours to start.
func (m *Mixer) streamsToStudio(ctx context.Context, conn *wire.Conn) bool {
	var service config.GetStreamServiceSettingsResponse
	if m.cfg.Program == "" || conn.Call(ctx, &config.GetStreamServiceSettingsParams{}, &service) != nil {
		return false
	}
	return service.StreamServiceSettings != nil &&
		strings.TrimSuffix(service.StreamServiceSettings.Server, "/") == strings.TrimSuffix(m.cfg.Program, "/")
}
