package rtp

import (
	"bytes"
	"slices"

	"github.com/bluenviron/mediacommon/v2/pkg/bits"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"obvan/media"
)

// paramSets are the current parameter sets of a NAL unit codec.
type paramSets struct {
	vps, sps []byte
	pps      [][]byte // one per id, in order of arrival
	track    media.Track
	depth    int  // frames of reordering, as far as the bitstream states it
	known    bool // track is complete
}

// setH264 takes an access unit's parameter sets and reports whether the track changed.
// Unreadable sets change nothing.
func (c *paramSets) setH264(sps []byte, pps [][]byte) bool {
	next := paramSets{sps: c.sps, pps: c.pps}
	if sps != nil && len(sps) <= maxSet && !bytes.Equal(sps, c.sps) {
		next.sps = bytes.Clone(sps)
		if len(pps) > 0 {
			next.pps = nil // they belong to the old one
		}
	}
	for _, p := range pps {
		next.pps = addPPS(next.pps, p, headH264)
	}
	if next.sps == nil || len(next.pps) == 0 || (c.known && bytes.Equal(next.sps, c.sps) && equalSets(next.pps, c.pps)) {
		c.keepUnlessKnown(next)
		return false
	}
	track, err := media.H264Track(next.sps, next.pps[0])
	if err != nil {
		return false
	}
	track.Config = track.Config[:len(track.Config)-3-len(next.pps[0])]
	track.Config = append(track.Config, byte(len(next.pps)))
	for _, p := range next.pps {
		track.Config = append(track.Config, byte(len(p)>>8), byte(len(p)))
		track.Config = append(track.Config, p...)
	}
	next.track, next.depth, next.known = track, depthH264(next.sps), true
	*c = next
	return true
}

// keepUnlessKnown collects sets until there are enough for a track.
func (c *paramSets) keepUnlessKnown(next paramSets) {
	if !c.known {
		*c = next
	}
}

// depthH264 is how far frames are from presentation order, 0 when the bitstream does not
// state it: then decodeOrder finds out.
func depthH264(sps []byte) int {
	var s h264.SPS
	if s.Unmarshal(sps) != nil || s.PicOrderCntType == 2 || s.VUI == nil || s.VUI.BitstreamRestriction == nil {
		return 0
	}
	return int(min(s.VUI.BitstreamRestriction.MaxNumReorderFrames, maxDepth))
}

// How long the header of a NAL unit is, in bytes.
const (
	headH264 = 1
	headH265 = 2
)

// addPPS stores a picture parameter set in place of the one with the same id, which
// follows its header.
func addPPS(sets [][]byte, pps []byte, head int) [][]byte {
	id, ok := idPPS(pps, head)
	if !ok || len(pps) > maxSet {
		return sets
	}
	for i, old := range sets {
		if oldID, _ := idPPS(old, head); oldID == id {
			if bytes.Equal(old, pps) {
				return sets
			}
			sets = slices.Clone(sets)
			sets[i] = bytes.Clone(pps)
			return sets
		}
	}
	if len(sets) >= maxSets {
		return sets
	}
	return append(slices.Clip(sets), bytes.Clone(pps))
}

// idPPS reads pic_parameter_set_id (H.264 7.3.2.2, H.265 7.3.2.3.1).
func idPPS(pps []byte, head int) (uint32, bool) {
	if len(pps) <= head {
		return 0, false
	}
	pos := 8 * head
	id, err := bits.ReadGolombUnsigned(pps[:min(len(pps), 8)], &pos)
	return id, err == nil
}

func equalSets(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

// setH265 is setH264 for H.265.
func (c *paramSets) setH265(vps, sps []byte, pps [][]byte) bool {
	next := paramSets{vps: pick(vps, c.vps), sps: pick(sps, c.sps), pps: c.pps}
	if len(pps) > 0 && !bytes.Equal(next.sps, c.sps) {
		next.pps = nil // they belong to the old one
	}
	for _, p := range pps {
		next.pps = addPPS(next.pps, p, headH265)
	}
	if next.vps == nil || next.sps == nil || len(next.pps) == 0 ||
		(c.known && bytes.Equal(next.vps, c.vps) && bytes.Equal(next.sps, c.sps) && equalSets(next.pps, c.pps)) {
		c.keepUnlessKnown(next)
		return false
	}
	var s h265.SPS
	if s.Unmarshal(next.sps) != nil {
		// The library supports neither levels of temporal layers nor long-term references
		// in an SPS; decoders do.
		s.ChromaFormatIdc = max(s.ChromaFormatIdc, 1)
	}
	plain := h264.EmulationPreventionRemove(next.sps) // the rule is the same in both codecs
	if len(plain) < minSPS265 {
		return false
	}
	next.track = media.Track{Codec: media.H265, Config: hvcC(&s, plain, next.vps, next.sps, next.pps), Width: s.Width(), Height: s.Height()}
	if s.VUI != nil && s.VUI.TimingInfo != nil {
		next.track.FrameRate = s.FPS()
	}
	if n := len(s.MaxNumReorderPics); n > 0 {
		next.depth = int(min(s.MaxNumReorderPics[n-1], maxDepth))
	}
	next.known = true
	*c = next
	return true
}

func pick(set, old []byte) []byte {
	if set == nil || len(set) > maxSet || bytes.Equal(set, old) {
		return old
	}
	return bytes.Clone(set)
}

// minSPS265 is the offset where the profile, tier and level of an SPS end.
const minSPS265 = 15

// hvcC is the HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1). plain is the
// SPS without emulation prevention.
func hvcC(s *h265.SPS, plain, vps, sps []byte, pps [][]byte) []byte {
	c := append([]byte{1}, plain[3:minSPS265]...) // profile, tier and level have the same form
	nested := byte(0)
	if s.TemporalIDNestingFlag {
		nested = 1
	}
	c = append(c,
		0xf0, 0, // min_spatial_segmentation_idc: unknown
		0xfc, // parallelismType: unknown
		0xfc|byte(s.ChromaFormatIdc&3), 0xf8|byte(s.BitDepthLumaMinus8&7), 0xf8|byte(s.BitDepthChromaMinus8&7),
		0, 0, // avgFrameRate: unknown
		(s.MaxSubLayersMinus1+1)&7<<3|nested<<2|3, // lengthSizeMinusOne
		3)
	for _, sets := range []struct {
		kind h265.NALUType
		all  [][]byte
	}{{h265.NALUType_VPS_NUT, [][]byte{vps}}, {h265.NALUType_SPS_NUT, [][]byte{sps}}, {h265.NALUType_PPS_NUT, pps}} {
		c = append(c, 0x80|byte(sets.kind), 0, byte(len(sets.all)))
		for _, set := range sets.all {
			c = append(append(c, byte(len(set)>>8), byte(len(set))), set...)
		}
	}
	return c
}
