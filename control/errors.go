package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"obvan/graphics"
	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/clip"
	"obvan/mixer"
	"obvan/mixer/program"
	"obvan/monitor/snapshot"
	"obvan/relay"
)

// Errors of the control's own.
var (
	ErrNotFound     = errors.New("there is no such thing")
	ErrExists       = errors.New("the name is taken")
	ErrUnknown      = errors.New("there is no such command")
	ErrForbidden    = errors.New("your role may not do this")
	ErrUnauthorised = errors.New("a valid token is needed")
	ErrTooMany      = errors.New("too many requests; slow down")
	ErrRefused      = errors.New("this can't be done now")
	ErrUnsupported  = errors.New("this studio's equipment can't do this")
)

// Word is an error's word in the protocol.
type ErrorCode string

// The words of the protocol.
const (
	BadRequest   ErrorCode = "bad_request"  // the arguments can't be right
	Unauthorised ErrorCode = "unauthorised" // no token, or one that is not valid
	Forbidden    ErrorCode = "forbidden"    // the token's role may not do this
	NotFound     ErrorCode = "not_found"    // no such source, feed, destination, token or command
	Conflict     ErrorCode = "conflict"     // the name is taken, or the show is not in a state for it
	Refused      ErrorCode = "refused"      // this mixer, program or far end does not do it
	TooMany      ErrorCode = "too_many"     // slow down
	Unsupported  ErrorCode = "unsupported"  // this mixer never does it
	Offline      ErrorCode = "offline"      // the mixer is not connected
	Timeout      ErrorCode = "timeout"      // no answer in time; what became of the command shows in the state
	Internal     ErrorCode = "internal"     // a defect of ours; the server's log says more
)

// verdict is what the protocol says about some errors.
type codeOf struct {
	word   ErrorCode
	status int
	of     []error
}

// verdicts is asked from the top; the first that matches speaks. What a command that
// may or may not have been done wraps comes after it, and so does the time that ran out.
func codes() []codeOf {
	return []codeOf{
		{Unauthorised, http.StatusUnauthorized, []error{ErrUnauthorised, ingest.ErrUnauthorised}},
		{Forbidden, http.StatusForbidden, []error{ErrForbidden}},
		{TooMany, http.StatusTooManyRequests, []error{ErrTooMany, snapshot.ErrFull}},
		{Timeout, http.StatusGatewayTimeout, []error{mixer.ErrUnsure}},
		{Offline, http.StatusServiceUnavailable, []error{mixer.ErrOffline}},
		{NotFound, http.StatusNotFound, []error{
			ErrUnknown, ErrNotFound, hub.ErrNoStream, mixer.ErrNoSource, mixer.ErrNoTransition, program.ErrNoLevel,
			relay.ErrUnknown, mixer.ErrNoInput, mixer.ErrNoOutput, mixer.ErrNoChoice, graphics.ErrNoItem,
			graphics.ErrNoTemplate, graphics.ErrNoLogo, snapshot.ErrNoPicture, clip.ErrNoClip,
		}},
		{Conflict, http.StatusConflict, []error{
			ErrExists, relay.ErrExists, hub.ErrPublishing, mixer.ErrNoPreview, mixer.ErrBusy, mixer.ErrNotNow,
			graphics.ErrNotOnAir, graphics.ErrNoNext, graphics.ErrFull, clip.ErrTooMany,
		}},
		{BadRequest, http.StatusBadRequest, []error{
			program.ErrNoFault, program.ErrTimeout, graphics.ErrBadLogo, graphics.ErrInvalidText, relay.ErrUnsupported,
			relay.ErrAddress, clip.ErrNotAClip, ingest.ErrBadName, ingest.ErrReserved,
		}},
		{BadRequest, http.StatusRequestEntityTooLarge, []error{clip.ErrTooBig}},
		{Unsupported, http.StatusNotImplemented, []error{ErrUnsupported, snapshot.ErrNoDecoder}},
		{Refused, http.StatusConflict, []error{clip.ErrNoFFmpeg, clip.ErrConverter, relay.ErrRefused, ErrRefused}},
		{Timeout, http.StatusGatewayTimeout, []error{context.DeadlineExceeded}},
	}
}

// Code turns an error into its protocol word and HTTP status. It is the only place
// that does.
func Code(err error) (ErrorCode, int) {
	if IsInvalid(err) {
		return BadRequest, http.StatusBadRequest
	}
	for _, v := range codes() {
		for _, of := range v.of {
			if errors.Is(err, of) {
				return v.word, v.status
			}
		}
	}
	return Internal, http.StatusInternalServerError
}

// Message is what the sender of a command is told about err. A defect of ours is
// not spelled out to them: it may name things that are none of their business.
func Message(err error) string {
	if word, _ := Code(err); word == Internal {
		return "something went wrong in the server; its log says more"
	}
	return err.Error()
}

// badRequest is a command that can't be right, in words the sender understands.
type badRequest struct{ text string }

func (e *badRequest) Error() string { return e.text }

// Invalidf is an error of arguments that can't be right. Its text is for the sender.
func Invalidf(format string, args ...any) error { return &badRequest{fmt.Sprintf(format, args...)} }

// IsInvalid reports whether an error was made by Invalidf.
func IsInvalid(err error) bool {
	var bad *badRequest
	return errors.As(err, &bad)
}
