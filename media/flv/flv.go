// Package flv turns the bodies of RTMP audio and video messages, which are those
// of FLV tags, into access units and back: legacy FLV (H.264, AAC) and Enhanced
// RTMP's FourCC form (H.264, H.265, AV1, AAC, Opus).
//
// Formats: Adobe "Video File Format Specification 10.1", annex E.4, and "Enhanced
// RTMP v2" (veovera.org). H.264 and AAC pass through without a copy.
package flv

import "encoding/binary"

// First byte of a legacy video body: frame type, then codec id (E.4.3.1).
const (
	frameKey   = 1
	frameInter = 2
	frameInfo  = 5 // a command, not a frame

	codecAVC  = 7
	codecHEVC = 12 // never standardized, but some makers' cameras send it
)

// Second byte of a legacy AVC or AAC body.
const (
	legacyConfig = 0
	legacyCoded  = 1
)

// Enhanced RTMP: the top bit of a video body's first byte, or format 9 in an audio
// body, says that a packet type and a FourCC follow.
const (
	exVideo = 0x80
	exAudio = 9

	formatAAC = 10

	exConfig       = 0
	exCoded        = 1
	exEnd          = 2
	exCodedX       = 3 // video: no composition time
	exMetadata     = 4 // video: HDR information; audio: channel layout
	exVideoTracks  = 6
	exAudioTracks  = 5
	exModifier     = 7
	oneTrack       = 0
	manyTracks     = 1
	manyTrackCodec = 2
)

var (
	ccAVC  = fourCC("avc1")
	ccHEVC = fourCC("hvc1")
	ccAV1  = fourCC("av01")
	ccAAC  = fourCC("mp4a")
	ccOpus = fourCC("Opus")
)

func fourCC(s string) uint32 { return binary.BigEndian.Uint32([]byte(s)) }
