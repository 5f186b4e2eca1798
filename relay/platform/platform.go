// Package platform is what is known about the platforms a show is sent to: their
// addresses, where an operator finds the key, and what they publish about the streams they
// accept. It is data; nothing here prohibits anything.
package platform

import "time"

// Platform is one platform. What it does not publish is zero here, and is not checked.
type Platform struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	URL        string `json:"url"`                  // "" when the platform gives each show its own
	BackupURL  string `json:"backupUrl,omitempty"`  // a second server for the same show
	Hint       string `json:"hint"`                 // where the address and the key are found
	SendToBoth bool   `json:"sendToBoth,omitempty"` // primary and backup may, and should, be sent to at the same time

	// Grace is how long the platform keeps the show alive without data: the time there is to
	// reconnect. 0 when it is not known.
	Grace time.Duration `json:"-"`

	Limits Limits `json:"limits"`
}

// Limits is what a platform states about the streams it accepts.
type Limits struct {
	Video              []string      `json:"video,omitempty"` // codecs, by media.Codec's names
	Audio              []string      `json:"audio,omitempty"`
	MaxWidth           int           `json:"maxWidth,omitempty"` // of landscape video; for portrait video it limits the height
	MaxHeight          int           `json:"maxHeight,omitempty"`
	MaxFrameRate       float64       `json:"maxFrameRate,omitempty"`
	MaxKbps            int           `json:"maxKbps,omitempty"` // video; Rates is finer where there is one
	MaxAudioKbps       int           `json:"maxAudioKbps,omitempty"`
	MaxKeyframeSeconds float64       `json:"maxKeyframeSeconds,omitempty"` // between keyframes
	SampleRates        []int         `json:"sampleRates,omitempty"`
	NeedsAudio         bool          `json:"needsAudio,omitempty"`
	Portrait           bool          `json:"portrait,omitempty"` // viewers watch on a phone: 9:16
	NoBFrames          bool          `json:"noBFrames,omitempty"`
	MaxLength          time.Duration `json:"-"`
	Rates              []Rate        `json:"rates,omitempty"`
}

// Rate is the range of bitrates for video up to a size and frame rate.
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
