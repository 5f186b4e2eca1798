package studio

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"obvan/control"
	"obvan/graphics"
	"obvan/mixer"
)

// Of the overlay page's heartbeats.
const (
	heartbeatTimeout = 3 * time.Second // a page that sends none for longer is frozen
	forgetPageAfter  = time.Minute     // and one that sends none for so long was closed
	maxPages         = 32
	maxPage          = 64
)

// HeartbeatArgs is what overlay.heartbeat takes.
type HeartbeatArgs struct {
	Page    string            `json:"page" example:"k3n8x"` // which page it is; each makes up a name when it loads
	Shown   bool              `json:"shown" example:"true"`
	Text    map[string]string `json:"text,omitempty" example:"{\"name\":\"Ada Lovelace\"}"`
	Closing bool              `json:"closing,omitempty"` // it is being closed
}

func overlayCommands() []Command {
	return []Command{
		command("overlay.heartbeat", control.Viewer, "Sent by the overlay page once a second, to report what it shows.",
			func(_ context.Context, s *Studio, args HeartbeatArgs) (none, error) {
				return none{}, s.heartbeat(args)
			}, control.ErrTooMany),
	}
}

// overlay is the overlay pages that are open.
type overlay struct {
	mu    sync.Mutex
	pages map[string]pageState
}

type pageState struct {
	at    time.Time
	shown bool
	text  map[string]string
}

func (s *Studio) heartbeat(args HeartbeatArgs) error {
	if args.Page == "" || len(args.Page) > maxPage {
		return control.Invalidf("the argument page must be 1 to %d characters", maxPage)
	}
	defer s.areas.wakeGraphics()
	o := &s.areas.overlay
	o.mu.Lock()
	defer o.mu.Unlock()
	if args.Closing {
		delete(o.pages, args.Page)
		return nil
	}
	if _, known := o.pages[args.Page]; !known && len(o.pages) >= maxPages {
		return fmt.Errorf("%d overlay pages are open already: %w", maxPages, control.ErrTooMany)
	}
	o.pages[args.Page] = pageState{time.Now(), args.Shown, args.Text}
	return nil
}

// report is what the pages show; when they don't agree, what one that shows something
// reports.
func (o *overlay) report(now time.Time) (r graphics.Report) {
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.DeleteFunc(o.pages, func(_ string, b pageState) bool { return now.Sub(b.at) > forgetPageAfter })
	for _, b := range o.pages {
		if now.Sub(b.at) > heartbeatTimeout {
			r.Problem = "an overlay page is frozen: reload it"
			continue
		}
		r.Ready = true
		if b.shown && !r.Shown {
			r.Shown, r.Text = true, b.text
		}
	}
	if r.Ready {
		r.Via = graphics.ViaOverlay
	}
	return r
}

// areas is the state of the areas of commands that have some of their own.
type areas struct {
	graphics        *graphics.Queue
	overlay         overlay
	graphicsChanged chan struct{} // holds one token: what renders lower thirds may show something else
	obs             obsEditor
	selfTest        selfTesting

	refreshing sync.Mutex // held from observing to updating the store: older results must not replace newer ones
	firstToken string     // made at the first start, for the login link
}

func (d *areas) open(renderer graphics.Renderer, prepared []graphics.Item) {
	d.graphics, d.overlay.pages = graphics.New(renderer, prepared), map[string]pageState{}
	d.graphicsChanged, d.obs, d.selfTest.start = make(chan struct{}, 1), newOBSEditor(), make(chan time.Duration, 1)
}

func (d *areas) wakeGraphics() {
	select {
	case d.graphicsChanged <- struct{}{}:
	default:
	}
}

// renderer is the mixer's own lower third where it has one now, else the overlay page,
// which follows the state.
type renderer struct{ studio *Studio }

func (d renderer) mixer() (mixer.Graphics, bool) {
	m, can := d.studio.deps.Mixer.(mixer.Graphics)
	via := d.studio.areas.graphics.State().Via
	d.studio.store.Read(func(st *control.State) {
		// While it is not connected it is asked all the same: its error says so.
		can = can && (st.Mixer.Graphic != nil || !st.Mixer.Connected && via != graphics.ViaOverlay)
	})
	return m, can
}

// ShowGraphic implements graphics.Renderer.
func (d renderer) ShowGraphic(ctx context.Context, text map[string]string) error {
	if m, ok := d.mixer(); ok {
		return m.ShowGraphic(ctx, text)
	}
	return nil
}

// UpdateGraphic implements graphics.Renderer.
func (d renderer) UpdateGraphic(ctx context.Context, text map[string]string) error {
	if m, ok := d.mixer(); ok {
		return m.UpdateGraphic(ctx, text)
	}
	return nil
}

// HideGraphic implements graphics.Renderer.
func (d renderer) HideGraphic(ctx context.Context) error {
	if m, ok := d.mixer(); ok {
		return m.HideGraphic(ctx)
	}
	return nil
}

// runGraphics updates the state of the lower thirds until ctx is done. It must not be the
// mixer's goroutine that reports: a report may ask the mixer for something.
func (s *Studio) runGraphics(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		s.areas.graphics.Run(ctx, func(g graphics.State) {
			g.Problem = s.Redact(g.Problem)
			s.store.Update(func(st *control.State) { st.Graphics = g })
		})
	})
	for {
		select {
		case <-s.areas.graphicsChanged:
			s.areas.graphics.Report(ctx, s.graphicReport(time.Now()))
		case <-ctx.Done():
			return
		}
	}
}

// graphicReport is what the renderer of lower thirds says it shows.
func (s *Studio) graphicReport(now time.Time) graphics.Report {
	var m *mixer.Graphic
	s.store.Read(func(st *control.State) { m = st.Mixer.Graphic })
	if m == nil {
		return s.areas.overlay.report(now)
	}
	r := graphics.Report{Via: graphics.ViaMixer, Ready: true, Shown: m.Shown, Hidden: m.Shown && !m.OnAir, Text: m.Text, Problem: m.Problem}
	if r.Hidden && r.Problem == "" {
		r.Problem = "it is switched on, but the scene on air has no lower third"
	}
	return r
}
