package rtp

import (
	"slices"

	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/av1"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
	pion "github.com/pion/rtp"

	"obvan/media"
)

// frame is a complete encoded video or audio frame.
type frame struct {
	ts              uint32 // RTP timestamp
	data            []byte
	key, disposable bool
	config          bool // the track's configuration changes with this frame
}

// input takes the packets of one format.
type input interface {
	frames(pkt *pion.Packet) ([]frame, error)
	current() (track media.Track, depth int, known bool)
}

// avcc is NAL units with 4-byte lengths; nil when there are none.
func avcc(nalus [][]byte) []byte {
	size := 0
	for _, n := range nalus {
		size += 4 + len(n)
	}
	if size == 0 {
		return nil
	}
	out := make([]byte, 0, size)
	for _, n := range nalus {
		out = append(out, byte(len(n)>>24), byte(len(n)>>16), byte(len(n)>>8), byte(len(n)))
		out = append(out, n...)
	}
	return out
}

type h264Input struct {
	assembler
	paramSets
}

func newH264(f *format.H264) *h264Input {
	in := &h264Input{}
	in.slice = slice264
	in.renew = func() (decoder, error) {
		d, err := f.CreateDecoder()
		if err != nil {
			return nil, err
		}
		return d.Decode, nil
	}
	if sps, pps := f.SafeParams(); len(sps) > 0 && len(pps) > 0 {
		in.setH264(sps, [][]byte{pps})
	}
	return in
}

func (in *h264Input) current() (media.Track, int, bool) { return in.track, in.depth, in.known }

func (in *h264Input) frames(pkt *pion.Packet) ([]frame, error) {
	return in.framesOf(pkt, in.frame)
}

func (in *h264Input) frame(p assembled) frame {
	nalus := p.parts
	f := frame{ts: p.ts, disposable: true}
	var sps []byte
	var pps [][]byte
	coded := false
	nalus = slices.DeleteFunc(nalus, func(n []byte) bool {
		if len(n) == 0 {
			return true
		}
		switch kind := h264.NALUType(n[0] & 0x1f); kind {
		case h264.NALUTypeSPS:
			sps = n
			return true
		case h264.NALUTypePPS:
			if len(pps) < maxSets {
				pps = append(pps, n)
			}
			return true
		case h264.NALUTypeAccessUnitDelimiter, h264.NALUTypeFillerData, h264.NALUTypeEndOfSequence, h264.NALUTypeEndOfStream:
			return true
		case h264.NALUTypeIDR, h264.NALUTypeNonIDR, h264.NALUTypeDataPartitionA:
			coded = true
			f.key = f.key || kind == h264.NALUTypeIDR
			f.disposable = f.disposable && n[0]&0x60 == 0
		case h264.NALUTypeSEI:
			f.key = f.key || media.H264RecoveryPoint(n)
		}
		return false
	})
	if sps != nil || pps != nil {
		f.config = in.setH264(sps, pps)
	}
	if coded {
		f.data = avcc(nalus)
	}
	f.disposable = f.disposable && coded && !f.key
	return f
}

type h265Input struct {
	assembler
	paramSets
}

func newH265(f *format.H265) *h265Input {
	in := &h265Input{}
	in.slice = slice265
	in.renew = func() (decoder, error) {
		d, err := f.CreateDecoder()
		if err != nil {
			return nil, err
		}
		return d.Decode, nil
	}
	if vps, sps, pps := f.SafeParams(); len(vps) > 0 && len(sps) > 0 && len(pps) > 0 {
		in.setH265(vps, sps, [][]byte{pps})
	}
	return in
}

func (in *h265Input) current() (media.Track, int, bool) { return in.track, in.depth, in.known }

func (in *h265Input) frames(pkt *pion.Packet) ([]frame, error) {
	return in.framesOf(pkt, in.frame)
}

func (in *h265Input) frame(p assembled) frame {
	nalus := p.parts
	f := frame{ts: p.ts, disposable: true}
	var vps, sps []byte
	var pps [][]byte
	coded := false
	nalus = slices.DeleteFunc(nalus, func(n []byte) bool {
		if len(n) < 2 {
			return true
		}
		switch kind := h265.NALUType(n[0] >> 1 & 0x3f); {
		case kind == h265.NALUType_VPS_NUT:
			vps = n
		case kind == h265.NALUType_SPS_NUT:
			sps = n
		case kind == h265.NALUType_PPS_NUT:
			if len(pps) < maxSets {
				pps = append(pps, n)
			}
		case kind >= h265.NALUType_AUD_NUT && kind <= h265.NALUType_FD_NUT:
		case kind <= h265.NALUType_RSV_IRAP_VCL23:
			coded = true
			f.key = f.key || kind >= h265.NALUType_BLA_W_LP
			// H.265 table 7-1: of the types up to 14, frames of the even ones are not referenced.
			f.disposable = f.disposable && kind <= h265.NALUType_RSV_VCL_N14 && kind&1 == 0
			return false
		default:
			return false
		}
		return true
	})
	if vps != nil || sps != nil || pps != nil {
		f.config = in.setH265(vps, sps, pps)
	}
	if coded {
		f.data = avcc(nalus)
	}
	f.disposable = f.disposable && coded && !f.key
	return f
}

type av1Input struct {
	assembler
	sequence []byte
	track    media.Track
}

func newAV1(f *format.AV1) *av1Input {
	in := &av1Input{}
	in.renew = func() (decoder, error) {
		d, err := f.CreateDecoder()
		if err != nil {
			return nil, err
		}
		return d.Decode, nil
	}
	return in
}

func (in *av1Input) current() (media.Track, int, bool) {
	return in.track, 0, in.track.Codec != media.CodecUnknown
}

func (in *av1Input) frames(pkt *pion.Packet) ([]frame, error) {
	return in.framesOf(pkt, in.frame)
}

func (in *av1Input) frame(p assembled) frame {
	obus := p.parts
	f := frame{ts: p.ts}
	obus = slices.DeleteFunc(obus, func(o []byte) bool { return len(o) == 0 || av1.OBUType(o[0]>>3&15) == av1.OBUTypeTemporalDelimiter })
	for _, o := range obus {
		if av1.OBUType(o[0]>>3&15) == av1.OBUTypeSequenceHeader {
			f.key = true // each keyframe comes with a sequence header (AV1 7.5)
			f.config = in.setSequence(o) || f.config
		}
	}
	f.data, _ = av1.Bitstream(obus).Marshal() // nil on an error
	return f
}

func (in *av1Input) setSequence(obu []byte) bool {
	var h av1.SequenceHeader
	if string(obu) == string(in.sequence) || len(obu) > maxSet || h.Unmarshal(obu) != nil {
		return false
	}
	in.sequence = slices.Clone(obu)
	whole, err := av1.Bitstream{in.sequence}.Marshal()
	if err != nil {
		return false
	}
	// av1C: marker and version; profile and level; then flags that 4:2:0 in 8 bits,
	// which every camera sends, has as 0x0c.
	config := append([]byte{0x81, h.SeqProfile<<5 | levelAV1(&h), flagsAV1(&h), 0}, whole...)
	in.track = media.Track{Codec: media.AV1, Config: config, Width: h.Width(), Height: h.Height()}
	return true
}

func levelAV1(h *av1.SequenceHeader) byte {
	if len(h.SeqLevelIdx) == 0 {
		return 0
	}
	return h.SeqLevelIdx[0] & 0x1f
}

// flagsAV1 is av1C's third byte.
func flagsAV1(h *av1.SequenceHeader) (b byte) {
	c := &h.ColorConfig
	for _, bit := range []struct {
		on   bool
		mask byte
	}{{len(h.SeqTier) > 0 && h.SeqTier[0], 0x80}, {c.HighBitDepth, 0x40}, {c.TwelveBit, 0x20}, {c.MonoChrome, 0x10}, {c.SubsamplingX, 8}, {c.SubsamplingY, 4}} {
		if bit.on {
			b |= bit.mask
		}
	}
	return b | byte(c.ChromaSamplePosition)&3
}
