// Package relay sends the program to destinations. Each destination is its own
// goroutine with its own bounded backlog: the worst can't delay the best. The
// outputs themselves are its folders, one per protocol.
package relay

import (
	"context"
	"errors"
	"net/url"
	"time"

	"obvan/hub"
)

// Errors that an output's Push returns, wrapped, so that the supervisor can classify them.
// Any other error is considered a network failure and retried.
var (
	ErrRefused     = errors.New("the server refused the stream")             // do not retry: the key or the address is wrong
	ErrStalled     = errors.New("the server stopped receiving data")         // unsent bytes do not shrink
	ErrUnsupported = errors.New("this output can't carry the program")       // do not retry before the program changes
	ErrUnknown     = errors.New("no such destination")                       // of the commands
	ErrExists      = errors.New("a destination with that id already exists") // of the commands
)

// Destination is where the program goes, as the operator entered it. The key is stored
// separately, with the secrets.
type Destination struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	URL        string `json:"url"` // without the key
	BackupURL  string `json:"backupUrl,omitempty"`
	Platform   string `json:"platform,omitempty"`   // a preset's name: "youtube", "twitch", ...
	Enabled    bool   `json:"enabled"`              // show.live starts it
	HasKey     bool   `json:"hasKey"`               // a key is stored for it
	DelayMs    int64  `json:"delayMs,omitempty"`    // how far it is delayed behind the program, at most 60000
	MaxKbps    int    `json:"maxKbps,omitempty"`    // frames are dropped above it, averaged over seconds; 0 is no limit
	SendToBoth bool   `json:"sendToBoth,omitempty"` // to URL and BackupURL at the same time, where the platform recommends it; else in turn

	ReconnectWindow ReconnectWindow `json:"-"`
}

// ReconnectWindow is how long a platform keeps the broadcast alive without data; Grace is
// 0 when that is not known.
type ReconnectWindow struct {
	Name  string // of the platform
	Grace time.Duration
}

// State is what the server confirmed, not what we hope.
type State string

// The states of a destination.
const (
	Off        State = "off"
	Connecting State = "connecting"
	Live       State = "live"     // the server accepted publish, and bytes are acknowledged or drained
	Retrying   State = "retrying" // Reason says why, NextTry when
	Refused    State = "refused"  // Reason says why; only the operator starts it again
)

// Status is how a destination is doing.
type Status struct {
	Destination
	State         State          `json:"state"`
	Reason        string         `json:"reason,omitempty"` // one sentence, without secrets
	Since         time.Time      `json:"since"`            // of State
	NextTry       *time.Time     `json:"nextTry,omitempty"`
	Attempt       int            `json:"attempt"` // since the operator started it
	Backup        bool           `json:"backup"`  // the backup URL is in use
	GraceDeadline *GraceDeadline `json:"graceDeadline,omitempty"`

	Kbps      int   `json:"kbps"`      // leaving this machine, over the last seconds
	LatencyMs int64 `json:"latencyMs"` // how far it is behind the program
	Traffic

	Warnings []string `json:"warnings,omitempty"` // what its platform or server does not accept about the program, in sentences
}

// Traffic is what was sent to a destination since it was started, and what was not.
type Traffic struct {
	FramesDropped uint64 `json:"framesDropped"` // video frames dropped
	BytesSent     uint64 `json:"bytesSent"`     // bytes
}

// GraceDeadline is when a platform ends a broadcast that gets no data. Reason says the
// same as a sentence.
type GraceDeadline struct {
	Platform string    `json:"platform"` // its name
	At       time.Time `json:"at"`       // approximately when it ends the broadcast; after that it may have ended it
	GraceMs  int64     `json:"graceMs"`  // how long it waits in total
}

// Push sends sub to u until ctx is done or the server fails. When ctx is done it
// unpublishes properly, within two seconds, and returns nil; when ctx is Abandoned it ends
// at once, without unpublishing. It also returns nil when the program ended. One call is
// one attempt. u is the destination's address with the stream key, verbatim, as its
// Fragment: the output puts it where its protocol has it. Errors must not repeat it.
type Push func(ctx context.Context, u *url.URL, sub *hub.Subscriber, link *Link) error

// Abandoned reports whether an attempt's ctx was ended because its server confirms nothing
// any more. An unpublish would not arrive in time, and a late one could end the broadcast
// that the next attempt continues.
func Abandoned(ctx context.Context) bool { return errors.Is(context.Cause(ctx), ErrStalled) }

// Output is a protocol that the program can be sent by.
type Output struct {
	Push Push
	// CheckAddress reports what about an address can't be used, as far as that is known
	// before it is tried: an ErrInvalidAddress. Nil when nothing is wrong. It gets the same
	// address as Push.
	CheckAddress func(u *url.URL) error
}

// Protocols is a table of outputs by URL scheme.
type Protocols map[string]Output
