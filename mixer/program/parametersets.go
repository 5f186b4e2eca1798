package program

import (
	"encoding/binary"

	"obvan/media"
)

// NAL unit types of the first parameter set (H.264, table 7-1; H.265, table 7-1).
const (
	sps264 = 7
	vps265 = 32
)

// withParameterSets is a keyframe that begins another format in mid-stream, with its
// parameter sets in front of it. Its track has them too, but many receivers read a
// stream's configuration once and then only its frames: they would decode these with the
// parameters of the frames before.
func withParameterSets(t *media.Track, data []byte) []byte {
	var out []byte // what the hub holds is shared
	for _, set := range missingParameterSets(t, data) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(set)))
		out = append(out, set...)
	}
	return append(out, data...)
}

// missingParameterSets is the parameter sets that the keyframe does not contain.
func missingParameterSets(t *media.Track, data []byte) [][]byte {
	switch {
	case len(data) <= 4:
	case t.Codec == media.H264 && data[4]&0x1f != sps264:
		if sps, pps, err := media.H264ParameterSets(t.Config); err == nil {
			return append(sps, pps...)
		}
	case t.Codec == media.H265 && data[4]>>1&0x3f != vps265:
		if all, err := media.H265ParameterSets(t.Config); err == nil {
			return all
		}
	}
	return nil
}
