package flv

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"

	"obvan/media"
)

// configureAV1 takes an AV1CodecConfigurationRecord: four bytes, then OBUs, the
// sequence header first (AV1 in ISOBMFF, 2.3).
func (p *videoState) configureAV1(record []byte) (Packet, error) {
	if len(record) < 4 || record[0] != 0x81 {
		return Packet{}, fmt.Errorf("%w: AV1 configuration record", ErrBad)
	}
	*p = videoState{codec: media.AV1, record: record}
	t := &media.Track{Codec: media.AV1, Config: record}
	if obu := firstOBU(record[4:]); obu != nil {
		var seq av1.SequenceHeader
		if seq.Unmarshal(obu) == nil {
			t.Width, t.Height = seq.Width(), seq.Height()
		}
	}
	return p.set(t), nil
}

// firstOBU is the first OBU of b without its size field, as the parser expects it; nil
// when there is none.
func firstOBU(b []byte) []byte {
	var h av1.OBUHeader
	if h.Unmarshal(b) != nil || !h.HasSize {
		return nil
	}
	var size av1.LEB128
	n, err := size.Unmarshal(b[1:])
	if err != nil || uint64(size) > uint64(len(b)-1-n) {
		return nil
	}
	return append([]byte{b[0] &^ 2}, b[1+n:1+n+int(size)]...)
}

// withoutDelimiter removes the temporal delimiter that some encoders put first; files
// and messages must not contain it (AV1 in ISOBMFF, 2.4).
func withoutDelimiter(b []byte) []byte {
	if len(b) >= 2 && b[0] == 0x12 && b[1] == 0 {
		return b[2:]
	}
	return b
}

// startsSequence reports whether b starts with a sequence header: encoders write one
// with each keyframe, and some senders do not flag the keyframe.
func startsSequence(b []byte) bool { return len(b) > 0 && b[0]>>3&15 == 1 }
