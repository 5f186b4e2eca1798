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
	Preview         bool     `json:"preview,omitempty" example:"true"` // only report what would be done
	Remove          []string `json:"remove,omitempty"`                 // removed cameras whose scenes are deleted; without this they stay
	VideoKbps       int      `json:"videoKbps,omitempty"`              // of OBS' stream to the studio; default: the previous value, initially 6000
	AudioKbps       int      `json:"audioKbps,omitempty"`              // default: the previous value, initially 160
	KeyframeSeconds int      `json:"keyframeSeconds,omitempty"`        // between keyframes; default: the previous value, initially 1
}

// Provisioned is what obs.provision and obs.undo answer.
type Provisioned struct {
	Done         bool     `json:"done" example:"true"` // false for a preview
	Steps        []string `json:"steps" example:"[\"Create the scene \\\"Camera 1 [obvan]\\\".\"]"`
	Notes        []string `json:"notes,omitempty"`        // what an operator should know about it
	RemovedFeeds []string `json:"removedFeeds,omitempty"` // removed cameras whose scenes are still there
}

// PasswordArgs is what obs.password takes.
type PasswordArgs struct {
	Password string `json:"password" secret:"true" example:"***"` // of OBS' websocket server; "" for the one of OBVAN_OBS_PASSWORD
}

// maxPassword is more than OBS' own dialog accepts.
const maxPassword = 256

func obsCommands() []Command {
	choice := func(name, doc, did string, do func(mixer.CollectionSwitch, context.Context, string) error) Command {
		return command(name, control.Director, doc, func(ctx context.Context, s *Studio, args ChoiceArgs) (none, error) {
			m, err := capability[mixer.CollectionSwitch](s, "scene collections and profiles")
			if err != nil {
				return none{}, err
			}
			if err := do(m, ctx, args.Name); err != nil {
				return none{}, err
			}
			s.logAction(ctx, "switched OBS to the %s %s", did, text.Quote(args.Name))
			return none{}, nil
		}, mixer.ErrNoChoice, mixer.ErrOffline, mixer.ErrBusy, mixer.ErrNotNow, control.ErrUnsupported)
	}
	return []Command{
		choice("obs.collection", "Switch OBS to another scene collection.", "scene collection", mixer.CollectionSwitch.SetCollection),
		choice("obs.profile", "Switch OBS to another profile; not while it streams or records.", "profile", mixer.CollectionSwitch.SetProfile),
		command("obs.provision", control.Director, "Set up OBS for the studio: a scene for each camera, scenes with several, the lower third, and its stream to the program. Only what is missing is added; the operator's own scenes stay as they are.",
			func(ctx context.Context, s *Studio, args ProvisionArgs) (Provisioned, error) {
				return s.provision(ctx, args)
			},
			mixer.ErrOffline, mixer.ErrNotNow, control.ErrUnsupported),
		command("obs.undo", control.Director, "Undo the whole setup in the current scene collection of OBS.",
			func(ctx context.Context, s *Studio, _ none) (none, error) {
				return none{}, s.undoProvision(ctx)
			},
			control.ErrRefused, mixer.ErrOffline, mixer.ErrNotNow, control.ErrUnsupported),
		command("obs.password", control.Admin, "Store the password of OBS' websocket server; it is tried at once.",
			func(ctx context.Context, s *Studio, args PasswordArgs) (none, error) {
				return none{}, s.setOBSPassword(ctx, args.Password)
			}),
	}
}

func (s *Studio) setOBSPassword(ctx context.Context, password string) error {
	if len(password) > maxPassword {
		return control.Invalidf("the argument password is too long: %d characters at most", maxPassword)
	}
	if err := s.edit(ctx, func(_ *showfile.Show, sec *showfile.Secrets) error { sec.OBSPassword = password; return nil }); err != nil {
		return err
	}
	s.logAction(ctx, "changed the OBS password")
	return nil
}
