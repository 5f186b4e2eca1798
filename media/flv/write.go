package flv

import (
	"encoding/binary"
	"time"

	"obvan/media"
	"obvan/media/amf0"
)

// MaxHeader is the most bytes that AppendHeader appends.
const MaxHeader = 8

// CanCarry reports whether RTMP can carry the codec. H.264 and AAC are sent in the
// legacy form that every server accepts; the others need Enhanced RTMP.
func CanCarry(c media.Codec) bool {
	switch c {
	case media.H264, media.H265, media.AV1, media.AAC, media.Opus:
		return true
	}
	return false
}

// AppendHeader appends what precedes au.Data in the message that carries it.
// The message's timestamp is au.DTS.
func AppendHeader(dst []byte, au *media.AccessUnit) []byte {
	if t := au.Info(); t.Codec.Audio() {
		return AppendAudioHeader(dst, t)
	} else {
		return AppendVideoHeader(dst, t, au)
	}
}

// AppendVideoHeader appends what precedes au.Data in a video message.
func AppendVideoHeader(dst []byte, t *media.Track, au *media.AccessUnit) []byte {
	frame := byte(frameInter)
	if au.Key {
		frame = frameKey
	}
	cts := compositionTime(au)
	switch t.Codec {
	case media.H265:
		if cts == 0 {
			return appendEx(dst, exVideo|frame<<4|exCodedX, ccHEVC)
		}
		return appendSI24(appendEx(dst, exVideo|frame<<4|exCoded, ccHEVC), cts)
	case media.AV1:
		return appendEx(dst, exVideo|frame<<4|exCoded, ccAV1)
	}
	return appendSI24(append(dst, frame<<4|codecAVC, legacyCoded), cts)
}

// AppendAudioHeader appends what precedes a frame's bytes in an audio message.
func AppendAudioHeader(dst []byte, t *media.Track) []byte {
	if t.Codec == media.Opus {
		return appendEx(dst, exAudio<<4|exCoded, ccOpus)
	}
	return append(dst, aacFlags, legacyCoded)
}

// aacFlags is fixed for AAC whatever the audio is (E.4.2.1): 44 kHz, 16 bit, stereo.
const aacFlags = formatAAC<<4 | 3<<2 | 1<<1 | 1

// VideoConfig is the body of the message that configures the decoder for t, nil when
// RTMP can't carry the codec. It is sent before the first frame and after each change.
func VideoConfig(t *media.Track) []byte {
	switch t.Codec {
	case media.H264:
		return append([]byte{frameKey<<4 | codecAVC, legacyConfig, 0, 0, 0}, t.Config...)
	case media.H265:
		return append(appendEx(nil, exVideo|frameKey<<4|exConfig, ccHEVC), t.Config...)
	case media.AV1:
		return append(appendEx(nil, exVideo|frameKey<<4|exConfig, ccAV1), t.Config...)
	}
	return nil
}

// AudioConfig is VideoConfig for audio.
func AudioConfig(t *media.Track) []byte {
	switch t.Codec {
	case media.AAC:
		return append([]byte{aacFlags, legacyConfig}, t.Config...)
	case media.Opus:
		return append(appendEx(nil, exAudio<<4|exConfig, ccOpus), opusHead(t.Config)...)
	}
	return nil
}

// Metadata is the body of the data message that describes tracks to a server:
// @setDataFrame, onMetaData and an array.
func Metadata(tracks media.Tracks) []byte {
	return append(amf0.Append(nil, "@setDataFrame"), PlayMetadata(tracks)...)
}

// PlayMetadata is Metadata as a server sends it to players: without @setDataFrame.
func PlayMetadata(tracks media.Tracks) []byte {
	about := amf0.ECMAArray{{Name: "duration", Value: 0}}
	add := func(name string, v any) { about = append(about, amf0.Property{Name: name, Value: v}) }
	for i := range tracks {
		t := &tracks[i]
		switch {
		case t.Codec.Video():
			add("width", t.Width)
			add("height", t.Height)
			if t.FrameRate > 0 {
				add("framerate", t.FrameRate)
			}
			add("videocodecid", codecID(t.Codec))
		case t.Codec.Audio():
			add("audiosamplerate", t.SampleRate)
			add("audiosamplesize", 16)
			add("audiochannels", t.Channels)
			add("stereo", t.Channels > 1)
			add("audiocodecid", codecID(t.Codec))
		}
	}
	add("encoder", "obvan")
	return amf0.Append(nil, "onMetaData", about)
}

// codecID is the codec's number in metadata: FLV's own, or the FourCC.
func codecID(c media.Codec) float64 {
	switch c {
	case media.H264:
		return codecAVC
	case media.H265:
		return float64(ccHEVC)
	case media.AV1:
		return float64(ccAV1)
	case media.AAC:
		return formatAAC
	case media.Opus:
		return float64(ccOpus)
	}
	return 0
}

// compositionTime is PTS - DTS in milliseconds, limited to 24 bits.
func compositionTime(au *media.AccessUnit) int32 {
	ms := (au.PTS - au.DTS).Round(time.Millisecond).Milliseconds()
	return int32(max(-1<<23, min(ms, 1<<23-1)))
}

func appendSI24(dst []byte, v int32) []byte {
	return append(dst, byte(v>>16), byte(v>>8), byte(v))
}

func appendEx(dst []byte, first byte, cc uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, first), cc)
}
