package relay

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrInvalidAddress is an ErrRefused that did not come from a server: an output can't use
// the address, or the key with it.
var ErrInvalidAddress = fmt.Errorf("%w: invalid address", ErrRefused)

// RemoteError is an error for which the remote server gave a reason. The text comes from
// the network: it is cleaned here, and redacted where it is shown.
type RemoteError struct {
	Class error // one of the sentinels
	Text  string
}

// NewRemoteError makes a RemoteError with a cleaned text.
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

// failureKind decides what happens after a failure.
type failureKind uint8

const (
	network     failureKind = iota // retry without limit
	stalled                        // the same, with another sentence
	refused                        // don't retry
	busy                           // refused, but a previous session of ours may be the reason
	unsupported                    // wait for the program's codecs to change
	closedEarly                    // closed soon after accepting: a refusal after a few times
)

// earlyCloseWithin is how soon after accepting a server closes that never meant to take
// the stream: nginx-rtmp with "deny publish" answers Publish.Start and closes; others
// check the key in a database first, which takes a moment.
const earlyCloseWithin = 5 * time.Second

// classify finds the kind of failure that err of an attempt is.
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
