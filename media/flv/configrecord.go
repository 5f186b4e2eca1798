package flv

import (
	"encoding/binary"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"obvan/media"
)

// record makes the configuration record of a complete group of parameter sets.
func (p *paramSets) record(c media.Codec) []byte {
	if c == media.H265 {
		return p.record265()
	}
	sps := p.sps[len(p.sps)-1].nal // put accepts only sets of 5 bytes and more
	b := []byte{1, sps[1], sps[2], sps[3], 0xfc | 3, 0xe0 | byte(len(p.sps))}
	b = appendSets(b, p.sps)
	b = appendSets(append(b, byte(len(p.pps))), p.pps)
	switch sps[1] {
	case 66, 77, 88:
		return b
	}
	chroma, luma, depth := byte(1), byte(0), byte(0)
	var s h264.SPS
	if s.Unmarshal(sps) == nil {
		chroma, luma, depth = byte(s.ChromaFormatIdc), byte(s.BitDepthLumaMinus8), byte(s.BitDepthChromaMinus8)
	}
	return append(b, 0xfc|chroma&3, 0xf8|luma&7, 0xf8|depth&7, 0)
}

// record265 is ISO/IEC 14496-15, 8.3.3.1.2. The profile is copied from the SPS, which
// has it in the same form.
func (p *paramSets) record265() []byte {
	nal := p.sps[len(p.sps)-1].nal
	plain := h264.EmulationPreventionRemove(nal) // the same rule as in H.265
	b := make([]byte, 23)
	b[0] = 1
	if len(plain) >= 15 {
		copy(b[1:13], plain[3:15])
	}
	chroma, luma, depth := byte(1), byte(0), byte(0)
	nested := byte(0)
	var s h265.SPS
	if s.Unmarshal(nal) == nil {
		chroma, luma, depth = byte(s.ChromaFormatIdc), byte(s.BitDepthLumaMinus8), byte(s.BitDepthChromaMinus8)
		if s.TemporalIDNestingFlag {
			nested = 1
		}
	}
	b[13], b[15] = 0xf0, 0xfc // segmentation and parallelism unknown
	b[16], b[17], b[18] = 0xfc|chroma&3, 0xf8|luma&7, 0xf8|depth&7
	b[21] = byte(p.layers&7)<<3 | nested<<2 | 3
	b[22] = 3
	for i, sets := range [][]set{p.vps, p.sps, p.pps} {
		b = append(b, 0x80|byte(nal265VPS+i))
		b = appendSets(binary.BigEndian.AppendUint16(b, uint16(len(sets))), sets)
	}
	return b
}

func appendSets(b []byte, sets []set) []byte {
	for _, s := range sets {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(s.nal))), s.nal...)
	}
	return b
}
