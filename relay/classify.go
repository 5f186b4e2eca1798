package relay

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrMistyped is an ErrRefused that no server said: an output can't use the address, or
// the key with it.
var ErrInvalidAddress = fmt.Errorf("%w: its address can't be used", ErrRefused)

// Said is an error of a far end that gave its reason. The words come from the
// network: they are cleaned here, and redacted where they are shown.
type RemoteError struct {
	Class error // one of the sentinels
	Text  string
}

// Say makes a Said.
func NewRemoteError(class error, text string) error {
	return &RemoteError{Class: class, Text: CleanText(text)}
}

func (s *RemoteError) Error() string {
	if s.Text == "" {
		return s.Class.Error()
	}
	return s.Class.Error() + ": " + s.Text
}

func (s *RemoteError) Unwrap() error { return s.Class }

// class is what an error asks for.
type failureKind uint8

const (
	network     failureKind = iota // try again, for ever
	stalled                        // the same, with other words
	refused                        // don't try again
	busy                           // refused, but an old session of ours may be the reason
	unsupported                    // wait for the program to change
	closedEarly                    // closed soon after it agreed: refused after a few times
)

// soon is how quickly after agreeing a server closes that never meant it: nginx-rtmp
// with "deny publish" answers Publish.Start and closes; others ask their key
// database first, and that takes them a moment.
const earlyCloseWithin = 5 * time.Second

// classify says what err of an attempt asks for.
func classify(err error, link *Link, ended time.Time) failureKind {
	var verify *tls.CertificateVerificationError
	switch {
	case errors.Is(err, ErrUnsupported):
		return unsupported
	case errors.Is(err, ErrInvalidAddress):
		return refused
	case errors.Is(err, ErrRefused):
		if text := strings.ToLower(err.Error()); strings.Contains(text, "already") || strings.Contains(text, "in use") {
			return busy
		}
		return refused
	case errors.Is(err, ErrStalled):
		return stalled
	case errors.As(err, &verify):
		return refused
	}
	if at := link.acceptedAt(); !at.IsZero() && !link.IsLive() && ended.Sub(at) < earlyCloseWithin {
		return closedEarly
	}
	return network
}
