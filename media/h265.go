package media

import (
	"encoding/binary"
	"fmt"
	"iter"
)

// H265ParameterSets splits an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15,
// 8.3.3.1) into its parameter sets, in the order in which decoders need them:
// video, sequence, picture. They are sub-slices of config.
func H265ParameterSets(config []byte) ([][]byte, error) {
	short := fmt.Errorf("%w: truncated HEVC configuration record", ErrConfig)
	if len(config) < 23 || config[0] != 1 {
		return nil, short
	}
	var sets [3][][]byte
	rest := config[23:]
	for range config[22] {
		if len(rest) < 3 {
			return nil, short
		}
		kind, n := rest[0]&0x3f, int(binary.BigEndian.Uint16(rest[1:]))
		rest = rest[3:]
		for range n {
			if len(rest) < 2 || len(rest)-2 < int(binary.BigEndian.Uint16(rest)) {
				return nil, short
			}
			size := int(binary.BigEndian.Uint16(rest))
			if kind >= 32 && kind <= 34 && size > 2 { // VPS, SPS, PPS (ITU-T H.265, table 7-1)
				sets[kind-32] = append(sets[kind-32], rest[2:2+size])
			}
			rest = rest[2+size:]
		}
	}
	for _, kind := range sets {
		if len(kind) == 0 {
			return nil, fmt.Errorf("%w: HEVC configuration record without parameter sets", ErrConfig)
		}
	}
	return append(append(sets[0], sets[1]...), sets[2]...), nil
}

// NALUnits iterates over the NAL units of an H.264 or H.265 access unit, as sub-slices
// of data. It stops at the first malformed length.
func NALUnits(data []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(data) > 4 {
			size := binary.BigEndian.Uint32(data)
			data = data[4:]
			if uint64(size) > uint64(len(data)) || size > 0 && !yield(data[:size]) {
				return
			}
			data = data[size:]
		}
	}
}
