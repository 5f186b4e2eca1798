package studio

import (
	"context"

	"obvan/control"
	"obvan/control/showfile"
	"obvan/internal/text"
	"obvan/mixer"
)

// ChoiceArgs is what obs.collection and obs.profile take.
type ChoiceArgs struct {
	Name string `json:"name" example:"Sunday"` // one of those the mixer's state lists
}

// ProvisionArgs is what obs.provision takes.
type ProvisionArgs struct {
	Preview         bool     `json:"preview,omitempty" example:"true"` // only say what would be done
	Remove          []string `json:"remove,omitempty"`                 // cameras that are no more and whose scenes may go; without this they stay
	VideoKbps       int      `json:"videoKbps,omitempty"`              // of OBS' stream to the studio; left out: as before, at first 6000
	AudioKbps       int      `json:"audioKbps,omitempty"`              // left out: as before, at first 160
	KeyframeSeconds int      `json:"keyframeSeconds,omitempty"`        // between key frames; left out: as before, at first 1
}

// Provisioned is what obs.provision and obs.undo answer.
type Provisioned struct {
	Done         bool     `json:"done" example:"true"` // false for a preview
	Steps        []string `json:"steps" example:"[\"Make the scene “Camera 1 [obvan]”.\"]"`
	Notes        []string `json:"notes,omitempty"`        // what to know about it
	RemovedFeeds []string `json:"removedFeeds,omitempty"` // cameras that are no more and whose scenes are still there
}

// PasswordArgs is what obs.password takes.
type PasswordArgs struct {
	Password string `json:"password" secret:"true" example:"***"` // of OBS' websocket server; "" for the one of OBVAN_OBS_PASSWORD
}

// longestPassword is more than OBS' own dialog takes.
const maxPassword = 256

func obsCommands() []Command {
	choice := func(name, doc, did string, do func(mixer.CollectionSwitch, context.Context, string) error) Command {
		return command(name, control.Director, doc, func(ctx context.Context, s *Studio, args ChoiceArgs) (none, error) {
			m, err := capability[mixer.CollectionSwitch](s, "have scene collections and profiles")
			if err != nil {
				return none{}, err
			}
			if err := do(m, ctx, args.Name); err != nil {
				return none{}, err
			}
			s.logAction(ctx, "changed OBS to the %s %s", did, text.Quote(args.Name))
			return none{}, nil
		}, mixer.ErrNoChoice, mixer.ErrOffline, mixer.ErrBusy, mixer.ErrNotNow, control.ErrUnsupported)
	}
	return []Command{
		choice("obs.collection", "Change OBS to another scene collection.", "scene collection", mixer.CollectionSwitch.SetCollection),
		choice("obs.profile", "Change OBS to another profile; not while it sends or records.", "profile", mixer.CollectionSwitch.SetProfile),
		command("obs.provision", control.Director, "Set OBS up for the studio: a scene for each camera, scenes of several, the lower third, and its stream to the program. Only what is missing is done; the operator's own scenes stay as they are.",
			func(ctx context.Context, s *Studio, args ProvisionArgs) (Provisioned, error) {
				return s.provision(ctx, args)
			},
			mixer.ErrOffline, mixer.ErrNotNow, control.ErrUnsupported),
		command("obs.undo", control.Director, "Take back all that was set up in OBS' present scene collection.",
			func(ctx context.Context, s *Studio, _ none) (none, error) {
				return none{}, s.undoProvision(ctx)
			},
			control.ErrRefused, mixer.ErrOffline, mixer.ErrNotNow, control.ErrUnsupported),
		command("obs.password", control.Admin, "Keep the password of OBS' websocket server; it is tried at once.",
			func(ctx context.Context, s *Studio, args PasswordArgs) (none, error) {
				return none{}, s.setOBSPassword(ctx, args.Password)
			}),
	}
}

func (s *Studio) setOBSPassword(ctx context.Context, password string) error {
	if len(password) > maxPassword {
		return control.Invalidf("the argument password is too long: %d letters at most", maxPassword)
	}
	if err := s.edit(ctx, func(_ *showfile.Show, sec *showfile.Secrets) error { sec.OBSPassword = password; return nil }); err != nil {
		return err
	}
	s.logAction(ctx, "gave the studio another password for OBS")
	return nil
}
