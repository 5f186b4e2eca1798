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

func textf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrText, fmt.Sprintf(format, args...))
}

// Desk is where lower thirds are prepared and taken. Its methods are safe for
// concurrent use; what they ask of the renderer happens one at a time, in order.
type Desk struct {
	renderer Renderer // nil: nothing can draw
	air      sync.Mutex

	mu      sync.Mutex
	items   []Item
	logos   []string
	onAir   *OnAir
	last    string // the item taken last: next is the one behind it
	report  Report
	met     bool // a renderer was ready once
	problem string
	changed chan struct{} // closes at the next change
}

// New makes a desk over the items that were kept.
func New(renderer Renderer, items []Item) *Desk {
	return &Desk{renderer: renderer, items: slices.Clone(items), changed: make(chan struct{})}
}

// State is the desk as it is.
func (d *Desk) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := State{Templates: Templates(), Items: []Item{}, Logos: slices.Clone(d.logos), Next: d.next(), Problem: d.problem}
	for i := range d.items {
		s.Items = append(s.Items, d.items[i].clone())
	}
	if d.onAir != nil {
		on := *d.onAir
		on.Item = d.onAir.clone()
		s.OnAir = &on
	}
	if d.report.Ready {
		s.Via = d.report.Via
	}
	if s.Problem == "" {
		s.Problem = d.report.Problem
	}
	if s.Problem == "" && s.OnAir != nil && !d.report.Ready {
		s.Problem = "nothing draws it: set the mixer up for lower thirds, or open the overlay page"
	}
	if s.Problem == "" && s.OnAir != nil && s.OnAir.Confirmed && s.OnAir.Text[LogoField] != "" && d.report.Text[LogoField] == "" {
		s.Problem = "it is shown without its logo: bring the logo in again"
		if d.report.Via == ViaMixer {
			s.Problem = "it is shown without its logo: OBS has to run on the studio's machine, and be set up again from here"
		}
	}
	return s
}

func (d *Desk) next() string {
	i := slices.IndexFunc(d.items, func(it Item) bool { return it.ID == d.last })
	if i+1 < len(d.items) {
		return d.items[i+1].ID
	}
	return ""
}

// edit changes the desk and tells Run.
func (d *Desk) edit(change func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := change(); err != nil {
		return err
	}
	close(d.changed)
	d.changed = make(chan struct{})
	return nil
}

func (d *Desk) find(id string) (*Item, error) {
	for i := range d.items {
		if d.items[i].ID == id {
			return &d.items[i], nil
		}
	}
	return nil, ErrNoItem
}

// Add prepares a lower third at the end of the list and returns its id.
// ErrNoTemplate, ErrText, ErrFull.
func (d *Desk) Add(it Item) (id string, err error) {
	if it.ID == "" {
		it.ID = newID()
	}
	if it.Template == "" {
		it.Template = Templates()[0].ID
	}
	if err := check(it.Template, it.Text); err != nil {
		return "", err
	}
	return it.ID, d.edit(func() error {
		if len(d.items) >= MaxItems {
			return ErrFull
		}
		if _, err := d.find(it.ID); err == nil {
			return fmt.Errorf("%w: the id %q is taken", ErrText, it.ID)
		}
		it.AutoOutMs = autoOut(it.AutoOutMs)
		d.items = append(d.items, it.clone())
		return nil
	})
}

// SetLogos tells which logos there are.
func (d *Desk) SetLogos(names []string) {
	_ = d.edit(func() error { d.logos = slices.Clone(names); return nil })
}

func autoOut(ms int) int { return max(0, min(ms, int(MaxAutoOut/time.Millisecond))) }

// Update changes a prepared lower third, and the picture when it is on air.
func (d *Desk) Update(ctx context.Context, it Item) error {
	d.air.Lock()
	defer d.air.Unlock()
	var shown bool
	err := d.edit(func() error {
		old, err := d.find(it.ID)
		if err != nil {
			return err
		}
		if it.Template == "" {
			it.Template = old.Template
		}
		if it.Text == nil {
			it.Text = old.Text
		}
		if err := check(it.Template, it.Text); err != nil {
			return err
		}
		it.AutoOutMs = autoOut(it.AutoOutMs)
		*old = it.clone()
		if shown = d.onAir != nil && d.onAir.ID == it.ID; shown {
			d.onAir.Item, d.onAir.Confirmed, d.onAir.OutAt = it.clone(), false, nil
			d.onAir.leave()
		}
		return nil
	})
	if err != nil || !shown {
		return err
	}
	return d.draw(ctx, func(ctx context.Context) error { return d.renderer.UpdateGraphic(ctx, it.Text) })
}

// Import prepares many lower thirds at the end of the list, or none. ErrNoTemplate,
// ErrText, ErrFull.
func (d *Desk) Import(items []Item) error {
	items = slices.Clone(items)
	for i := range items {
		it := &items[i]
		if it.Template == "" {
			it.Template = Templates()[0].ID
		}
		if err := check(it.Template, it.Text); err != nil {
			return fmt.Errorf("number %d: %w", i+1, err)
		}
		*it = it.clone()
		it.ID, it.AutoOutMs = newID(), autoOut(it.AutoOutMs)
	}
	return d.edit(func() error {
		if len(d.items)+len(items) > MaxItems {
			return fmt.Errorf("%w: it has %d of %d", ErrFull, len(d.items), MaxItems)
		}
		d.items = append(d.items, items...)
		return nil
	})
}

func newID() string { return strings.ToLower(rand.Text()[:8]) }

// AutoOut is after how long, in milliseconds, an item leaves by itself; 0 for never.
func (d *Desk) AutoOut(id string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	if it, err := d.find(id); err == nil {
		return it.AutoOutMs
	}
	return 0
}

// Remove takes an item off the list; one that is on air stays there.
func (d *Desk) Remove(id string) error {
	return d.edit(func() error {
		i := slices.IndexFunc(d.items, func(it Item) bool { return it.ID == id })
		if i < 0 {
			return ErrNoItem
		}
		if d.last == id && i > 0 {
			d.last = d.items[i-1].ID
		}
		d.items = slices.Delete(d.items, i, i+1)
		return nil
	})
}

// Move puts an item at another place of the list, 0 is the first.
func (d *Desk) Move(id string, to int) error {
	return d.edit(func() error {
		i := slices.IndexFunc(d.items, func(it Item) bool { return it.ID == id })
		if i < 0 {
			return ErrNoItem
		}
		it := d.items[i]
		d.items = slices.Delete(d.items, i, i+1)
		d.items = slices.Insert(d.items, max(0, min(to, len(d.items))), it)
		return nil
	})
}

// Take brings a prepared lower third on air, in place of what is there.
func (d *Desk) Take(ctx context.Context, id string) error {
	d.air.Lock()
	defer d.air.Unlock()
	return d.take(ctx, id)
}

// Next takes the one behind the one taken last. ErrEnd.
func (d *Desk) Next(ctx context.Context) error {
	d.air.Lock()
	defer d.air.Unlock()
	d.mu.Lock()
	id := d.next()
	d.mu.Unlock()
	if id == "" {
		return ErrEnd
	}
	return d.take(ctx, id)
}

func (d *Desk) take(ctx context.Context, id string) error {
	var text map[string]string
	var before *OnAir
	err := d.edit(func() error {
		it, err := d.find(id)
		if err != nil {
			return err
		}
		text, before = maps.Clone(it.Text), d.onAir
		d.last = id
		d.onAir = &OnAir{Item: it.clone(), Since: time.Now()}
		d.onAir.leave()
		return nil
	})
	if err != nil {
		return err
	}
	err = d.draw(ctx, func(ctx context.Context) error { return d.renderer.ShowGraphic(ctx, text) })
	if err != nil {
		d.edit(func() error { d.failed(err, before); return nil })
	}
	return err
}

// failed is what is on air after a take that did not work: what was there before,
// unless that is gone. Without an answer nobody knows: the renderer's next report
// says it. d.mu is held.
func (d *Desk) failed(err error, before *OnAir) {
	if errors.Is(err, context.DeadlineExceeded) {
		return
	}
	d.onAir = nil
	if before != nil && (!d.report.Ready || d.report.Shown && sameText(before.Text, d.report.Text)) {
		d.onAir, before.Confirmed = before, d.report.Ready && !d.report.Hidden
	}
}

// Out takes the lower third off. ErrNothing.
func (d *Desk) Out(ctx context.Context) error { return d.out(ctx, nil) }

// out takes the lower third off; one whose time is up only if it is still the one on
// air: its successor may have been taken while the renderer was busy.
func (d *Desk) out(ctx context.Context, only *OnAir) error {
	d.air.Lock()
	defer d.air.Unlock()
	err := d.edit(func() error {
		if d.onAir == nil || only != nil && d.onAir != only {
			return ErrNothing
		}
		d.onAir = nil
		return nil
	})
	if err != nil {
		return err
	}
	return d.draw(ctx, d.hide)
}

func (d *Desk) hide(ctx context.Context) error { return d.renderer.HideGraphic(ctx) }

// draw asks the renderer, and keeps its complaint for the panel.
func (d *Desk) draw(ctx context.Context, ask func(context.Context) error) error {
	if d.renderer == nil {
		return nil // the overlay page follows the state by itself
	}
	ctx, cancel := context.WithTimeout(ctx, showTimeout)
	defer cancel()
	err := ask(ctx)
	d.edit(func() error {
		d.problem = ""
		if err != nil {
			d.problem = err.Error()
		}
		return nil
	})
	return err
}
