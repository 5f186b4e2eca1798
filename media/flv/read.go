package flv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"obvan/media"
)

// Errors of a message body. Neither is a reason to disconnect: the next one may be good.
var (
	ErrBad   = errors.New("malformed media message")
	ErrCodec = errors.New("unsupported codec: send H.264, H.265 or AV1 with AAC or Opus")
)

// Packet is what a message contained: a new track configuration, a unit, both (a frame
// with parameter sets in band) or neither.
type Packet struct {
	Config *media.Track     // describes the units from this one on; nil when unchanged
	Unit   media.AccessUnit // Data is empty when there is none; Track is left to the caller
}

// Reader reads one publisher's messages. It takes ownership of the bodies passed to it:
// they become the units' memory, and it may move bytes within them.
type Reader struct {
	video videoState
	audio audioState
}

// Video reads a video message with timestamp at. It returns units only once their
// configuration is known.
func (r *Reader) Video(at time.Duration, body []byte) (Packet, error) {
	if len(body) == 0 {
		return Packet{}, nil
	}
	if body[0]&exVideo != 0 {
		return r.videoEx(at, body)
	}
	frame, codec := body[0]>>4, body[0]&15
	if frame == frameInfo {
		return Packet{}, nil
	}
	var c media.Codec
	switch codec {
	case codecAVC:
		c = media.H264
	case codecHEVC:
		c = media.H265
	default:
		return Packet{}, fmt.Errorf("%w (FLV video codec %d)", ErrCodec, codec)
	}
	if len(body) < 5 {
		return Packet{}, fmt.Errorf("%w: %d bytes of video", ErrBad, len(body))
	}
	switch body[1] {
	case legacyConfig:
		return r.video.configure(c, body[5:])
	case legacyCoded:
		return r.video.frame(c, videoTime{at, si24(body[2:])}, body[5:], frame == frameKey)
	}
	return Packet{}, nil // the end of a sequence
}

func (r *Reader) videoEx(at time.Duration, body []byte) (Packet, error) {
	frame := body[0] >> 4 & 7
	kind, cc, rest, err := exHeader(body[0]&15, body[1:], exVideoTracks)
	if err != nil || frame == frameInfo {
		return Packet{}, err
	}
	var c media.Codec
	switch cc {
	case ccAVC:
		c = media.H264
	case ccHEVC:
		c = media.H265
	case ccAV1:
		c = media.AV1
	default:
		return Packet{}, fmt.Errorf("%w (%q)", ErrCodec, ccName(cc))
	}
	when := videoTime{dts: at}
	switch kind {
	case exConfig:
		return r.video.configure(c, rest)
	case exCoded:
		if c != media.AV1 {
			if len(rest) < 3 {
				return Packet{}, fmt.Errorf("%w: no composition time", ErrBad)
			}
			when.cts, rest = si24(rest), rest[3:]
		}
		return r.video.frame(c, when, rest, frame == frameKey)
	case exCodedX:
		return r.video.frame(c, when, rest, frame == frameKey)
	}
	return Packet{}, nil // end of sequence, HDR information and future types
}

// Audio reads an audio message with timestamp at.
func (r *Reader) Audio(at time.Duration, body []byte) (Packet, error) {
	if len(body) == 0 {
		return Packet{}, nil
	}
	format := body[0] >> 4
	if format == exAudio {
		return r.audioEx(at, body)
	}
	if format != formatAAC {
		return Packet{}, fmt.Errorf("%w (FLV audio format %d)", ErrCodec, format)
	}
	if len(body) < 2 {
		return Packet{}, fmt.Errorf("%w: %d bytes of audio", ErrBad, len(body))
	}
	switch body[1] {
	case legacyConfig:
		return r.audio.configureAAC(body[2:])
	case legacyCoded:
		return r.audio.frame(media.AAC, at, body[2:]), nil
	}
	return Packet{}, nil
}

func (r *Reader) audioEx(at time.Duration, body []byte) (Packet, error) {
	kind, cc, rest, err := exHeader(body[0]&15, body[1:], exAudioTracks)
	if err != nil {
		return Packet{}, err
	}
	switch {
	case cc != ccAAC && cc != ccOpus:
		return Packet{}, fmt.Errorf("%w (%q)", ErrCodec, ccName(cc))
	case kind == exConfig && cc == ccAAC:
		return r.audio.configureAAC(rest)
	case kind == exConfig:
		return r.audio.configureOpus(rest)
	case kind == exCoded && cc == ccAAC:
		return r.audio.frame(media.AAC, at, rest), nil
	case kind == exCoded:
		return r.audio.frame(media.Opus, at, rest), nil
	}
	return Packet{}, nil
}

// exHeader reads what may come between an enhanced message's packet type and its
// FourCC: modifiers, which are skipped, and a list of tracks, of which the first is used.
func exHeader(kind byte, b []byte, multitrack byte) (byte, uint32, []byte, error) {
	cut := fmt.Errorf("%w: enhanced header", ErrBad)
	for kind == exModifier {
		if len(b) < 1 {
			return 0, 0, nil, cut
		}
		size, n := int(b[0])+1, 1
		if size == 256 && len(b) >= 3 {
			size, n = int(binary.BigEndian.Uint16(b[1:]))+1, 3
		}
		if len(b) < n+size+1 {
			return 0, 0, nil, cut
		}
		kind, b = b[n+size]&15, b[n+size+1:]
	}
	form := byte(oneTrack)
	if several := kind == multitrack; several {
		if len(b) < 1 {
			return 0, 0, nil, cut
		}
		form, kind, b = b[0]>>4, b[0]&15, b[1:]
		return firstTrack(form, kind, b)
	}
	if len(b) < 4 {
		return 0, 0, nil, cut
	}
	return kind, binary.BigEndian.Uint32(b), b[4:], nil
}

// firstTrack is track 0 of a multitrack message. Other tracks are not carried: they are
// returned as an end of sequence, which the caller ignores.
func firstTrack(form, kind byte, b []byte) (byte, uint32, []byte, error) {
	need := 5 // FourCC, track id
	if form != oneTrack {
		need += 3
	}
	if len(b) < need || form > manyTrackCodec {
		return 0, 0, nil, fmt.Errorf("%w: multitrack", ErrBad)
	}
	cc, id, rest := binary.BigEndian.Uint32(b), b[4], b[need:]
	if form != oneTrack {
		size := int(b[5])<<16 | int(b[6])<<8 | int(b[7])
		if size > len(rest) {
			return 0, 0, nil, fmt.Errorf("%w: multitrack", ErrBad)
		}
		rest = rest[:size:size]
	}
	if id != 0 {
		kind = exEnd
	}
	return kind, cc, rest, nil
}

func ccName(cc uint32) string { return string(binary.BigEndian.AppendUint32(nil, cc)) }

// videoTime is a frame's times as the message states them.
type videoTime struct {
	dts time.Duration
	cts int32 // milliseconds, may be negative
}

func (v videoTime) pts() time.Duration { return v.dts + time.Duration(v.cts)*time.Millisecond }

func si24(b []byte) int32 { return int32(uint32(b[0])<<24|uint32(b[1])<<16|uint32(b[2])<<8) >> 8 }
