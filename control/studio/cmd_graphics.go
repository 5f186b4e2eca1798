package studio

import (
	"context"

	"obvan/control"
	"obvan/control/showfile"
	"obvan/graphics"
	"obvan/internal/text"
	"obvan/mixer"
)

// GraphicAddArgs is what graphics.add takes.
type GraphicAddArgs struct {
	Template  string            `json:"template,omitempty" example:"person"`                               // default: name and title
	Text      map[string]string `json:"text" example:"{\"name\":\"Ada Lovelace\",\"title\":\"Engineer\"}"` // by field; the field logo names one of the state's logos
	AutoOutMs int               `json:"autoOutMs,omitempty" example:"8000"`                                // hidden automatically after this time; default: stays on air
}

// GraphicAdded is what graphics.add answers.
type GraphicAdded struct {
	ID string `json:"id" example:"q7wmx2fa"`
}

// GraphicUpdateArgs is what graphics.update takes; omitted fields are unchanged.
type GraphicUpdateArgs struct {
	ID        string            `json:"id" example:"q7wmx2fa"`
	Template  string            `json:"template,omitempty"`
	Text      map[string]string `json:"text,omitempty" example:"{\"name\":\"Ada King\"}"` // all fields
	AutoOutMs *int              `json:"autoOutMs,omitempty"`                              // 0: it stays
}

// GraphicArgs names a lower third.
type GraphicArgs struct {
	ID string `json:"id" example:"q7wmx2fa"`
}

// GraphicMoveArgs is what graphics.move takes.
type GraphicMoveArgs struct {
	ID string `json:"id" example:"q7wmx2fa"`
	To int    `json:"to" example:"0"` // its new place in the list; 0 is the first
}

// GraphicImportArgs is what graphics.import takes.
type GraphicImportArgs struct {
	CSV string `json:"csv" example:"name,title\nAda Lovelace,Engineer\n"` // a name a line, with its title; a first line may name the columns
}

// GraphicImported is what graphics.import answers.
type GraphicImported struct {
	Added int `json:"added" example:"1"`
}

func graphicsCommands() []Command {
	text := []error{graphics.ErrNoTemplate, graphics.ErrNoLogo, graphics.ErrInvalidText, graphics.ErrFull}
	air := []error{mixer.ErrOffline, mixer.ErrNotNow, mixer.ErrUnsure}
	return []Command{
		command("graphics.add", control.Operator, "Add a lower third at the end of the list.",
			func(ctx context.Context, s *Studio, args GraphicAddArgs) (GraphicAdded, error) {
				return s.addGraphic(ctx, args)
			}, text...),
		command("graphics.update", control.Operator, "Change a lower third; one that is on air changes on air.",
			func(ctx context.Context, s *Studio, args GraphicUpdateArgs) (none, error) {
				return none{}, s.updateGraphic(ctx, args)
			}, append([]error{graphics.ErrNoItem, graphics.ErrNoTemplate, graphics.ErrNoLogo, graphics.ErrInvalidText}, air...)...),
		command("graphics.remove", control.Operator, "Remove a lower third from the list; one that is on air stays on air.",
			func(ctx context.Context, s *Studio, args GraphicArgs) (none, error) {
				return none{}, s.listGraphics(ctx, func(d *graphics.Queue) error { return d.Remove(args.ID) })
			}, graphics.ErrNoItem),
		command("graphics.move", control.Operator, "Move a lower third to another place in the list.",
			func(ctx context.Context, s *Studio, args GraphicMoveArgs) (none, error) {
				return none{}, s.listGraphics(ctx, func(d *graphics.Queue) error { return d.Move(args.ID, args.To) })
			}, graphics.ErrNoItem),
		command("graphics.import", control.Operator, "Add many lower thirds from a table of names; none is added if any line is invalid.",
			func(ctx context.Context, s *Studio, args GraphicImportArgs) (GraphicImported, error) {
				return s.importGraphics(ctx, args.CSV)
			}, graphics.ErrInvalidText, graphics.ErrFull),
		command("graphics.take", control.Operator, "Put a lower third on air, replacing the current one.",
			func(ctx context.Context, s *Studio, args GraphicArgs) (none, error) {
				return none{}, s.airGraphic(ctx, func(ctx context.Context) error { return s.areas.graphics.Take(ctx, args.ID) })
			}, append([]error{graphics.ErrNoItem}, air...)...),
		command("graphics.next", control.Operator, "Put the next lower third of the list on air.",
			func(ctx context.Context, s *Studio, _ none) (none, error) {
				return none{}, s.airGraphic(ctx, s.areas.graphics.Next)
			}, append([]error{graphics.ErrNoNext}, air...)...),
		command("graphics.out", control.Operator, "Take the lower third off air.",
			func(ctx context.Context, s *Studio, _ none) (none, error) {
				if err := s.areas.graphics.Out(ctx); err != nil {
					return none{}, err
				}
				s.logAction(ctx, "took the lower third off air")
				return none{}, nil
			}, append([]error{graphics.ErrNotOnAir}, air...)...),
	}
}

func (s *Studio) addGraphic(ctx context.Context, args GraphicAddArgs) (added GraphicAdded, err error) {
	if err := s.knownLogo(args.Text); err != nil {
		return added, err
	}
	err = s.listGraphics(ctx, func(d *graphics.Queue) error {
		added.ID, err = d.Add(graphics.Item{Template: args.Template, Text: args.Text, AutoOutMs: args.AutoOutMs})
		return err
	})
	return added, err
}

func (s *Studio) updateGraphic(ctx context.Context, args GraphicUpdateArgs) error {
	if err := s.knownLogo(args.Text); err != nil {
		return err
	}
	return s.listGraphics(ctx, func(d *graphics.Queue) error {
		it := graphics.Item{ID: args.ID, Template: args.Template, Text: args.Text}
		if args.AutoOutMs != nil {
			it.AutoOutMs = *args.AutoOutMs
		} else {
			it.AutoOutMs = d.AutoOut(args.ID)
		}
		return d.Update(ctx, it)
	})
}

func (s *Studio) importGraphics(ctx context.Context, csv string) (GraphicImported, error) {
	items, err := graphics.ParseCSV([]byte(csv))
	if err != nil {
		return GraphicImported{}, err
	}
	err = s.listGraphics(ctx, func(d *graphics.Queue) error { return d.Import(items) })
	if err != nil {
		return GraphicImported{}, err
	}
	s.logAction(ctx, "imported %d lower thirds", len(items))
	return GraphicImported{len(items)}, nil
}

// listGraphics changes the list and stores it. A change is also stored when the renderer
// could not show it.
func (s *Studio) listGraphics(ctx context.Context, change func(*graphics.Queue) error) error {
	changed := change(s.areas.graphics)
	err := s.edit(ctx, func(k *showfile.Show, _ *showfile.Secrets) error {
		k.Graphics = s.areas.graphics.State().Items
		return nil
	})
	if changed != nil {
		return changed
	}
	return err
}

// airGraphic puts a lower third on air and logs which.
func (s *Studio) airGraphic(ctx context.Context, take func(context.Context) error) error {
	if err := take(ctx); err != nil {
		return err
	}
	if on := s.areas.graphics.State().OnAir; on != nil {
		s.logAction(ctx, "put the lower third %s on air", text.Quote(on.Text["name"]))
	}
	return nil
}
