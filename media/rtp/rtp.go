// Package rtp turns RTP payloads (RFC 3550) into access units and back: H.264
// (RFC 6184), H.265 (RFC 7798), AV1, MPEG-4 audio (RFC 3640, 6416) and Opus (RFC 7587).
//
// A Reader makes one stream from the tracks of a session description; a Writer
// describes a stream and makes its packets.
package rtp

import (
	"errors"
	"time"

	"obvan/media"
)

// Errors a caller can act on.
var (
	ErrNoTracks = errors.New("no track in H.264, H.265, AV1, AAC or Opus")
	ErrNotSent  = errors.New("this track can't be sent over RTP")
	errPackets  = errors.New("a frame of too many packets")
	errUnit     = errors.New("malformed access unit")
)

// Limits of one video frame.
const (
	maxPackets = 16384   // of the smallest size
	maxFrame   = 8 << 20 // bytes
	maxParts   = 4096    // NAL units or OBUs
	maxSets    = 8       // parameter sets of a kind
	maxSet     = 4 << 10 // bytes of one
)

// lead is the time of a stream's first packet; decode times may be earlier.
const lead = 500 * time.Millisecond

// Sink receives a stream. ingest.Feed implements it.
type Sink interface {
	SetTracks(media.Tracks)
	Write(media.AccessUnit)
	// Aligned reports that from here on audio and video are in sync according to the
	// sender: conclusions from their earlier times no longer hold.
	Aligned()
}

// duration and ticks convert between an RTP clock and time, without an overflow
// at 28 hours.
func duration(ticks, rate int64) time.Duration {
	return time.Duration(ticks/rate)*time.Second + time.Duration(ticks%rate)*time.Second/time.Duration(rate)
}

func ticks(d time.Duration, rate int64) int64 {
	half := int64(time.Second) / 2 // rounded: samples stay on their grid
	return int64(d/time.Second)*rate + (int64(d%time.Second)*rate+half)/int64(time.Second)
}
