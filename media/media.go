// Package media defines the types of the signal path: a Track describes how video or
// audio is encoded, an AccessUnit is one encoded video frame or audio frame.
//
// Ingest turns everything it receives into access units; relay and monitor turn access
// units into the bytes of some protocol. Everything between them handles access units
// only.
package media

import (
	"fmt"
	"time"
)

// Codec is how a track is encoded.
type Codec uint8

// The codecs the studio carries. It forwards them; it does not decode them.
const (
	CodecUnknown Codec = iota
	H264
	H265
	AV1
	AAC
	Opus
)

var codecNames = [...]string{"unknown", "H264", "H265", "AV1", "AAC", "Opus"}

// String is the codec's name as operators know it.
func (c Codec) String() string {
	if int(c) < len(codecNames) {
		return codecNames[c]
	}
	return fmt.Sprintf("codec %d", uint8(c))
}

// MarshalText makes codecs readable in state and metrics.
func (c Codec) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Video reports whether it is a video codec.
func (c Codec) Video() bool { return c == H264 || c == H265 || c == AV1 }

// Audio reports whether it is an audio codec.
func (c Codec) Audio() bool { return c == AAC || c == Opus }

// Track is the video or the audio of a stream. A Track is never modified once a stream
// carries it: a change of codec or configuration is a new generation of Tracks.
type Track struct {
	Codec Codec

	// Config is the decoder's out-of-band configuration:
	//   H264  AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1), 4-byte lengths
	//   H265  HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1), 4-byte lengths
	//   AV1   AV1CodecConfigurationRecord (AV1 in ISOBMFF, 2.3)
	//   AAC   AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1)
	//   Opus  OpusHead without its magic, big-endian (Opus in ISOBMFF, 4.3.2: dOps)
	Config []byte

	Width, Height int     // pixels as displayed, 0 when unknown
	FrameRate     float64 // frames per second, 0 when the bitstream does not say

	SampleRate int // Hz
	Channels   int
}

// SamplesPerFrame is the length of one audio frame in samples: 1024 for AAC-LC
// (ISO/IEC 14496-3, 4.5.1.1), 960 (20 ms at 48 kHz) for Opus.
func (t *Track) SamplesPerFrame() int {
	switch t.Codec {
	case AAC:
		return 1024
	case Opus:
		return 960
	}
	return 0
}

// FrameDuration is the length of one audio frame, or of one video frame when the frame
// rate is known; 0 when it is not.
func (t *Track) FrameDuration() time.Duration {
	switch {
	case t.Codec.Audio() && t.SampleRate > 0:
		return time.Duration(t.SamplesPerFrame()) * time.Second / time.Duration(t.SampleRate)
	case t.Codec.Video() && t.FrameRate > 0:
		return time.Duration(float64(time.Second) / t.FrameRate)
	}
	return 0
}

// Tracks is one generation of a stream's tracks: at most one video and one audio track.
// It is never modified; a reader compares the pointer it gets with the last one to
// notice a change, and then reconfigures itself.
type Tracks []Track

// Video is the index of the video track, or -1.
func (t *Tracks) Video() int { return t.find(Codec.Video) }

// Audio is the index of the audio track, or -1.
func (t *Tracks) Audio() int { return t.find(Codec.Audio) }

func (t *Tracks) find(is func(Codec) bool) int {
	if t == nil {
		return -1
	}
	for i := range *t {
		if is((*t)[i].Codec) {
			return i
		}
	}
	return -1
}

// AccessUnit is the smallest encoded unit that has a timestamp: one video frame or one
// audio frame. All readers of a stream share it, so nothing in it is modified once it
// has been written.
type AccessUnit struct {
	Tracks *Tracks // the generation this unit was encoded with; set by the hub
	Track  int     // index into Tracks

	PTS, DTS time.Duration // on the stream's clock; DTS never decreases within a track

	Key        bool // decoding can start here (IDR, IRAP); true for every audio frame
	Disposable bool // no other frame refers to this one (H.264 nal_ref_idc 0, 7.4.1)

	// Data is the encoded bytes. H.264 and H.265: NAL units, each after a 4-byte
	// big-endian length; parameter sets are in the track, AUDs removed. AV1: OBUs
	// in low-overhead format. AAC: a raw_data_block without ADTS. Opus: one packet.
	Data []byte

	// Arrived is when the server had all of the unit: latency is measured from
	// it. The hub sets it when it is zero.
	Arrived time.Time
}

// Video reports whether the unit is a video frame.
func (au *AccessUnit) Video() bool {
	return au.Tracks != nil && au.Track >= 0 && au.Track < len(*au.Tracks) && (*au.Tracks)[au.Track].Codec.Video()
}

// Info is the unit's track.
func (au *AccessUnit) Info() *Track { return &(*au.Tracks)[au.Track] }
