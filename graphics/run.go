package graphics

import (
	"context"
	"maps"
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
		if d.onAir != nil && d.onAir.OutAt != nil {
			timer = time.NewTimer(time.Until(*d.onAir.OutAt))
			due = timer.C
		}
		d.mu.Unlock()
		changed(d.State())
		select {
		case <-next:
		case <-due:
			d.Out(ctx) // a renderer that can't is in State.Problem
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
// restarted) gets what is on air again; one that was changed by hand is believed.
func (d *Desk) Report(ctx context.Context, r Report) {
	var again map[string]string
	var clear bool
	d.edit(func() error {
		back := r.Ready && !d.report.Ready
		d.report = r
		switch {
		case !r.Ready:
			if d.onAir != nil {
				d.onAir.Confirmed = false
			}
		case d.onAir != nil && back && !(r.Shown && sameText(r.Text, d.onAir.Text)):
			again = maps.Clone(d.onAir.Text)
		case d.onAir == nil && back && r.Shown:
			clear = true
		case d.onAir != nil && d.onAir.Confirmed && !r.Shown:
			d.onAir = nil // hidden at the mixer itself
		case d.onAir != nil:
			d.onAir.Confirmed = r.Shown && sameText(r.Text, d.onAir.Text)
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

// sameText compares without empty fields: a renderer may not know those.
func sameText(a, b map[string]string) bool {
	for name, text := range a {
		if b[name] != text {
			return false
		}
	}
	for name, text := range b {
		if a[name] != text {
			return false
		}
	}
	return true
}
