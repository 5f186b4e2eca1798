package graphics

import (
	"context"
	"maps"
	"strings"
	"time"
)

// Run takes lower thirds out when their time is up, until ctx is done. changed
// gets each new state; it must not block.
func (d *Desk) Run(ctx context.Context, changed func(State)) error {
	for {
		d.mu.Lock()
		next := d.changed
		var due <-chan time.Time
		var timer *time.Timer
		on := d.onAir
		if on != nil && on.OutAt != nil {
			timer = time.NewTimer(time.Until(*on.OutAt))
			due = timer.C
		}
		d.mu.Unlock()
		changed(d.State())
		select {
		case <-next:
		case <-due:
			d.out(ctx, on) // a renderer that can't is in State.Problem
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

// Report is told what the renderer shows. A renderer that comes back (OBS was
// restarted) gets what is on air again; one that was changed by hand is believed. What
// is shown when the desk is new stays on air: the studio was restarted, the show was not.
func (d *Desk) Report(ctx context.Context, r Report) {
	var again map[string]string
	var clear bool
	d.edit(func() error {
		back, first := r.Ready && !d.report.Ready, r.Ready && !d.met
		d.report, d.met = r, d.met || r.Ready
		switch {
		case !r.Ready:
			if d.onAir != nil {
				d.onAir.Confirmed = false
			}
		case d.onAir == nil && first && r.Shown:
			d.adopt(r.Text)
		case d.onAir == nil && back && r.Shown:
			clear = true
		case d.onAir == nil:
		case back && !(r.Shown && sameText(d.onAir.Text, r.Text)):
			again = maps.Clone(d.onAir.Text)
		case d.onAir.Confirmed && !r.Shown && r.Via == ViaMixer:
			d.onAir = nil // hidden at the mixer itself
		default:
			d.onAir.Confirmed = r.Shown && !r.Hidden && sameText(d.onAir.Text, r.Text)
		}
		return nil
	})
	if again == nil && !clear {
		return
	}
	d.air.Lock()
	defer d.air.Unlock()
	if clear {
		d.draw(ctx, d.hide)
		return
	}
	d.draw(ctx, func(ctx context.Context) error { return d.renderer.ShowGraphic(ctx, again) })
}

// adopt puts what a renderer shows on air; d.mu is held. It need not be on the list.
func (d *Desk) adopt(text map[string]string) {
	d.onAir = &OnAir{Item: Item{Template: Templates()[0].ID, Text: maps.Clone(text)}, Since: time.Now(), Confirmed: true}
	for i := range d.items {
		if sameText(d.items[i].Text, text) {
			d.onAir.Item, d.last = d.items[i].clone(), d.items[i].ID
			d.onAir.leave()
			return
		}
	}
}

// leave sets the time at which it leaves by itself.
func (o *OnAir) leave() {
	if o.AutoOutMs > 0 {
		at := o.Since.Add(time.Duration(o.AutoOutMs) * time.Millisecond)
		o.OutAt = &at
	}
}

// sameText says whether a renderer shows what is wanted. Empty fields do not count: it
// may not know them; and one that shows no logo shows the rest all the same.
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

// sameLine compares as a viewer would: a renderer makes one line of the text, and cuts
// what does not fit.
func sameLine(want, shown string) bool {
	want, shown = strings.Join(strings.Fields(want), " "), strings.Join(strings.Fields(shown), " ")
	start, cut := strings.CutSuffix(shown, "…")
	return want == shown || cut && start != "" && strings.HasPrefix(want, strings.TrimSpace(start))
}
