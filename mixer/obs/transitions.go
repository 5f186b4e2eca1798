package obs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/andreykaipov/goobs/api/requests/scenes"
	"github.com/andreykaipov/goobs/api/requests/transitions"
	"github.com/andreykaipov/goobs/api/requests/ui"

	"obvan/mixer"
	"obvan/mixer/obs/wire"
)

// One cut in OBS, step by step. A take is the same with another transition and without
// step 7.
//
//  1. Cut checks what is known: OBS is connected, has a cut transition, and there is a
//     scene to cut to. Nothing is sent. Fails with ErrOffline, ErrNoTransition or
//     ErrNoPreview.
//  2. changeProgram takes busLock, so that one command at a time changes the buses. OBS
//     accepts a change during a transition, names the new scene as program, and does not
//     show it: so the end of the running transition is waited for (event
//     SceneTransitionEnded, confirmed by OBS), then the end of its swap of preview and
//     program (event CurrentProgramSceneChanged, up to swapTimeout; without it we
//     continue). When all this takes longer than transitionTimeout: ErrBusy.
//  3. sceneOverride sends GetSceneSceneTransitionOverride and waits for the answer: the
//     transition that the operator has set for this scene, to be restored in step 5. OBS
//     refuses when there is no such scene: ErrNoSource. Without an answer nothing has
//     been changed yet: ErrOffline when the connection was lost, else ErrBusy.
//  4. awaitEvents waits until the session has applied every event that OBS sent before
//     that answer. If a transition has started meanwhile: back to step 2. If the scene is
//     on air already: done.
//  5. setProgram sends one batch: set the scene's transition override to the cut, set the
//     program scene, restore the override. OBS carries it out to its end even if we
//     disconnect. Without an answer: ErrUnsure, it may or may not have been done.
//  6. awaitStart waits for OBS to confirm: the event SceneTransitionStarted with the name
//     of that transition. If it does not arrive within startTimeout, another transition
//     got in between and OBS ignored the change: back to step 2, as long as
//     transitionTimeout has not passed (then ErrBusy). Connection lost: ErrUnsure.
//  7. keepPreview, in studio mode: OBS swaps preview and program, but a cut past the
//     preview bus leaves preview as it is. It waits for the swap (up to swapTimeout),
//     asks with GetSceneList whether preview is the old program, and if so sends
//     SetCurrentPreviewScene. A failure here is only logged: the cut is on air.
//
// What the panel shows as on air does not come from these steps: session applies OBS'
// events (InputActiveStateChanged, CurrentProgramSceneChanged) to the mirror, whose
// state is what Run reports.

// Limits of a change of program.
const (
	transitionTimeout = 1500 * time.Millisecond // for the running transition to end; OBS can't start another during it
	startTimeout      = 400 * time.Millisecond  // for OBS to report that the transition started
	swapTimeout       = 250 * time.Millisecond  // for OBS to swap its buses after the transition
	minDurationMs     = 50                      // OBS' own limits for a duration
	maxDurationMs     = 20000
)

// Preview puts a scene on the preview bus, which exists in studio mode only.
func (m *Mixer) Preview(ctx context.Context, source string) error {
	v, _ := m.shared.current()
	switch {
	case !v.Connected:
		return mixer.ErrOffline
	case source == "":
		return mixer.ErrNoSource
	case !v.StudioMode:
		return fmt.Errorf("%w: OBS is not in studio mode", mixer.ErrNotNow)
	}
	err := m.call(ctx, mixer.ErrNoSource, scenes.NewSetCurrentPreviewSceneParams().WithSceneName(source), nil)
	if err != nil {
		return err
	}
	// OBS answers before it has done it, and a take that follows takes what is in preview
	// then. Someone else may have put another scene there: that is no failure.
	wait, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	_ = m.shared.await(wait, func(v *view) bool { return v.Preview == source })
	return nil
}

// Cut puts a scene on air without a transition. OBS renders its own video, so that it
// never has to wait for a source's keyframe: when is ignored.
func (m *Mixer) Cut(ctx context.Context, source string, _ mixer.When) error {
	v, _ := m.shared.current()
	switch {
	case !v.Connected:
		return mixer.ErrOffline
	case v.cutTransition == "":
		return fmt.Errorf("%w: OBS has no cut transition", mixer.ErrNoTransition)
	case source != "":
		return m.changeProgram(ctx, programChange{source: source, transition: &transition{Name: v.cutTransition}, keepPreview: true})
	case !v.StudioMode || v.Preview == "":
		return mixer.ErrNoPreview
	}
	return m.changeProgram(ctx, programChange{source: v.Preview, transition: &transition{Name: v.cutTransition}})
}

// Take puts preview on air with a transition; the transition that is selected in OBS
// stays as it is. What is in preview is looked up now, not once the lock is taken: when
// two operators take the same scene, the second finds it on air.
func (m *Mixer) Take(ctx context.Context, t mixer.Transition) error {
	v, _ := m.shared.current()
	switch {
	case !v.Connected:
		return mixer.ErrOffline
	case t.Kind != "" && !slices.Contains(v.Transitions, t.Kind):
		return fmt.Errorf("%w: %q", mixer.ErrNoTransition, t.Kind)
	case !v.StudioMode || v.Preview == "":
		return fmt.Errorf("%w: OBS is not in studio mode", mixer.ErrNoPreview)
	case t == mixer.Transition{}:
		return m.changeProgram(ctx, programChange{source: v.Preview})
	}
	by := transition{Name: cmp.Or(t.Kind, v.Transition.Kind), Ms: clampMs(cmp.Or(t.DurationMs, v.Transition.DurationMs))}
	return m.changeProgram(ctx, programChange{source: v.Preview, transition: &by})
}

func clampMs(ms int) int {
	if ms == 0 {
		return 0
	}
	return max(minDurationMs, min(maxDurationMs, ms))
}

// transition is how a scene goes on air this one time; Ms 0 leaves the duration to OBS.
type transition struct {
	Name string
	Ms   int
}

// programChange is a change of what is on air.
type programChange struct {
	source      string
	transition  *transition // nil is the one selected in OBS
	keepPreview bool        // preview stays as it is; OBS would put the old program there
}

// changeProgram carries out a change (steps 2 to 7). While a transition is running OBS
// accepts a change, names the new scene as program, and does not show it: so we wait for
// the end, and make sure that a transition started.
func (m *Mixer) changeProgram(ctx context.Context, o programChange) error {
	turn, cancel := context.WithTimeout(ctx, transitionTimeout)
	defer cancel()
	release, err := lock(turn, m.busLock)
	if err != nil {
		return err
	}
	defer release()
	for {
		err := m.shared.await(turn, func(v *view) bool { return !v.InTransition })
		if errors.Is(err, mixer.ErrOffline) {
			return err
		}
		if err != nil || turn.Err() != nil {
			return fmt.Errorf("%w: a transition is running", mixer.ErrBusy)
		}
		_ = m.awaitSwap(turn) // an OBS that does not report it is fine here
		began, err := m.attempt(ctx, o)
		if began || err != nil {
			return err
		}
	}
}

// attempt sends the change once (steps 3 to 7), and reports whether OBS carried it out.
func (m *Mixer) attempt(ctx context.Context, o programChange) (bool, error) {
	conn, err := m.shared.online()
	if err != nil {
		return false, err
	}
	own, err := sceneOverride(ctx, conn, o.source)
	switch {
	case errors.Is(err, wire.ErrClosed): // nothing was changed yet: certainly not done
		return false, fmt.Errorf("%w: %w", mixer.ErrOffline, conn.Err())
	case errors.Is(err, wire.ErrUnanswered):
		return false, fmt.Errorf("%w: OBS is not responding", mixer.ErrBusy)
	case err != nil:
		return false, outcome(err, mixer.ErrNoSource)
	}
	if err := m.awaitEvents(ctx, conn); err != nil {
		return false, err
	}
	before, _ := m.shared.current()
	switch {
	case before.InTransition: // it started meanwhile
		return false, nil
	case o.source == before.Program && before.programShown:
		return true, nil // it is on air: OBS would only lose what is in preview
	}
	if err := setProgram(ctx, conn, o.source, o.transition, own); err != nil {
		return false, outcome(err, mixer.ErrNoSource)
	}
	began, err := m.awaitStart(ctx, before.transitionStarts.count, o.transition)
	if began && o.keepPreview && before.StudioMode {
		m.keepPreview(ctx, conn, &before, o.source)
	}
	return began, err
}

// awaitSwap waits until OBS has reported its buses as they are after the transition. Its
// render thread reports that the transition is over; another thread swaps preview and
// program after that, and names the program last.
func (m *Mixer) awaitSwap(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, swapTimeout)
	defer cancel()
	return m.shared.await(ctx, func(v *view) bool { return !v.InTransition && !v.transitionStarts.programUnnamed })
}

// keepPreview undoes OBS' swap after a cut past the preview bus, unless someone has put
// another scene there meanwhile, or OBS is set not to swap. A scene that was in preview
// and is on air now does not go back to preview.
func (m *Mixer) keepPreview(ctx context.Context, conn *wire.Conn, before *view, source string) {
	if before.Preview == before.Program || before.Preview == source || m.awaitSwap(ctx) != nil {
		return
	}
	var list scenes.GetSceneListResponse
	err := conn.Call(ctx, &scenes.GetSceneListParams{}, &list)
	if err == nil && list.CurrentPreviewSceneName == before.Program {
		// Two events that are sent together may arrive in either order.
		wait, cancel := context.WithTimeout(ctx, swapTimeout)
		defer cancel()
		_ = m.shared.await(wait, func(v *view) bool { return v.Preview == before.Program })
		err = m.Preview(ctx, before.Preview)
	}
	if err != nil && ctx.Err() == nil {
		m.log.Debug("preview was not restored", "err", err)
	}
}

// awaitStart waits for OBS to report that the transition started.
func (m *Mixer) awaitStart(ctx context.Context, count int, t *transition) (bool, error) {
	wait, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	name := ""
	if t != nil {
		name = t.Name
	}
	err := m.shared.await(wait, func(v *view) bool { return v.transitionStarts.since(count, name) })
	switch {
	case err == nil:
		return true, nil
	case ctx.Err() != nil:
		return false, fmt.Errorf("%w: %w", mixer.ErrUnsure, ctx.Err())
	case errors.Is(err, mixer.ErrOffline):
		return false, fmt.Errorf("%w: %w", mixer.ErrUnsure, err)
	}
	return false, nil
}

// sceneOverride is the transition that the operator has set for a scene.
func sceneOverride(ctx context.Context, conn *wire.Conn, scene string) (*override, error) {
	var own scenes.GetSceneSceneTransitionOverrideResponse
	err := conn.Call(ctx, scenes.NewGetSceneSceneTransitionOverrideParams().WithSceneName(scene), &own)
	return newOverride(scene, own.TransitionName, int(own.TransitionDuration)), err
}

// setProgram puts a scene on air with a transition for this one time: the scene's
// override is set and restored in one batch, which OBS carries out to its end even if we
// disconnect. The transition selected in OBS never changes, and its dock shows nothing.
// SetCurrentProgramScene reads the override before it answers; the request of the
// transition button does not.
func setProgram(ctx context.Context, conn *wire.Conn, scene string, t *transition, own *override) error {
	program := scenes.NewSetCurrentProgramSceneParams().WithSceneName(scene)
	if t == nil {
		return conn.Call(ctx, program, nil)
	}
	errs, err := conn.Batch(ctx, wire.AtOnce, newOverride(scene, t.Name, t.Ms), program, own)
	if err != nil {
		return err
	}
	return errors.Join(errs...)
}

// override is goobs' SetSceneSceneTransitionOverrideParams with nulls, which remove an
// override and which goobs omits.
type override struct {
	Scene    string  `json:"sceneName"`
	Name     *string `json:"transitionName"`
	Duration *int    `json:"transitionDuration"`
}

func newOverride(scene, name string, ms int) *override {
	o := &override{Scene: scene}
	if name != "" {
		o.Name = &name
	}
	if ms != 0 {
		o.Duration = &ms
	}
	return o
}

func (*override) GetRequestName() string { return "SetSceneSceneTransitionOverride" }

// SetStudioMode switches OBS' studio mode.
func (m *Mixer) SetStudioMode(ctx context.Context, on bool) error {
	return m.call(ctx, mixer.ErrNotNow, ui.NewSetStudioModeEnabledParams().WithStudioModeEnabled(on), nil)
}

// SetTransition changes OBS' current transition, or its duration alone.
func (m *Mixer) SetTransition(ctx context.Context, t mixer.Transition) error {
	if t.Kind != "" {
		err := m.call(ctx, mixer.ErrNoTransition, transitions.NewSetCurrentSceneTransitionParams().WithTransitionName(t.Kind), nil)
		if err != nil {
			return err
		}
	}
	if t.DurationMs == 0 {
		return nil
	}
	ms := float64(clampMs(t.DurationMs))
	return m.call(ctx, mixer.ErrNoTransition, transitions.NewSetCurrentSceneTransitionDurationParams().WithTransitionDuration(ms), nil)
}

// MoveTBar moves the T-bar. OBS follows it with smoothing.
func (m *Mixer) MoveTBar(ctx context.Context, position float64, done bool) error {
	v, _ := m.shared.current()
	if v.Connected && !v.StudioMode {
		return fmt.Errorf("%w: OBS is not in studio mode", mixer.ErrNotNow)
	}
	position = max(0, min(1, position))
	return m.call(ctx, mixer.ErrNotNow, transitions.NewSetTBarPositionParams().WithPosition(position).WithRelease(done), nil)
}
