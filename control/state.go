// Package control runs the show: one State, one command table, roles, and the
// doors to them (websocket, HTTP). It is the only room that knows all others.
package control

import (
	"time"

	"obvan/mixer"
	"obvan/mixer/program"
	"obvan/relay"
)

// State is all that a panel shows. Each field is a section: compared after every
// change and sent whole. Secrets are never in it.
type State struct {
	Show         Show              `json:"show"`
	Feeds        []Feed            `json:"feeds"`
	Mixer        mixer.State       `json:"mixer"`
	Program      ProgramState      `json:"program"`
	Destinations []relay.Status    `json:"destinations"`
	Tally        map[string]string `json:"tally"` // by feed id: "program", "preview" or "both"; absent is dark
	Clients      []Client          `json:"clients"`
	Log          []LogEntry        `json:"log"` // the newest last, at most 200
}

// Show is the event itself.
type Show struct {
	Name     string     `json:"name"`
	Live     bool       `json:"live"` // show.live was given, show.end not yet
	Since    *time.Time `json:"since,omitempty"`
	Version  string     `json:"version"`  // of obvan
	MixerURL string     `json:"mixerUrl"` // the -mixer flag without secrets
	RTMPPort int        `json:"rtmpPort"` // where devices push to, for the add-camera dialog
	RTSPPort int        `json:"rtspPort"`
}

// Feed is what a camera sends, or should.
type Feed struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	URL    string `json:"url,omitempty"` // pulled from here; credentials replaced by "***"
	Added  bool   `json:"added"`         // by an operator; false for one that just arrived
	HasKey bool   `json:"hasKey"`        // a key is needed to publish it from off this machine

	State   string     `json:"state"`             // "live", "waiting" (nothing came yet), "lost" (it was here), "connecting", "retrying", "stalled" (connected, no pictures)
	Problem string     `json:"problem,omitempty"` // in words
	Proto   string     `json:"proto,omitempty"`
	Remote  string     `json:"remote,omitempty"`
	Since   *time.Time `json:"since,omitempty"` // of State

	Video *Coding `json:"video,omitempty"`
	Audio *Coding `json:"audio,omitempty"`

	Kbps          int               `json:"kbps"`
	FPS           float64           `json:"fps"`
	KeyIntervalMs int64             `json:"keyIntervalMs"`
	Viewers       int               `json:"viewers"`
	Repairs       map[string]uint64 `json:"repairs,omitempty"` // what was mended on its way in
	Notes         []string          `json:"notes,omitempty"`   // what an operator should know: B-frames, no sound, long GOP
	Watch         Watch             `json:"watch"`
}

// Watch says whether the panel can show the stream.
type Watch struct {
	OK  bool   `json:"ok"`
	Why string `json:"why,omitempty"` // in words, when it can't
}

// Coding is how a picture or sound is coded, in words a panel shows.
type Coding struct {
	Codec      string  `json:"codec"`
	Profile    string  `json:"profile,omitempty"`
	Width      int     `json:"width,omitempty"`
	Height     int     `json:"height,omitempty"`
	FrameRate  float64 `json:"frameRate,omitempty"`
	SampleRate int     `json:"sampleRate,omitempty"`
	Channels   int     `json:"channels,omitempty"`
	BFrames    bool    `json:"bFrames,omitempty"`
}

// ProgramState is the program stream: what is on air, and how it is coded.
type ProgramState struct {
	program.State
	Video *Coding `json:"video,omitempty"`
	Audio *Coding `json:"audio,omitempty"`
	Kbps  int     `json:"kbps"`
	FPS   float64 `json:"fps"`
	Watch Watch   `json:"watch"`
}

// Client is somebody who is connected to the control.
type Client struct {
	Name   string    `json:"name"` // of the token
	Role   string    `json:"role"`
	Kind   string    `json:"kind"` // "panel", "script", "deck"
	Remote string    `json:"remote"`
	Since  time.Time `json:"since"`
}

// LogEntry is a line of the event log.
type LogEntry struct {
	At    time.Time `json:"at"`
	Level string    `json:"level"` // "info", "warn", "error"
	Who   string    `json:"who,omitempty"`
	Text  string    `json:"text"` // a sentence
}
