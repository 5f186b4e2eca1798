// Package media holds the nouns of the signal path: a Track says how a picture
// or a sound is coded, an AccessUnit is one coded picture or one audio frame.
//
// Everything that comes in is turned into access units at the door (ingest) and
// into some protocol's bytes at the other door (relay, monitor). The
// middle of the studio knows nothing else.
package media

import (
	"fmt"
	"time"
)

// Codec is how a track is coded.
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

// Video reports whether the codec codes pictures.
func (c Codec) Video() bool { return c == H264 || c == H265 || c == AV1 }

// Audio reports whether the codec codes sound.
func (c Codec) Audio() bool { return c == AAC || c == Opus }

// Track is one picture or sound of a stream. A Track is never modified once a
// stream carries it: a change of coding is a new generation of Tracks.
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
	FrameRate     float64 // pictures a second, 0 when the coding does not say

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

// FrameDuration is the length of one audio frame, or of one picture when the
// frame rate is known; 0 when it is not.
func (t *Track) FrameDuration() time.Duration {
	switch {
	case t.Codec.Audio() && t.SampleRate > 0:
		return time.Duration(t.SamplesPerFrame()) * time.Second / time.Duration(t.SampleRate)
	case t.Codec.Video() && t.FrameRate > 0:
		return time.Duration(float64(time.Second) / t.FrameRate)
	}
	return 0
}

// Tracks is one generation of a stream's tracks: at most one picture and one
// sound. It is never modified; readers compare the pointer they are handed with
// the last one to see a change, and then configure themselves anew.
type Tracks []Track

// Video is the index of the picture, or -1.
func (t *Tracks) Video() int { return t.find(Codec.Video) }

// Audio is the index of the sound, or -1.
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

// AccessUnit is the smallest coded piece that has a timestamp: one picture or
// one audio frame. All readers of a stream share it, so nothing in it is ever
// modified after it was written.
type AccessUnit struct {
	Tracks *Tracks // the generation this unit was coded in; set by the hub
	Track  int     // index into Tracks

	PTS, DTS time.Duration // on the stream's clock; DTS never falls within a track

	Key        bool // decoding can start here (IDR, IRAP); true for every audio frame
	Disposable bool // no other picture refers to this one (H.264 nal_ref_idc 0, 7.4.1)

	// Data is the coded bytes. H.264 and H.265: NAL units, each behind a 4-byte
	// big-endian length, parameter sets left to the track, AUDs removed. AV1: OBUs
	// in low-overhead format. AAC: a raw_data_block without ADTS. Opus: one packet.
	Data []byte

	// Arrived is when the server had all of the unit: latency is measured from
	// it. The hub sets it when it is zero.
	Arrived time.Time
}

// Video reports whether the unit is a picture.
func (au *AccessUnit) Video() bool {
	return au.Tracks != nil && au.Track >= 0 && au.Track < len(*au.Tracks) && (*au.Tracks)[au.Track].Codec.Video()
}

// Info is the unit's track.
func (au *AccessUnit) Info() *Track { return &(*au.Tracks)[au.Track] }
