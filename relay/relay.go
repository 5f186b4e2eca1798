// Package relay sends the program to destinations. Each destination is its own
// goroutine with its own bounded backlog: the worst can't delay the best. The
// outputs themselves are its folders, one a protocol.
package relay

import (
	"context"
	"errors"
	"net/url"
	"time"

	"obvan/hub"
)

// Errors an output's Push returns, wrapped, so that the supervisor can judge. Any
// other error is taken for the network's: it is retried.
var (
	ErrRefused     = errors.New("the server refused the stream")         // do not retry: the key or the address is wrong
	ErrStalled     = errors.New("the server stopped taking data")        // unsent bytes do not shrink
	ErrUnsupported = errors.New("this output can't carry the program")   // do not retry before the program changes
	ErrUnknown     = errors.New("no such destination")                   // of the commands
	ErrExists      = errors.New("there is a destination with that name") // of the commands
)

// Destination is where the program goes, as the operator entered it. The key is
// kept apart, in secrets.
type Destination struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	URL        string `json:"url"` // without the key
	BackupURL  string `json:"backupUrl,omitempty"`
	Platform   string `json:"platform,omitempty"`   // a preset's name: "youtube", "twitch", ...
	Enabled    bool   `json:"enabled"`              // show.live starts it
	HasKey     bool   `json:"hasKey"`               // a key is kept for it
	DelayMs    int64  `json:"delayMs,omitempty"`    // how far it stays behind the program, at most 60000
	MaxKbps    int    `json:"maxKbps,omitempty"`    // pictures are left out above it, on average over seconds; 0 is no limit
	SendToBoth bool   `json:"sendToBoth,omitempty"` // to URL and BackupURL at once, where the platform wants that; else in turn

	ReconnectWindow ReconnectWindow `json:"-"`
}

// Patience is how long a platform keeps the broadcast alive without data; Grace is 0
// when that is not known.
type ReconnectWindow struct {
	Name  string // of the platform
	Grace time.Duration
}

// State is what the far end proved, not what we hope.
type State string

// The states of a destination.
const (
	Off        State = "off"
	Connecting State = "connecting"
	Live       State = "live"     // the server accepted publish, and bytes are acknowledged or drained
	Retrying   State = "retrying" // Reason says why, NextTry when
	Refused    State = "refused"  // Reason says why; only the operator starts it again
)

// Status is how a destination fares.
type Status struct {
	Destination
	State         State          `json:"state"`
	Reason        string         `json:"reason,omitempty"` // one sentence, in words, without secrets
	Since         time.Time      `json:"since"`            // of State
	NextTry       *time.Time     `json:"nextTry,omitempty"`
	Attempt       int            `json:"attempt"` // since the operator started it
	Backup        bool           `json:"backup"`  // the backup URL is in use
	GraceDeadline *GraceDeadline `json:"graceDeadline,omitempty"`

	Kbps      int   `json:"kbps"`      // leaving this machine, over the last seconds
	LatencyMs int64 `json:"latencyMs"` // how far it is behind the program
	Traffic

	Warnings []string `json:"warnings,omitempty"` // what of the program its platform or its server does not take, in sentences
}

// Moved is what a destination got, and did not get, since the start.
type Traffic struct {
	FramesDropped uint64 `json:"framesDropped"` // pictures left out
	BytesSent     uint64 `json:"bytesSent"`     // bytes
}

// Ending is how long a platform still keeps a broadcast that gets no data. Reason says
// the same in words.
type GraceDeadline struct {
	Platform string    `json:"platform"` // its name
	At       time.Time `json:"at"`       // about then it ends the broadcast; once that is past it may have
	GraceMs  int64     `json:"graceMs"`  // how long it waits in all
}

// Push sends sub to u until ctx is done (then it unpublishes properly, within two
// seconds, and returns nil; at once, and without a goodbye, when ctx is Abandoned) or
// the far end fails. It also returns nil when the
// program ended. One call is one attempt. u is the destination's address with the
// stream key, verbatim, as its Fragment: the output puts it where its protocol has
// it. Errors must not repeat it.
type Push func(ctx context.Context, u *url.URL, sub *hub.Subscriber, link *Link) error

// Abandoned reports whether an attempt's ctx was ended because its far end proves
// nothing any more. A goodbye would not be heard in time, and a late one could end the
// broadcast that the next attempt wants to go on with.
func Abandoned(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrStalled) }

// Output is a way out.
type Output struct {
	Push Push
	// Fits says what about an address can't be used, as far as that is known before it is
	// tried: an ErrMistyped. Nil for nothing. It is handed what Push is.
	CheckAddress func(u *url.URL) error
}

// Protocols is a table of outputs by URL scheme.
type Protocols map[string]Output
