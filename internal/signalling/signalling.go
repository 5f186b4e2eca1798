// Package signalling is what the WHIP (RFC 9725) and WHEP servers have in common: an SDP
// offer arrives by HTTP, is bounded and checked before pion allocates memory for it, and
// is answered. Who may send one, and what it must contain, is for ingest/whip and
// monitor/whep to decide.
package signalling

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// Reasons for refusing an offer. Those about its form wrap ErrOffer.
var (
	ErrOffer  = errors.New("the offer can't be used")
	ErrData   = fmt.Errorf("%w: this server has no data channels", ErrOffer)
	ErrAnswer = errors.New("the offer can't be answered") // what it wraps is from inside pion

	errNotSDP      = fmt.Errorf("%w: it is not SDP", ErrOffer)
	errSections    = fmt.Errorf("%w: it has too many media sections", ErrOffer)
	errCandidates  = fmt.Errorf("%w: it has too many candidates", ErrOffer)
	errContentType = errors.New("the body must be an SDP offer (Content-Type application/sdp)")
)

// Limits of an offer.
const (
	MaxBytes = 64 << 10
	MaxLines = 2000

	maxSections   = 8
	maxCandidates = 64 // each is sent several packets, whoever owns the address
	gatherWithin  = 5 * time.Second
)

const (
	mediaType = "application/sdp"

	// methods has no PATCH (RFC 9725, 4.3): the answer has all candidates, and the client's
	// are learned from its connectivity checks, so trickle ICE is not needed.
	methods = "POST, DELETE, OPTIONS"
)

// Options answers an OPTIONS request.
func Options(w http.ResponseWriter) {
	Allow(w)
	w.Header().Set("Accept-Post", mediaType)
	w.WriteHeader(http.StatusNoContent)
}

// Allow sets the Allow header.
func Allow(w http.ResponseWriter) { w.Header().Set("Allow", methods) }

// Read is the offer in a request's body, at most MaxBytes. When it fails, status is the
// response's.
func Read(w http.ResponseWriter, r *http.Request) (offer string, status int, err error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != mediaType {
		w.Header().Set("Accept-Post", mediaType)
		return "", http.StatusUnsupportedMediaType, errContentType
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBytes))
	if tooBig := (*http.MaxBytesError)(nil); errors.As(err, &tooBig) {
		return "", http.StatusRequestEntityTooLarge, fmt.Errorf("the offer is longer than %d KB", MaxBytes>>10)
	}
	if err != nil {
		return "", http.StatusBadRequest, errNotSDP
	}
	return string(body), 0, nil
}

// Created responds with the answer to an offer; the new session is at location.
func Created(w http.ResponseWriter, location, answer string) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer) // if it never arrives, the client never connects
}

// Parse reads an offer and checks it against the limits. ErrOffer.
func Parse(offer string) (*sdp.SessionDescription, error) {
	var desc sdp.SessionDescription
	if strings.Count(offer, "\n") > MaxLines || desc.UnmarshalString(offer) != nil || len(desc.MediaDescriptions) == 0 {
		return nil, errNotSDP
	}
	if len(desc.MediaDescriptions) > maxSections {
		return nil, errSections
	}
	if strings.Count(offer, "candidate:") > maxCandidates {
		return nil, errCandidates
	}
	return &desc, nil
}

// H264 is the parameters (fmtp) of each H.264 format that a media section offers.
func H264(m *sdp.MediaDescription) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, a := range m.Attributes {
			if a.Key != "rtpmap" || !strings.Contains(strings.ToUpper(a.Value), " H264/90000") {
				continue
			}
			number, _, _ := strings.Cut(a.Value, " ")
			for _, f := range m.Attributes {
				if of, parameters, _ := strings.Cut(f.Value, " "); f.Key == "fmtp" && of == number && !yield(parameters) {
					return
				}
			}
		}
	}
}

// Opus reports whether a media section offers Opus (RFC 7587, 7: always 48000/2).
func Opus(m *sdp.MediaDescription) bool {
	for _, a := range m.Attributes {
		if a.Key == "rtpmap" && strings.HasSuffix(strings.ToLower(a.Value), " opus/48000/2") {
			return true
		}
	}
	return false
}

// Answer negotiates pc against an offer that Parse accepted. pion parses it again; a panic
// in there is turned into ErrAnswer.
func Answer(pc *webrtc.PeerConnection, offer string) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrAnswer, p)
		}
	}()
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	reply, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	// Only our own addresses are gathered: milliseconds.
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(reply); err != nil {
		return "", fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	select {
	case <-gathered:
	case <-time.After(gatherWithin):
		return "", ErrAnswer
	}
	return pc.LocalDescription().SDP, nil
}

// SendsH264 reports whether an answer accepted the offer's H.264.
func SendsH264(answer string) bool { return strings.Contains(answer, " H264/90000") }
