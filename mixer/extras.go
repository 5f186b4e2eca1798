package mixer

import (
	"context"
	"errors"
)

// Errors of what only some mixers can do.
var (
	ErrNoInput  = errors.New("the mixer has no such input")
	ErrNoOutput = errors.New("the mixer has no such output")
	ErrNoChoice = errors.New("the mixer has no scene collection or profile of that name")
	ErrNotNow   = errors.New("the mixer can't do this now")

	// ErrUnsure is the result of a command whose answer was lost: the mixer may have
	// done it or not. Its state shows which, once it is connected again.
	ErrUnsure = errors.New("lost the connection to the mixer: it may or may not have done this")
)

// The interfaces below are what a Mixer may be able to do in addition. A mixer that has
// the methods may still not be able to do it at the moment: the State says so. Like the
// Mixer's own, these commands return when the mixer has accepted them, and fail with
// ErrOffline, ErrUnsure or ErrNotNow.

// StudioModer switches the preview bus on and off and sets the transition that Take uses
// when none is given. ErrNoTransition.
type StudioModer interface {
	SetStudioMode(ctx context.Context, on bool) error
	SetTransition(ctx context.Context, t Transition) error
}

// TBarMover moves the T-bar by hand. Only the last position of a move has done set; from
// there the transition completes or goes back automatically.
type TBarMover interface {
	MoveTBar(ctx context.Context, position float64, done bool) error
}

// AudioMixer mixes the inputs' audio. ErrNoInput.
type AudioMixer interface {
	Mute(ctx context.Context, input string, muted bool) error
	Volume(ctx context.Context, input string, db float64) error
	// Meters calls level with the newest levels, up to 20 times a second, until ctx is
	// done; then it returns nil. It continues while the mixer is offline. Levels that
	// arrive while level runs are dropped.
	Meters(ctx context.Context, level func([]Meter)) error
}

// Meter is how loud an input is, in dBFS, by channel; -100 is silence.
type Meter struct {
	Name string    `json:"name"`
	RMS  []float64 `json:"rms"`
	Peak []float64 `json:"peak"`
}

// MediaPlayer plays clips. ErrNoInput.
type MediaPlayer interface {
	PlayMedia(ctx context.Context, input string) error
	PauseMedia(ctx context.Context, input string) error
	RestartMedia(ctx context.Context, input string) error
	StopMedia(ctx context.Context, input string) error
}

// OutputSwitch starts and stops what the mixer itself sends or records. Starting what is
// on already is fine. ErrNoOutput.
type OutputSwitch interface {
	StartOutput(ctx context.Context, output string) error
	StopOutput(ctx context.Context, output string) error
}

// CollectionSwitch changes to another scene collection or profile. ErrNoChoice.
type CollectionSwitch interface {
	SetCollection(ctx context.Context, name string) error
	SetProfile(ctx context.Context, name string) error
}

// Graphics shows a lower third. Text is by field name; State.Graphic lists the fields,
// and a field that is not given is empty. Each command returns when the mixer has
// confirmed it.
type Graphics interface {
	ShowGraphic(ctx context.Context, text map[string]string) error   // also puts it on air
	UpdateGraphic(ctx context.Context, text map[string]string) error // leaves it on or off air
	HideGraphic(ctx context.Context) error
}

// Graphic is the lower third as the mixer reports it.
type Graphic struct {
	Fields  []string          `json:"fields"`
	OnAir   bool              `json:"onAir"`             // it is visible on air
	Shown   bool              `json:"shown"`             // it is switched on, though the scene on air may not contain it
	Text    map[string]string `json:"text"`              // its current text
	Problem string            `json:"problem,omitempty"` // a sentence
}
