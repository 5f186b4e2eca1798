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

// Limits of a change on air.
const (
	transitionTimeout = 1500 * time.Millisecond // for the transition under way; OBS can't begin another in one
	startTimeout      = 400 * time.Millisecond  // for OBS to say that the transition began
	swapTimeout       = 250 * time.Millisecond  // for OBS to change its buses once the transition is over
	minDurationMs     = 50                      // OBS' own limits for a duration
	maxDurationMs     = 20000
)

// Preview puts a scene on the preview bus, which there is in studio mode only.
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
	// OBS answers before it has done it. A take that follows takes what it sees there.
	// Somebody else may have put another scene there at once: that is no failure.
	wait, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	_ = m.shared.await(wait, func(v *view) bool { return v.Preview == source })
	return nil
}

// Cut puts a scene on air without a transition. OBS knows key frames of its own
// only, so when is of no account.
func (m *Mixer) Cut(ctx context.Context, source string, _ mixer.When) error {
	v, _ := m.shared.current()
	switch {
	case !v.Connected:
		return mixer.ErrOffline
	case v.cutTransition == "":
		return fmt.Errorf("%w: this OBS has no cut", mixer.ErrNoTransition)
	case source != "":
		return m.changeProgram(ctx, programChange{source: source, transition: &transition{Name: v.cutTransition}, keepPreview: true})
	case !v.StudioMode || v.Preview == "":
		return mixer.ErrNoPreview
	}
	return m.changeProgram(ctx, programChange{source: v.Preview, transition: &transition{Name: v.cutTransition}})
}

// Take brings preview on air with a transition; OBS' own choice of it stays as it
// is. What is in preview is looked up now, not when the turn comes: of two operators
// who take the same scene the second finds it on air.
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

// transition is how a scene comes on air this once; Ms 0 leaves the duration to OBS.
type transition struct {
	Name string
	Ms   int
}

// order is a change of what is on air.
type programChange struct {
	source      string
	transition  *transition // nil is OBS' own choice
	keepPreview bool        // preview stays as it is; OBS would put the old program there
}

// bring carries an order out. While a transition runs OBS takes the order, names
// the new scene as program, and does not show it: so the end is waited for, and it
// is seen to that a transition began.
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
			return fmt.Errorf("%w: a transition is under way", mixer.ErrBusy)
		}
		_ = m.awaitSwap(turn) // an OBS that does not say so does not matter here
		began, err := m.attempt(ctx, o)
		if began || err != nil {
			return err
		}
	}
}

// attempt sends the order once, and says whether OBS obeyed.
func (m *Mixer) attempt(ctx context.Context, o programChange) (bool, error) {
	conn, err := m.shared.online()
	if err != nil {
		return false, err
	}
	own, err := sceneOverride(ctx, conn, o.source)
	switch {
	case errors.Is(err, wire.ErrClosed): // nothing was ordered yet: it is sure that nothing was done
		return false, fmt.Errorf("%w: %w", mixer.ErrOffline, conn.Err())
	case errors.Is(err, wire.ErrUnanswered):
		return false, fmt.Errorf("%w: OBS does not answer", mixer.ErrBusy)
	case err != nil:
		return false, outcome(err, mixer.ErrNoSource)
	}
	if err := m.awaitEvents(ctx, conn); err != nil {
		return false, err
	}
	before, _ := m.shared.current()
	switch {
	case before.InTransition: // it began meanwhile
		return false, nil
	case o.source == before.Program && before.programShown:
		return true, nil // it is on air: OBS would only lose its preview
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

// swapped waits until what OBS says of its buses is of after the transition. That a
// transition is over comes from the thread that draws; the one that swaps preview and
// program does it then, and names the program last.
func (m *Mixer) awaitSwap(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, swapTimeout)
	defer cancel()
	return m.shared.await(ctx, func(v *view) bool { return !v.InTransition && !v.transitionStarts.programUnnamed })
}

// keepPreview takes OBS' swap back after a cut past the preview bus, unless somebody
// put something else there meanwhile, or has told OBS not to swap. A scene that was
// in preview and is on air now stays out of there.
func (m *Mixer) keepPreview(ctx context.Context, conn *wire.Conn, before *view, source string) {
	if before.Preview == before.Program || before.Preview == source || m.awaitSwap(ctx) != nil {
		return
	}
	var list scenes.GetSceneListResponse
	err := conn.Call(ctx, &scenes.GetSceneListParams{}, &list)
	if err == nil && list.CurrentPreviewSceneName == before.Program {
		// Two events that are sent together may come in either order.
		wait, cancel := context.WithTimeout(ctx, swapTimeout)
		defer cancel()
		_ = m.shared.await(wait, func(v *view) bool { return v.Preview == before.Program })
		err = m.Preview(ctx, before.Preview)
	}
	if err != nil && ctx.Err() == nil {
		m.log.Debug("the preview was not put back", "err", err)
	}
}

// began waits for OBS to say that the transition began.
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

// ownTransition is the transition that the operator gave a scene for itself.
func sceneOverride(ctx context.Context, conn *wire.Conn, scene string) (*override, error) {
	var own scenes.GetSceneSceneTransitionOverrideResponse
	err := conn.Call(ctx, scenes.NewGetSceneSceneTransitionOverrideParams().WithSceneName(scene), &own)
	return newOverride(scene, own.TransitionName, int(own.TransitionDuration)), err
}

// show puts a scene on air with a transition of its own for this once: the scene's
// override is set and put back in one batch, which OBS does to its end even if we
// are gone. The operator's choice is never touched, and the dock shows nothing.
// SetCurrentProgramScene reads the override before it answers; the take button's
// request does not.
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

// override is goobs' SetSceneSceneTransitionOverrideParams with nulls, which take
// an override away and which goobs leaves out.
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

// MoveTBar moves the transition lever. OBS follows it smoothed.
func (m *Mixer) MoveTBar(ctx context.Context, position float64, done bool) error {
	v, _ := m.shared.current()
	if v.Connected && !v.StudioMode {
		return fmt.Errorf("%w: OBS is not in studio mode", mixer.ErrNotNow)
	}
	position = max(0, min(1, position))
	return m.call(ctx, mixer.ErrNotNow, transitions.NewSetTBarPositionParams().WithPosition(position).WithRelease(done), nil)
}
