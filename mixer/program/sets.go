package program

import (
	"encoding/binary"

	"obvan/media"
)

// H.264 NAL unit type of a sequence parameter set (H.264, table 7-1).
const sps264 = 7

// announced is a key frame that begins another coding in mid-stream, with its parameter
// sets in front of it. Its track has them too, but many a receiver looks at a stream's
// configuration once and then only at the pictures: it would read these with the
// parameters of the ones before.
func announced(t *media.Track, data []byte) []byte {
	if t.Codec != media.H264 || len(data) > 4 && data[4]&0x1f == sps264 {
		return data
	}
	sps, pps, err := media.H264ParameterSets(t.Config)
	if err != nil {
		return data
	}
	var out []byte // what the hub holds is shared
	for _, set := range append(sps, pps...) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(set)))
		out = append(out, set...)
	}
	return append(out, data...)
}
