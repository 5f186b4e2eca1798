package mirror

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/andreykaipov/goobs/api/requests/config"
	"github.com/andreykaipov/goobs/api/requests/general"
	"github.com/andreykaipov/goobs/api/requests/sceneitems"
	"github.com/andreykaipov/goobs/api/requests/scenes"
	"github.com/andreykaipov/goobs/api/requests/transitions"
	"github.com/andreykaipov/goobs/api/requests/ui"
	"github.com/andreykaipov/goobs/api/typedefs"
	"golang.org/x/sync/errgroup"

	"obvan/mixer"
	"obvan/mixer/obs/wire"
)

// Caller sends requests to OBS; wire.Conn is one.
type Caller interface {
	Call(ctx context.Context, params wire.Params, response any) error
}

// errNoScenes is an OBS that is not ready: otherwise it always has a scene.
var errNoScenes = errors.New("OBS has no scenes at the moment")

// Patch puts answers into the mirror.
type Patch func(m *Mirror)

// atOnce is how many requests are sent in parallel.
const atOnce = 16

// optional ignores refusals: what this OBS can't do is absent from its state. That it is
// not ready is an error, because it will be.
func optional(err error) error {
	switch wire.Refusal(err) {
	case 0, wire.CodeNotReady:
		return err
	}
	return nil
}

// Fetch fetches something from OBS. It runs outside the mirror's goroutine, which applies
// the patch.
type Fetch func(ctx context.Context, c Caller) (Patch, error)

// Fetcher fetches parts. Applying the patch and then every event that arrived since the
// fetch began leaves the mirror correct, whatever the order they arrived in.
func (m *Mirror) Fetcher(want Part) Fetch {
	parts := map[Part]Fetch{
		Buses: fetchBuses, Items: fetchItems, Inputs: fetchInputs(m.feedOf), Transitions: fetchTransitions,
		Outputs: fetchOutputs, Choices: fetchChoices, About: fetchAbout, Active: fetchActive(slices.Collect(maps.Keys(m.inputs))),
	}
	return func(ctx context.Context, c Caller) (Patch, error) {
		var mu sync.Mutex
		var all []Patch
		group, ctx := errgroup.WithContext(ctx)
		for part, fetch := range parts {
			if want&part == 0 {
				continue
			}
			group.Go(func() error {
				p, err := fetch(ctx, c)
				mu.Lock()
				defer mu.Unlock()
				all = append(all, p)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return nil, fmt.Errorf("fetch the state of OBS: %w", err)
		}
		return func(m *Mirror) {
			for _, p := range all {
				p(m)
			}
		}, nil
	}
}

func fetchBuses(ctx context.Context, c Caller) (Patch, error) {
	var list scenes.GetSceneListResponse
	if err := c.Call(ctx, &scenes.GetSceneListParams{}, &list); err != nil {
		return nil, err
	}
	var studio ui.GetStudioModeEnabledResponse
	if err := optional(c.Call(ctx, &ui.GetStudioModeEnabledParams{}, &studio)); err != nil {
		return nil, err
	}
	if len(list.Scenes) == 0 { // only while it switches collections or quits
		return nil, errNoScenes
	}
	names := make([]string, 0, len(list.Scenes))
	for _, s := range slices.Backward(list.Scenes) { // OBS lists the bottom one first
		names = append(names, s.SceneName)
	}
	return func(m *Mirror) {
		m.bus.scenes, m.bus.program, m.bus.preview = names, list.CurrentProgramSceneName, list.CurrentPreviewSceneName
		m.bus.studio = studio.StudioModeEnabled
	}, nil
}

// fetchItems fetches the items of each scene, then of the groups among them.
func fetchItems(ctx context.Context, c Caller) (Patch, error) {
	var list scenes.GetSceneListResponse
	if err := c.Call(ctx, &scenes.GetSceneListParams{}, &list); err != nil {
		return nil, err
	}
	var names []string
	for _, s := range list.Scenes {
		names = append(names, s.SceneName)
	}
	items, err := itemsOf(ctx, c, names, false)
	if err != nil {
		return nil, err
	}
	var groups []string
	for _, scene := range items {
		for _, item := range scene {
			if item.IsGroup && !slices.Contains(groups, item.SourceName) {
				groups = append(groups, item.SourceName)
			}
		}
	}
	inGroups, err := itemsOf(ctx, c, groups, true)
	if err != nil {
		return nil, err
	}
	for name, group := range inGroups {
		items[name] = group
	}
	return func(m *Mirror) { m.items = items }, nil
}

func itemsOf(ctx context.Context, c Caller, names []string, groups bool) (map[string][]typedefs.SceneItem, error) {
	var mu sync.Mutex
	all := map[string][]typedefs.SceneItem{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, name := range names {
		group.Go(func() error {
			var answer sceneitems.GetSceneItemListResponse // a group's answer has the same form
			var ask wire.Params = sceneitems.NewGetSceneItemListParams().WithSceneName(name)
			if groups {
				ask = sceneitems.NewGetGroupSceneItemListParams().WithSceneName(name)
			}
			if err := optional(c.Call(ctx, ask, &answer)); err != nil {
				return err
			}
			items := make([]typedefs.SceneItem, 0, len(answer.SceneItems))
			for _, item := range answer.SceneItems {
				items = append(items, *item)
			}
			mu.Lock()
			defer mu.Unlock()
			all[name] = items
			return nil
		})
	}
	return all, group.Wait()
}

func fetchTransitions(ctx context.Context, c Caller) (Patch, error) {
	var list transitions.GetSceneTransitionListResponse
	if err := optional(c.Call(ctx, &transitions.GetSceneTransitionListParams{}, &list)); err != nil {
		return nil, err
	}
	var current transitions.GetCurrentSceneTransitionResponse
	if err := optional(c.Call(ctx, &transitions.GetCurrentSceneTransitionParams{}, &current)); err != nil {
		return nil, err
	}
	at, err := cursor(ctx, c)
	if err != nil {
		return nil, err
	}
	var names []string
	cut := ""
	for _, t := range list.Transitions {
		names = append(names, t.TransitionName)
		if t.TransitionKind == "cut_transition" {
			cut = t.TransitionName
		}
	}
	return func(m *Mirror) {
		m.bus.transitions, m.bus.cut = names, cut
		m.bus.current = mixer.Transition{Kind: current.TransitionName, DurationMs: int(current.TransitionDuration)}
		m.bus.running, m.bus.position, m.bus.idle = inProgress(at), 0, 0
		if m.bus.running {
			m.bus.position = at
		}
	}, nil
}

func cursor(ctx context.Context, c Caller) (float64, error) {
	var cursor transitions.GetCurrentSceneTransitionCursorResponse
	err := optional(c.Call(ctx, &transitions.GetCurrentSceneTransitionCursorParams{}, &cursor))
	return cursor.TransitionCursor, err
}

// inProgress reports whether a cursor is that of a running transition.
func inProgress(at float64) bool { return at > 0 && at < 1 }

// idlePolls is how many times a running transition may be found at its start or end
// before the event of its end must have been lost: it also is there while it starts.
const idlePolls = 20

// FetchCursor fetches the position of the running transition. Whether one is running is
// known from events, because the cursor is late.
func FetchCursor(ctx context.Context, c Caller) (Patch, error) {
	at, err := cursor(ctx, c)
	if err != nil {
		return nil, err
	}
	return func(m *Mirror) {
		if !m.bus.running {
			return
		}
		if m.bus.idle++; inProgress(at) {
			m.bus.idle, m.bus.position = 0, at
		}
		if m.bus.idle > idlePolls {
			m.bus.running, m.bus.idle, m.bus.position = false, 0, 0
		}
	}, nil
}

func fetchChoices(ctx context.Context, c Caller) (Patch, error) {
	var collections, profiles *mixer.Choice
	var inUse config.GetSceneCollectionListResponse
	err := c.Call(ctx, &config.GetSceneCollectionListParams{}, &inUse)
	if err == nil {
		collections = &mixer.Choice{Current: inUse.CurrentSceneCollectionName, All: inUse.SceneCollections}
	} else if err = optional(err); err != nil {
		return nil, err
	}
	var profile config.GetProfileListResponse
	err = c.Call(ctx, &config.GetProfileListParams{}, &profile)
	if err == nil {
		profiles = &mixer.Choice{Current: profile.CurrentProfileName, All: profile.Profiles}
	} else if err = optional(err); err != nil {
		return nil, err
	}
	return func(m *Mirror) { m.choices.collections, m.choices.profiles = collections, profiles }, nil
}

func fetchAbout(ctx context.Context, c Caller) (Patch, error) {
	var about general.GetVersionResponse
	err := optional(c.Call(ctx, &general.GetVersionParams{}, &about))
	return func(m *Mirror) { m.version = about.ObsVersion }, err
}

// since is when something started that has lasted that many milliseconds.
func since(ms float64) *time.Time {
	t := time.Now().Add(-time.Duration(ms) * time.Millisecond)
	return &t
}
