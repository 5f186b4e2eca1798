package studio

import (
	"context"

	"obvan/control"
	"obvan/mixer"
)

// MuteArgs is what audio.mute takes.
type MuteArgs struct {
	Input string `json:"input" example:"Mic"` // a name of the mixer's audio inputs
	Muted bool   `json:"muted" example:"true"`
}

// VolumeArgs is what audio.volume takes.
type VolumeArgs struct {
	Input  string  `json:"input" example:"Mic"`
	DB     float64 `json:"db" example:"-6"`  // -100 (off) to +26
	Moving bool    `json:"moving,omitempty"` // the fader is still being moved: it is not logged yet
}

// MetersArgs is what audio.meters takes.
type MetersArgs struct {
	On bool `json:"on" example:"true"`
}

// Bounds of a fader.
const (
	faderMin = -100
	faderMax = 26
)

func audioCommands() []Command {
	fails := []error{mixer.ErrNoInput, mixer.ErrOffline, mixer.ErrNotNow, control.ErrUnsupported}
	return []Command{
		command("audio.mute", control.Operator, "Mute or unmute an input of the mixer.",
			func(ctx context.Context, s *Studio, args MuteArgs) (none, error) {
				return none{}, s.mute(ctx, args)
			}, fails...),
		command("audio.volume", control.Operator, "Move a fader of the mixer.",
			func(ctx context.Context, s *Studio, args VolumeArgs) (none, error) {
				return none{}, s.volume(ctx, args)
			}, fails...),
		command("audio.meters", control.Viewer, "Send the mixer's audio levels to this websocket as \"meters\" notifications, 20 times a second, until switched off.",
			func(ctx context.Context, s *Studio, args MetersArgs) (none, error) {
				return none{}, s.meters(ctx, args.On)
			}, control.ErrUnsupported),
	}
}

func (s *Studio) mute(ctx context.Context, args MuteArgs) error {
	desk, err := capability[mixer.AudioMixer](s, "audio control")
	if err != nil {
		return err
	}
	if err := desk.Mute(ctx, args.Input, args.Muted); err != nil {
		return err
	}
	s.logAction(ctx, "%s %s", map[bool]string{true: "muted", false: "unmuted"}[args.Muted], args.Input)
	return nil
}

func (s *Studio) volume(ctx context.Context, args VolumeArgs) error {
	if args.DB < faderMin || args.DB > faderMax {
		return control.Invalidf("the argument db must be %d to %d", faderMin, faderMax)
	}
	desk, err := capability[mixer.AudioMixer](s, "audio control")
	if err != nil {
		return err
	}
	if err := desk.Volume(ctx, args.Input, args.DB); err != nil {
		return err
	}
	if !args.Moving {
		s.logAction(ctx, "set the fader of %s to %.1f dB", args.Input, args.DB)
	}
	return nil
}

// meters has the audio levels sent to the caller's websocket, until they are switched off.
func (s *Studio) meters(ctx context.Context, on bool) error {
	desk, err := capability[mixer.AudioMixer](s, "audio control")
	if err != nil {
		return err
	}
	meters := control.CallerOf(ctx).Meters
	if meters == nil {
		return control.Invalidf("audio levels are only sent over a websocket: request them there")
	}
	meters(desk, on)
	return nil
}
