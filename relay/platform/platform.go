// Package platform is what is known of the places a show goes to: their addresses,
// where an operator finds the key, and what they publish about the streams they
// take. It is data; nothing here forbids anything.
package platform

import "time"

// Platform is one place. What a platform does not publish is zero here, and is not
// checked.
type Platform struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	URL        string `json:"url"`                  // "" when the platform gives each show its own
	BackupURL  string `json:"backupUrl,omitempty"`  // a second server for the same show
	Hint       string `json:"hint"`                 // where the address and the key are found
	SendToBoth bool   `json:"sendToBoth,omitempty"` // primary and backup may, and should, run at once

	// Grace is how long the platform keeps the show alive without data: so urgent is a
	// reconnect. 0 when it is not known.
	Grace time.Duration `json:"-"`

	Limits Limits `json:"limits"`
}

// Limits is what a platform says about the streams it takes.
type Limits struct {
	Video              []string      `json:"video,omitempty"` // codecs, by media.Codec's names
	Audio              []string      `json:"audio,omitempty"`
	MaxWidth           int           `json:"maxWidth,omitempty"` // of a picture that lies; one that stands has it as height
	MaxHeight          int           `json:"maxHeight,omitempty"`
	MaxFrameRate       float64       `json:"maxFrameRate,omitempty"`
	MaxKbps            int           `json:"maxKbps,omitempty"` // picture; Rates is finer where there is one
	MaxAudioKbps       int           `json:"maxAudioKbps,omitempty"`
	MaxKeyframeSeconds float64       `json:"maxKeySeconds,omitempty"` // between key frames
	SampleRates        []int         `json:"sampleRates,omitempty"`
	NeedsAudio         bool          `json:"needsSound,omitempty"`
	Portrait           bool          `json:"upright,omitempty"` // viewers hold a phone: 9:16
	NoBFrames          bool          `json:"noBFrames,omitempty"`
	MaxLength          time.Duration `json:"-"`
	Rates              []Rate        `json:"rates,omitempty"`
}

// Rate is the span of bitrates for pictures up to a size and frame rate.
type Rate struct {
	Height    int     `json:"height"`
	FrameRate float64 `json:"frameRate"`
	MinKbps   int     `json:"minKbps"`
	MaxKbps   int     `json:"maxKbps"`
}

// Find is the platform with this id.
func Find(id string) (Platform, bool) {
	for _, p := range All() {
		if p.ID == id {
			return p, true
		}
	}
	return Platform{}, false
}
