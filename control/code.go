package control

import (
	"context"
	"errors"
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
type Word string

// The words of the protocol.
const (
	BadRequest   Word = "bad_request"  // the arguments can't be right
	Unauthorised Word = "unauthorised" // no token, or one that is not valid
	Forbidden    Word = "forbidden"    // the token's role may not do this
	NotFound     Word = "not_found"    // no such source, feed, destination, token or command
	Conflict     Word = "conflict"     // the name is taken, or the show is not in a state for it
	Refused      Word = "refused"      // this mixer, program or far end does not do it
	TooMany      Word = "too_many"     // slow down
	Unsupported  Word = "unsupported"  // this mixer never does it
	Offline      Word = "offline"      // the mixer is not connected
	Timeout      Word = "timeout"      // no answer in time; what became of the command shows in the state
	Internal     Word = "internal"     // a defect of ours; the server's log says more
)

// verdict is what the protocol says about an error.
type verdict struct {
	is     error
	word   Word
	status int
}

// verdicts is asked from the top; the first that matches speaks.
func verdicts() []verdict {
	return []verdict{
		{ErrUnauthorised, Unauthorised, http.StatusUnauthorized},
		{ErrForbidden, Forbidden, http.StatusForbidden},
		{ErrTooMany, TooMany, http.StatusTooManyRequests},
		{ErrUnknown, NotFound, http.StatusNotFound},
		{ErrNotFound, NotFound, http.StatusNotFound},
		{hub.ErrNoStream, NotFound, http.StatusNotFound},
		{mixer.ErrNoSource, NotFound, http.StatusNotFound},
		{mixer.ErrNoTransition, NotFound, http.StatusNotFound},
		{program.ErrNoRung, NotFound, http.StatusNotFound},
		{program.ErrNoIll, BadRequest, http.StatusBadRequest},
		{program.ErrBudget, BadRequest, http.StatusBadRequest},
		{relay.ErrUnknown, NotFound, http.StatusNotFound},
		{ErrExists, Conflict, http.StatusConflict},
		{relay.ErrExists, Conflict, http.StatusConflict},
		{hub.ErrPublishing, Conflict, http.StatusConflict},
		{mixer.ErrNoPreview, Conflict, http.StatusConflict},
		{mixer.ErrBusy, Conflict, http.StatusConflict},
		{mixer.ErrUnsure, Timeout, http.StatusGatewayTimeout}, // before what it wraps
		{mixer.ErrOffline, Offline, http.StatusServiceUnavailable},
		{mixer.ErrNoInput, NotFound, http.StatusNotFound},
		{mixer.ErrNoOutput, NotFound, http.StatusNotFound},
		{mixer.ErrNoChoice, NotFound, http.StatusNotFound},
		{mixer.ErrNotNow, Conflict, http.StatusConflict},
		{graphics.ErrNoItem, NotFound, http.StatusNotFound},
		{graphics.ErrNoTemplate, NotFound, http.StatusNotFound},
		{graphics.ErrNoLogo, NotFound, http.StatusNotFound},
		{graphics.ErrBadLogo, BadRequest, http.StatusBadRequest},
		{graphics.ErrNothing, Conflict, http.StatusConflict},
		{graphics.ErrEnd, Conflict, http.StatusConflict},
		{graphics.ErrText, BadRequest, http.StatusBadRequest},
		{graphics.ErrFull, Conflict, http.StatusConflict},
		{ErrUnsupported, Unsupported, http.StatusNotImplemented},
		{snapshot.ErrNoDecoder, Unsupported, http.StatusNotImplemented},
		{snapshot.ErrFull, TooMany, http.StatusTooManyRequests},
		{snapshot.ErrNoPicture, NotFound, http.StatusNotFound},
		{relay.ErrUnsupported, BadRequest, http.StatusBadRequest},
		{relay.ErrAddress, BadRequest, http.StatusBadRequest},
		{clip.ErrNoClip, NotFound, http.StatusNotFound},
		{clip.ErrNotAClip, BadRequest, http.StatusBadRequest},
		{clip.ErrTooBig, BadRequest, http.StatusRequestEntityTooLarge},
		{clip.ErrTooMany, Conflict, http.StatusConflict},
		{clip.ErrNoFFmpeg, Refused, http.StatusConflict},
		{clip.ErrConverter, Refused, http.StatusConflict},
		{ingest.ErrBadName, BadRequest, http.StatusBadRequest},
		{ingest.ErrReserved, BadRequest, http.StatusBadRequest},
		{ingest.ErrUnauthorised, Unauthorised, http.StatusUnauthorized},
		{relay.ErrRefused, Refused, http.StatusConflict},
		{ErrRefused, Refused, http.StatusConflict},
		{context.DeadlineExceeded, Timeout, http.StatusGatewayTimeout},
	}
}

// Code turns an error into its protocol word and HTTP status. It is the only place
// that does.
func Code(err error) (Word, int) {
	var bad *badRequest
	if errors.As(err, &bad) {
		return BadRequest, http.StatusBadRequest
	}
	for _, v := range verdicts() {
		if errors.Is(err, v.is) {
			return v.word, v.status
		}
	}
	return Internal, http.StatusInternalServerError
}

// sentence is what the sender of a command is told about err. A defect of ours is
// not spelled out to them: it may name things that are none of their business.
func sentence(err error) string {
	if word, _ := Code(err); word == Internal {
		return "something went wrong in the server; its log says more"
	}
	return err.Error()
}
