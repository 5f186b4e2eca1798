// Package mixer defines what a vision mixer is. The mixers are in its folders: cut
// (built in) and obs (OBS Studio). program is the unbroken stream that follows whichever
// of them is used.
package mixer

import (
	"context"
	"errors"
	"time"
)

// Errors a caller can act on.
var (
	ErrNoSource     = errors.New("the mixer has no such source")
	ErrNoTransition = errors.New("the mixer has no such transition")
	ErrOffline      = errors.New("the mixer is not connected")
	ErrNoPreview    = errors.New("nothing is in preview")
	ErrBusy         = errors.New("the mixer is still busy with the last command")
)

// Mixer is a vision mixer with a preview and a program bus.
//
// Commands return when the mixer has accepted them; their effect is seen in the state.
// They fail with ErrOffline while the mixer is not connected, and must not wait longer
// than the context allows.
type Mixer interface {
	// Run keeps the mixer going until ctx is done. changed gets the whole new
	// state, also at once at the start; it must not block or change the state.
	Run(ctx context.Context, changed func(State)) error
	// Preview puts source on the preview bus. ErrNoSource.
	Preview(ctx context.Context, source string) error
	// Cut puts source on air without a transition; "" is what is in preview.
	// ErrNoSource, ErrNoPreview.
	Cut(ctx context.Context, source string, when When) error
	// Take puts preview on air with a transition; the old program goes to preview.
	// ErrNoPreview, ErrNoTransition.
	Take(ctx context.Context, t Transition) error
}

// When says whether a cut may happen immediately or waits for a keyframe.
type When string

// Instant sends the frames since the source's newest keyframe compressed into the moment
// of the cut; Keyframe waits for its next keyframe.
const (
	Instant  When = ""
	Keyframe When = "keyframe"
)

// Transition is how preview goes on air.
type Transition struct {
	Kind       string `json:"kind,omitempty"`       // a name of State.Transitions; "" is the mixer's current one
	DurationMs int    `json:"durationMs,omitempty"` // 0 is the mixer's current duration
}

// Source is something the mixer can put on air.
type Source struct {
	Name  string   `json:"name"`            // what commands call it
	Feeds []string `json:"feeds,omitempty"` // hub streams visible in it, for its monitor and tally
}

// State is what this mixer is doing and can do. What it can't do is absent (nil,
// empty or false), and the panel shows no control for it.
type State struct {
	Kind      string `json:"kind"`              // "cut", "obs"
	Version   string `json:"version,omitempty"` // of the mixer software
	Connected bool   `json:"connected"`
	Problem   string `json:"problem,omitempty"` // a sentence: why it is not connected, or not healthy

	Sources []Source `json:"sources"`
	Program string   `json:"program"`           // on air; "" for nothing
	Preview string   `json:"preview,omitempty"` // "" for nothing
	Pending string   `json:"pending,omitempty"` // requested for program, waiting for its keyframe

	StudioMode   bool       `json:"studioMode"` // there is a preview bus
	Transitions  []string   `json:"transitions,omitempty"`
	Transition   Transition `json:"transition"`
	InTransition bool       `json:"inTransition,omitempty"`

	// Output is the hub stream that carries the mixer's program: the on-air feed
	// for the cut mixer, ingest.Mixer for OBS.
	Output string `json:"output,omitempty"`
	// OnAir and OnPreview are the feeds visible on each bus; during a transition both
	// sources are on air. Tally follows them.
	OnAir     []string `json:"onAir"`
	OnPreview []string `json:"onPreview"`

	Extras // sections that only some mixers have
}

// Extras is what only some mixers can do; a nil field is absent.
type Extras struct {
	TBar        *TBar        `json:"tbar,omitempty"`
	Audio       []AudioInput `json:"audio,omitempty"`
	Media       []MediaInput `json:"media,omitempty"`
	Outputs     []Output     `json:"outputs,omitempty"`
	Collections *Choice      `json:"collections,omitempty"` // OBS scene collections
	Profiles    *Choice      `json:"profiles,omitempty"`
	Health      *Health      `json:"health,omitempty"`
	Graphic     *Graphic     `json:"graphic,omitempty"`
}

// TBar is the position of the T-bar, 0 to 1.
type TBar struct {
	Position float64 `json:"position"`
}

// AudioInput is a channel of the mixer's audio mixer.
type AudioInput struct {
	Name  string  `json:"name"`
	Muted bool    `json:"muted"`
	DB    float64 `json:"db"` // -100 (off) to +26
}

// MediaInput is a clip player.
type MediaInput struct {
	Name     string `json:"name"`
	State    string `json:"state"` // "playing", "paused", "stopped", "ended", "opening", "error"
	CursorMs int64  `json:"cursorMs"`
	LengthMs int64  `json:"lengthMs"` // 0 for live
}

// Output is something the mixer itself sends or records: "stream", "record", "replay",
// "virtualcam".
type Output struct {
	Name   string     `json:"name"`
	State  string     `json:"state"` // "off", "starting", "on", "stopping", "reconnecting", "paused"
	Since  *time.Time `json:"since,omitempty"`
	Reason string     `json:"reason,omitempty"` // why it stopped unexpectedly
}

// Choice is one of several named things.
type Choice struct {
	Current string   `json:"current"`
	All     []string `json:"all"`
}

// Health is how well the mixer's computer keeps up.
type Health struct {
	Warnings       []string `json:"warnings,omitempty"` // what is wrong; empty when nothing is
	CPUPercent     float64  `json:"cpuPercent"`
	MemoryMB       float64  `json:"memoryMB"`
	FPS            float64  `json:"fps"`
	RenderMs       float64  `json:"renderMs"` // average time to render a frame
	RenderSkipped  int64    `json:"renderSkipped"`
	EncoderSkipped int64    `json:"encoderSkipped"`
	DiskFreeMB     float64  `json:"diskFreeMB"`
}
