package graphics

import (
	"context"
	"maps"
	"strings"
	"time"
)

// Run takes lower thirds off when their time is up, until ctx is done. changed gets
// each new state; it must not block.
func (q *Queue) Run(ctx context.Context, changed func(State)) error {
	for {
		q.mu.Lock()
		next := q.changed
		var due <-chan time.Time
		var timer *time.Timer
		on := q.onAir
		if on != nil && on.OutAt != nil {
			timer = time.NewTimer(time.Until(*on.OutAt))
			due = timer.C
		}
		q.mu.Unlock()
		changed(q.State())
		select {
		case <-next:
		case <-due:
			q.out(ctx, on) // an error of the renderer is in State.Problem
		case <-ctx.Done():
		}
		if timer != nil {
			timer.Stop()
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// Report takes a renderer's report of what it shows. A renderer that reconnects (OBS was
// restarted) is sent what is on air again; a change made in the renderer itself is
// adopted. What is shown when the studio starts stays on air: the studio was restarted,
// the show was not.
func (q *Queue) Report(ctx context.Context, r Report) {
	var again map[string]string
	var clear bool
	q.edit(func() error {
		back, first := r.Ready && !q.report.Ready, r.Ready && !q.rendererSeen
		q.report, q.rendererSeen = r, q.rendererSeen || r.Ready
		switch {
		case !r.Ready:
			if q.onAir != nil {
				q.onAir.Confirmed = false
			}
		case q.onAir == nil && first && r.Shown:
			q.adopt(r.Text)
		case q.onAir == nil && back && r.Shown:
			clear = true
		case q.onAir == nil:
		case back && !(r.Shown && sameText(q.onAir.Text, r.Text)):
			again = maps.Clone(q.onAir.Text)
		case q.onAir.Confirmed && !r.Shown && r.Via == ViaMixer:
			q.onAir = nil // hidden in the mixer itself
		default:
			q.onAir.Confirmed = r.Shown && !r.Hidden && sameText(q.onAir.Text, r.Text)
		}
		return nil
	})
	if again == nil && !clear {
		return
	}
	q.rendering.Lock()
	defer q.rendering.Unlock()
	if clear {
		q.draw(ctx, q.hide)
		return
	}
	q.draw(ctx, func(ctx context.Context) error { return q.renderer.ShowGraphic(ctx, again) })
}

// adopt puts what a renderer shows on air, whether it is on the list or not. The caller
// holds mu.
func (q *Queue) adopt(text map[string]string) {
	q.onAir = &OnAir{Item: Item{Template: Templates()[0].ID, Text: maps.Clone(text)}, Since: time.Now(), Confirmed: true}
	for i := range q.items {
		if sameText(q.items[i].Text, text) {
			q.onAir.Item, q.lastTaken = q.items[i].clone(), q.items[i].ID
			q.onAir.setOutAt()
			return
		}
	}
}

// setOutAt sets the time at which it is taken off automatically.
func (o *OnAir) setOutAt() {
	if o.AutoOutMs > 0 {
		at := o.Since.Add(time.Duration(o.AutoOutMs) * time.Millisecond)
		o.OutAt = &at
	}
}

// sameText reports whether a renderer shows the expected text. Empty fields do not count,
// since it may not know them, and a missing logo is reported separately.
func sameText(want, shown map[string]string) bool {
	for name, text := range want {
		if name == LogoField && shown[name] == "" {
			continue
		}
		if !sameLine(text, shown[name]) {
			return false
		}
	}
	for name, text := range shown {
		if text != "" && want[name] == "" {
			return false
		}
	}
	return true
}

// sameLine compares as a viewer would: a renderer puts the text on one line, and
// truncates it if it does not fit.
func sameLine(want, shown string) bool {
	want, shown = strings.Join(strings.Fields(want), " "), strings.Join(strings.Fields(shown), " ")
	start, cut := strings.CutSuffix(shown, "…")
	return want == shown || cut && start != "" && strings.HasPrefix(want, strings.TrimSpace(start))
}
