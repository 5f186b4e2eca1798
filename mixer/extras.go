package mixer

import (
	"context"
	"errors"
)

// Errors of what only some mixers can do.
var (
	ErrNoInput  = errors.New("the mixer has no such input")
	ErrNoOutput = errors.New("the mixer has no such output")
	ErrNoChoice = errors.New("the mixer has nothing of that name to change to")
	ErrNotNow   = errors.New("the mixer can't do this now")

	// ErrUnsure is the end of a command whose answer was lost: the mixer may have
	// done it or not. Its state, once it is connected again, says which.
	ErrUnsure = errors.New("the connection to the mixer broke: it may have done this, or not")
)

// The interfaces below are what a Mixer may be able to do on top. A mixer that has
// the methods may still lack the ability at the moment: the State says so. Like
// the Mixer's own, their commands return when the mixer accepted them, and fail
// with ErrOffline, ErrUnsure, or ErrNotNow.

// StudioModer switches the preview bus on and off and picks the transition that
// Take uses when it is told none. ErrNoTransition.
type StudioModer interface {
	SetStudioMode(ctx context.Context, on bool) error
	SetTransition(ctx context.Context, t Transition) error
}

// TBarMover moves the transition lever by hand. Only the last move of a pull has
// done set; the transition goes on or back from there by itself.
type TBarMover interface {
	MoveTBar(ctx context.Context, position float64, done bool) error
}

// AudioDesk is a sound desk. ErrNoInput.
type AudioMixer interface {
	Mute(ctx context.Context, input string, muted bool) error
	Volume(ctx context.Context, input string, db float64) error
	// Meters calls back with the newest levels, up to 20 times a second, until ctx
	// is done; then it returns nil. It goes on through times offline. Levels that
	// come while level runs are left out.
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

// OutputSwitch starts and stops what the mixer sends or writes by itself.
// Starting what is on already is fine. ErrNoOutput.
type OutputSwitch interface {
	StartOutput(ctx context.Context, output string) error
	StopOutput(ctx context.Context, output string) error
}

// CollectionSwitch changes to another scene collection or profile. ErrNoChoice.
type CollectionSwitch interface {
	SetCollection(ctx context.Context, name string) error
	SetProfile(ctx context.Context, name string) error
}

// Graphics shows a lower third. Text is by field name; which fields there are is
// said by State.Graphic, and a field that is not given is empty. Each returns when
// the mixer confirmed what it asked for.
type Graphics interface {
	ShowGraphic(ctx context.Context, text map[string]string) error   // also brings it on air
	UpdateGraphic(ctx context.Context, text map[string]string) error // leaves it on air or off
	HideGraphic(ctx context.Context) error
}

// Graphic is the lower third as the mixer reports it.
type Graphic struct {
	Fields  []string          `json:"fields"`
	OnAir   bool              `json:"onAir"`             // it is shown in what is on air
	Shown   bool              `json:"shown"`             // it is switched on, though perhaps not in this scene
	Text    map[string]string `json:"text"`              // what it says now
	Problem string            `json:"problem,omitempty"` // in words
}
