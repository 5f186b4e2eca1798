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

// announced is a key frame that begins another coding in mid-stream, with its parameter
// sets in front of it. Its track has them too, but many a receiver looks at a stream's
// configuration once and then only at the pictures: it would read these with the
// parameters of the ones before.
func withParameterSets(t *media.Track, data []byte) []byte {
	var out []byte // what the hub holds is shared
	for _, set := range missingParameterSets(t, data) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(set)))
		out = append(out, set...)
	}
	return append(out, data...)
}

// sets is the parameter sets that the key frame lacks.
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
