package control

import (
	"time"

	"obvan/graphics"
	"obvan/mixer"
	"obvan/mixer/program"
	"obvan/relay"
	"obvan/relay/selftest"
)

// State is all that a panel shows. Each field is a section: compared after every
// change and sent whole. Secrets are never in it.
type State struct {
	Show         Show             `json:"show"`
	Feeds        []Feed           `json:"feeds"`
	Mixer        mixer.State      `json:"mixer"`
	Program      ProgramState     `json:"program"`
	Destinations []relay.Status   `json:"destinations"`
	Tally        map[string]Light `json:"tally"` // by feed id; absent is dark
	Graphics     graphics.State   `json:"graphics"`
	OBS          OBSSetup         `json:"obs"`
	SelfTest     SelfTestState    `json:"selfTest"`
	Clients      []Client         `json:"clients"`
	Log          []LogEntry       `json:"log"` // the newest last, at most 200
}

// Show is the event itself.
type Show struct {
	Name     string     `json:"name"`
	Live     bool       `json:"live"` // show.live was sent, and show.end has not been sent since
	Since    *time.Time `json:"since,omitempty"`
	Version  string     `json:"version"`  // of obvan
	MixerURL string     `json:"mixerUrl"` // the -mixer flag without secrets
	RTMPPort int        `json:"rtmpPort"` // where devices push to, for the add-camera dialog
	RTSPPort int        `json:"rtspPort"`
}

// OBSSetup is what obs.provision did in OBS' current scene collection.
type OBSSetup struct {
	Available    bool       `json:"available"`              // the mixer is one that can be set up
	Since        *time.Time `json:"since,omitempty"`        // of the last set-up; absent before the first
	CanUndo      bool       `json:"canUndo"`                // there is a setup to undo
	RemovedFeeds []string   `json:"removedFeeds,omitempty"` // removed cameras whose scenes are still there
}

// Feed is what a camera sends, or should.
type Feed struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	URL    string `json:"url,omitempty"` // pulled from here; credentials replaced by "***"
	Added  bool   `json:"added"`         // by an operator; false for one that just arrived
	HasKey bool   `json:"hasKey"`        // publishing it from another machine requires a key

	State   FeedState  `json:"state"`
	Problem string     `json:"problem,omitempty"` // as a sentence
	Proto   string     `json:"proto,omitempty"`
	Remote  string     `json:"remote,omitempty"`
	Since   *time.Time `json:"since,omitempty"` // of State

	Video *CodecInfo `json:"video,omitempty"`
	Audio *CodecInfo `json:"audio,omitempty"`

	Kbps               int               `json:"kbps"`
	FPS                float64           `json:"fps"`
	KeyframeIntervalMs int64             `json:"keyframeIntervalMs"`
	Viewers            int               `json:"viewers"`
	Corrections        map[string]uint64 `json:"corrections,omitempty"` // timestamps and units corrected on their way in, by kind
	Notes              []string          `json:"notes,omitempty"`       // what an operator should know: B-frames, no audio, long GOP
	Watch              Watch             `json:"watch"`
}

// FeedState is the state of a feed.
type FeedState string

// The states of a feed.
const (
	FeedLive       FeedState = "live"
	FeedWaiting    FeedState = "waiting"    // nothing has arrived yet
	FeedLost       FeedState = "lost"       // it was connected before
	FeedConnecting FeedState = "connecting" // we connect to it, or its tracks are not known yet
	FeedRetrying   FeedState = "retrying"   // we connect to it again soon; Problem says why
	FeedStalled    FeedState = "stalled"    // connected, but sending no video
)

// Light is a camera's tally light.
type Light string

// The lights that are not dark.
const (
	LightProgram Light = "program" // red
	LightPreview Light = "preview" // green
	LightBoth    Light = "both"
)

// Watch says whether the panel can show the stream.
type Watch struct {
	OK        bool   `json:"ok"`                  // by WebRTC
	Reason    string `json:"reason,omitempty"`    // as a sentence, when it can't, or only at low resolution
	WebCodecs bool   `json:"webCodecs,omitempty"` // by /watch/<stream>, decoded in the browser
	Reduced   bool   `json:"reduced,omitempty"`   // WebRTC shows less: B-frames are dropped, or it is at low resolution
}

// CodecInfo describes how video or audio is encoded, as a panel shows it.
type CodecInfo struct {
	Codec      string  `json:"codec"`
	Profile    string  `json:"profile,omitempty"`
	Width      int     `json:"width,omitempty"`
	Height     int     `json:"height,omitempty"`
	FrameRate  float64 `json:"frameRate,omitempty"`
	SampleRate int     `json:"sampleRate,omitempty"`
	Channels   int     `json:"channels,omitempty"`
	BFrames    bool    `json:"bFrames,omitempty"`
}

// ProgramState is the program stream: what is on air, and how it is encoded.
type ProgramState struct {
	program.State
	Video *CodecInfo `json:"video,omitempty"`
	Audio *CodecInfo `json:"audio,omitempty"`
	Kbps  int        `json:"kbps"`
	FPS   float64    `json:"fps"`
	Watch Watch      `json:"watch"`
}

// SelfTestState is the self-test of destinations: the one that runs, and what the last one found.
type SelfTestState struct {
	Running bool             `json:"running"`
	Until   *time.Time       `json:"until,omitempty"`
	Report  *selftest.Report `json:"report,omitempty"`
	Problem string           `json:"problem,omitempty"` // why there is no report
}

// Client is a connected client.
type Client struct {
	Name   string    `json:"name"` // of the token
	Role   Role      `json:"role"`
	Kind   Kind      `json:"kind"`
	Remote string    `json:"remote"`
	Since  time.Time `json:"since"`
}

// Kind is what a client is.
type Kind string

// The kinds of clients.
const (
	Panel  Kind = "panel"
	Script Kind = "script"
	Deck   Kind = "deck"
)

// You is who a client is to the server.
type You struct {
	Name string `json:"name"` // of the token
	Role Role   `json:"role"`
}

// Level is the severity of a line of the event log.
type Level string

// The levels.
const (
	Info  Level = "info"
	Warn  Level = "warn"
	Error Level = "error"
)

// LogEntry is a line of the event log.
type LogEntry struct {
	At    time.Time `json:"at"`
	Level Level     `json:"level"`
	Who   string    `json:"who,omitempty"`
	Text  string    `json:"text"` // a sentence
}
