package graphics

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

func invalidText(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalidText, fmt.Sprintf(format, args...))
}

// Queue is the prepared lower thirds and the one on air. Its methods are safe for
// concurrent use; their calls of the renderer happen one at a time, in order.
type Queue struct {
	renderer  Renderer // nil when only the overlay page draws
	rendering sync.Mutex

	mu           sync.Mutex
	items        []Item
	logos        []string
	onAir        *OnAir
	lastTaken    string // the item taken last: the next one follows it
	report       Report
	rendererSeen bool // a renderer has been ready
	problem      string
	changed      chan struct{} // closed at the next change
}

// New makes a queue of stored items.
func New(renderer Renderer, items []Item) *Queue {
	return &Queue{renderer: renderer, items: slices.Clone(items), changed: make(chan struct{})}
}

// State is the current state.
func (q *Queue) State() State {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := State{Templates: Templates(), Items: []Item{}, Logos: slices.Clone(q.logos), Next: q.next(), Problem: q.problem}
	for i := range q.items {
		s.Items = append(s.Items, q.items[i].clone())
	}
	if q.onAir != nil {
		on := *q.onAir
		on.Item = q.onAir.clone()
		s.OnAir = &on
	}
	if q.report.Ready {
		s.Via = q.report.Via
	}
	if s.Problem == "" {
		s.Problem = q.report.Problem
	}
	if s.Problem == "" && s.OnAir != nil && !q.report.Ready {
		s.Problem = "nothing renders it: set up the mixer for lower thirds, or open the overlay page"
	}
	if s.Problem == "" && s.OnAir != nil && s.OnAir.Confirmed && s.OnAir.Text[LogoField] != "" && q.report.Text[LogoField] == "" {
		s.Problem = "it is shown without its logo: upload the logo again"
		if q.report.Via == ViaMixer {
			s.Problem = "it is shown without its logo: OBS must run on the studio's machine, and be set up again from here"
		}
	}
	return s
}

func (q *Queue) next() string {
	i := slices.IndexFunc(q.items, func(it Item) bool { return it.ID == q.lastTaken })
	if i+1 < len(q.items) {
		return q.items[i+1].ID
	}
	return ""
}

// edit changes the queue and wakes Run.
func (q *Queue) edit(change func() error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := change(); err != nil {
		return err
	}
	close(q.changed)
	q.changed = make(chan struct{})
	return nil
}

func (q *Queue) find(id string) (*Item, error) {
	for i := range q.items {
		if q.items[i].ID == id {
			return &q.items[i], nil
		}
	}
	return nil, ErrNoItem
}

// Add prepares a lower third at the end of the list and returns its id.
// ErrNoTemplate, ErrText, ErrFull.
func (q *Queue) Add(it Item) (id string, err error) {
	if it.ID == "" {
		it.ID = newID()
	}
	if it.Template == "" {
		it.Template = Templates()[0].ID
	}
	if err := validate(it.Template, it.Text); err != nil {
		return "", err
	}
	return it.ID, q.edit(func() error {
		if len(q.items) >= MaxItems {
			return ErrFull
		}
		if _, err := q.find(it.ID); err == nil {
			return fmt.Errorf("%w: the id %q is taken", ErrInvalidText, it.ID)
		}
		it.AutoOutMs = autoOut(it.AutoOutMs)
		q.items = append(q.items, it.clone())
		return nil
	})
}

// SetLogos sets the names of the stored logos.
func (q *Queue) SetLogos(names []string) {
	_ = q.edit(func() error { q.logos = slices.Clone(names); return nil })
}

func autoOut(ms int) int { return max(0, min(ms, int(MaxAutoOut/time.Millisecond))) }

// Update changes a prepared lower third, also on air.
func (q *Queue) Update(ctx context.Context, it Item) error {
	q.rendering.Lock()
	defer q.rendering.Unlock()
	var shown bool
	err := q.edit(func() error {
		old, err := q.find(it.ID)
		if err != nil {
			return err
		}
		if it.Template == "" {
			it.Template = old.Template
		}
		if it.Text == nil {
			it.Text = old.Text
		}
		if err := validate(it.Template, it.Text); err != nil {
			return err
		}
		it.AutoOutMs = autoOut(it.AutoOutMs)
		*old = it.clone()
		if shown = q.onAir != nil && q.onAir.ID == it.ID; shown {
			q.onAir.Item, q.onAir.Confirmed, q.onAir.OutAt = it.clone(), false, nil
			q.onAir.setOutAt()
		}
		return nil
	})
	if err != nil || !shown {
		return err
	}
	return q.draw(ctx, func(ctx context.Context) error { return q.renderer.UpdateGraphic(ctx, it.Text) })
}

// Import prepares many lower thirds at the end of the list, or none. ErrNoTemplate,
// ErrText, ErrFull.
func (q *Queue) Import(items []Item) error {
	items = slices.Clone(items)
	for i := range items {
		it := &items[i]
		if it.Template == "" {
			it.Template = Templates()[0].ID
		}
		if err := validate(it.Template, it.Text); err != nil {
			return fmt.Errorf("number %d: %w", i+1, err)
		}
		*it = it.clone()
		it.ID, it.AutoOutMs = newID(), autoOut(it.AutoOutMs)
	}
	return q.edit(func() error {
		if len(q.items)+len(items) > MaxItems {
			return fmt.Errorf("%w: it has %d of %d", ErrFull, len(q.items), MaxItems)
		}
		q.items = append(q.items, items...)
		return nil
	})
}

func newID() string { return strings.ToLower(rand.Text()[:8]) }

// AutoOut is after how many milliseconds an item is taken off automatically; 0 for never.
func (q *Queue) AutoOut(id string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if it, err := q.find(id); err == nil {
		return it.AutoOutMs
	}
	return 0
}

// Remove removes an item from the list; if it is on air it stays on air.
func (q *Queue) Remove(id string) error {
	return q.edit(func() error {
		i := slices.IndexFunc(q.items, func(it Item) bool { return it.ID == id })
		if i < 0 {
			return ErrNoItem
		}
		if q.lastTaken == id && i > 0 {
			q.lastTaken = q.items[i-1].ID
		}
		q.items = slices.Delete(q.items, i, i+1)
		return nil
	})
}

// Move moves an item to another position in the list, 0 is the first.
func (q *Queue) Move(id string, to int) error {
	return q.edit(func() error {
		i := slices.IndexFunc(q.items, func(it Item) bool { return it.ID == id })
		if i < 0 {
			return ErrNoItem
		}
		it := q.items[i]
		q.items = slices.Delete(q.items, i, i+1)
		q.items = slices.Insert(q.items, max(0, min(to, len(q.items))), it)
		return nil
	})
}

// Take puts a prepared lower third on air, in place of the current one.
func (q *Queue) Take(ctx context.Context, id string) error {
	q.rendering.Lock()
	defer q.rendering.Unlock()
	return q.take(ctx, id)
}

// Next takes the one after the one taken last. ErrNoNext.
func (q *Queue) Next(ctx context.Context) error {
	q.rendering.Lock()
	defer q.rendering.Unlock()
	q.mu.Lock()
	id := q.next()
	q.mu.Unlock()
	if id == "" {
		return ErrNoNext
	}
	return q.take(ctx, id)
}

func (q *Queue) take(ctx context.Context, id string) error {
	var text map[string]string
	var before *OnAir
	err := q.edit(func() error {
		it, err := q.find(id)
		if err != nil {
			return err
		}
		text, before = maps.Clone(it.Text), q.onAir
		q.lastTaken = id
		q.onAir = &OnAir{Item: it.clone(), Since: time.Now()}
		q.onAir.setOutAt()
		return nil
	})
	if err != nil {
		return err
	}
	err = q.draw(ctx, func(ctx context.Context) error { return q.renderer.ShowGraphic(ctx, text) })
	if err != nil {
		q.edit(func() error { q.restoreAfterFailure(err, before); return nil })
	}
	return err
}

// restoreAfterFailure sets what is on air after a failed take: what was on air before, if
// it is still shown. After a timeout that is unknown until the renderer's next report.
// The caller holds mu.
func (q *Queue) restoreAfterFailure(err error, before *OnAir) {
	if errors.Is(err, context.DeadlineExceeded) {
		return
	}
	q.onAir = nil
	if before != nil && (!q.report.Ready || q.report.Shown && sameText(before.Text, q.report.Text)) {
		q.onAir, before.Confirmed = before, q.report.Ready && !q.report.Hidden
	}
}

// Out takes the lower third off. ErrNotOnAir.
func (q *Queue) Out(ctx context.Context) error { return q.out(ctx, nil) }

// out takes the lower third off. With only, it does so if that is still the one on air:
// another may have been taken while the renderer was busy.
func (q *Queue) out(ctx context.Context, only *OnAir) error {
	q.rendering.Lock()
	defer q.rendering.Unlock()
	err := q.edit(func() error {
		if q.onAir == nil || only != nil && q.onAir != only {
			return ErrNotOnAir
		}
		q.onAir = nil
		return nil
	})
	if err != nil {
		return err
	}
	return q.draw(ctx, q.hide)
}

func (q *Queue) hide(ctx context.Context) error { return q.renderer.HideGraphic(ctx) }

// draw calls the renderer, and stores its error for the panel.
func (q *Queue) draw(ctx context.Context, ask func(context.Context) error) error {
	if q.renderer == nil {
		return nil // the overlay page follows the state
	}
	ctx, cancel := context.WithTimeout(ctx, showTimeout)
	defer cancel()
	err := ask(ctx)
	q.edit(func() error {
		q.problem = ""
		if err != nil {
			q.problem = err.Error()
		}
		return nil
	})
	return err
}
