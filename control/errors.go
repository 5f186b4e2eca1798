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

// Errors of control's own.
var (
	ErrNotFound     = errors.New("not found")
	ErrExists       = errors.New("this name is already in use")
	ErrUnknown      = errors.New("unknown command")
	ErrForbidden    = errors.New("your role does not allow this")
	ErrUnauthorised = errors.New("a valid token is required")
	ErrTooMany      = errors.New("too many requests; slow down")
	ErrRefused      = errors.New("not possible now")
	ErrUnsupported  = errors.New("not supported")
)

// ErrorCode is what clients tell errors apart by.
type ErrorCode string

// The error codes of the protocol.
const (
	BadRequest   ErrorCode = "bad_request"  // invalid arguments
	Unauthorised ErrorCode = "unauthorised" // no token, or an invalid one
	Forbidden    ErrorCode = "forbidden"    // the role of the token does not allow it
	NotFound     ErrorCode = "not_found"    // no such source, feed, destination, token or command
	Conflict     ErrorCode = "conflict"     // the name is in use, or the show is not in a state for it
	Refused      ErrorCode = "refused"      // this mixer, program or destination refuses it
	TooMany      ErrorCode = "too_many"     // slow down
	Unsupported  ErrorCode = "unsupported"  // this mixer or server never supports it
	Offline      ErrorCode = "offline"      // the mixer is not connected
	Timeout      ErrorCode = "timeout"      // no answer in time; the outcome shows in the state
	Internal     ErrorCode = "internal"     // a fault in the server; see its log
)

// codeOf is the error code and HTTP status of some errors.
type codeOf struct {
	code   ErrorCode
	status int
	of     []error
}

// codes is searched from the top; the first match counts. The errors that an unsure outcome
// may wrap come after it, and so does the deadline.
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
			graphics.ErrNoTemplate, graphics.ErrNoLogo, snapshot.ErrNoVideo, clip.ErrNoClip,
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

// Code is the error code and HTTP status of an error. No other place decides it.
func Code(err error) (ErrorCode, int) {
	if IsInvalid(err) {
		return BadRequest, http.StatusBadRequest
	}
	for _, v := range codes() {
		for _, of := range v.of {
			if errors.Is(err, of) {
				return v.code, v.status
			}
		}
	}
	return Internal, http.StatusInternalServerError
}

// Message is the text of err for the sender of a command. A fault in the server is not
// described to them: it may name things they must not see.
func Message(err error) string {
	if code, _ := Code(err); code == Internal {
		return "internal error; see the server's log"
	}
	return err.Error()
}

// badRequest is an invalid command, in words the sender understands.
type badRequest struct{ text string }

func (e *badRequest) Error() string { return e.text }

// Invalidf is an error of invalid arguments. Its text is for the sender.
func Invalidf(format string, args ...any) error { return &badRequest{fmt.Sprintf(format, args...)} }

// IsInvalid reports whether an error was made by Invalidf.
func IsInvalid(err error) bool {
	var bad *badRequest
	return errors.As(err, &bad)
}
