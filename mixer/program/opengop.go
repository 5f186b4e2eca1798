package program

import (
	"bytes"
	"encoding/binary"
	"time"

	"obvan/media"
)

// H.265 NAL unit types (H.265, table 7-1).
const (
	rasl     = 8 // and 9: leading pictures that refer to frames before their keyframe
	blaRADL  = 17
	cra      = 21
	notCoded = 32 // and above: parameter sets, messages
)

// spliceKeyframe makes a keyframe fit to follow another source. One that starts an open
// GOP may be followed by leading pictures, which refer to frames that its source sent
// before it: they have to be left out. A CRA picture of H.265 becomes a BLA picture
// (H.265, 7.4.2.2), which tells the decoder that a splice precedes it.
func spliceKeyframe(t *media.Track, data []byte) (out []byte, leadingPictures bool) {
	if t.Codec == media.H264 {
		return data, !isIDR(data)
	}
	if t.Codec != media.H265 || firstSliceType(data) != cra {
		return data, false
	}
	out = bytes.Clone(data) // what the hub holds is shared
	for at := 0; at+5 <= len(out); {
		if out[at+4]>>1&0x3f == cra {
			out[at+4] = out[at+4]&0x81 | blaRADL<<1
		}
		at += nalLength(out[at:])
	}
	return out, true
}

// isIDR reports an IDR picture of H.264 (H.264, table 7-1): no frame after it refers to
// one before it.
func isIDR(data []byte) bool {
	for nal := range media.NALUnits(data) {
		if nal[0]&0x1f == 5 {
			return true
		}
	}
	return false
}

// isLeadingPicture reports whether a frame that follows a keyframe presented at key
// refers to frames before that. H.265 says so; in H.264 it is what is presented before
// the keyframe.
func isLeadingPicture(au *media.AccessUnit, key time.Duration) bool {
	if au.Info().Codec == media.H264 {
		return au.PTS < key
	}
	return firstSliceType(au.Data)&^1 == rasl
}

// firstSliceType is the type of the first NAL unit that is a slice, -1 for none.
func firstSliceType(data []byte) int {
	for at := 0; at+5 <= len(data); {
		if k := int(data[at+4] >> 1 & 0x3f); k < notCoded {
			return k
		}
		at += nalLength(data[at:])
	}
	return -1
}

// nalLength is the length of the first NAL unit with its length field.
func nalLength(data []byte) int { return 4 + int(min(binary.BigEndian.Uint32(data), 1<<30)) }
