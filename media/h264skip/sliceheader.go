package h264skip

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// pps is the part of a picture parameter set that a slice needs (H.264, 7.3.2.2).
type pps struct {
	sps               uint32
	cabac             bool
	bottomOrder       bool // bottom_field_pic_order_in_frame_present_flag
	sliceGroups       bool
	refs              [2]uint32 // num_ref_idx_default_active
	weighted          bool      // weighted_pred_flag
	biweighted        bool      // weighted_bipred_idc is 1
	qp                int32     // 26 + pic_init_qp_minus26
	deblockingControl bool
	redundant         bool // redundant_pic_cnt_present_flag
}

func parsePPS(data []byte) (id uint32, p pps, err error) {
	if len(data) == 0 || data[0]&0x1f != nalPPS {
		return 0, p, fmt.Errorf("%w: not a picture parameter set", ErrUnsupported)
	}
	r := reader{data: data[1:]}
	id, p.sps = r.ue(), r.ue()
	p.cabac, p.bottomOrder = r.flag(), r.flag()
	if r.ue() > 0 {
		p.sliceGroups = true
		return id, p, nil // the rest is not needed: such frames are not made
	}
	p.refs[0], p.refs[1] = r.ue()+1, r.ue()+1
	p.weighted = r.flag()
	p.biweighted = r.u(2) == 1
	p.qp = 26 + r.se()
	r.se() // pic_init_qs
	r.se() // chroma_qp_index_offset
	p.deblockingControl = r.flag()
	r.bit() // constrained_intra_pred_flag
	p.redundant = r.flag()
	if r.short || id > 255 || p.sps > 31 || p.refs[0] > 32 || p.refs[1] > 32 || p.qp < -36 || p.qp > 51 {
		return 0, p, fmt.Errorf("%w: invalid picture parameter set", ErrUnsupported)
	}
	return id, p, nil
}

// NAL unit types (H.264, table 7-1).
const (
	nalSlice = 1
	nalIDR   = 5
	nalPPS   = 8
)

// Kinds of slice, slice_type modulo 5 (H.264, table 7-6).
const (
	sliceP  = 0
	sliceB  = 1
	sliceSP = 3
	sliceSI = 4
)

// slice is the contents of a slice header (H.264, 7.3.3).
type slice struct {
	idr         bool
	reference   bool // nal_ref_idc is not 0
	pps         uint32
	frameNum    uint32
	lsb         uint32 // pic_order_cnt_lsb
	unmark      []uint32
	marked      bool // adaptive_ref_pic_marking_mode_flag
	unsupported bool // it uses long-term references, or other marking that is not supported
}

// parseSlice reads the header of a slice's NAL unit.
func (f *Follower) parseSlice(data []byte) (s slice, ok bool) {
	s.idr = data[0]&0x1f == nalIDR
	s.reference = data[0]&0x60 != 0
	r := &reader{data: data[1:]}
	r.ue() // first_mb_in_slice
	kind := r.ue() % 5
	s.pps = r.ue()
	p, ok := f.pps[s.pps]
	if !ok {
		return s, false
	}
	s.frameNum = r.u(f.frameNumBits)
	if s.idr {
		r.ue() // idr_pic_id
	}
	if f.sps.PicOrderCntType == 0 {
		s.lsb = r.u(f.lsbBits)
		if p.bottomOrder {
			r.se() // delta_pic_order_cnt_bottom: always less than a picture
		}
	}
	if p.redundant && r.ue() > 0 {
		return s, false
	}
	if s.reference {
		f.parseMarking(r, p, kind, &s)
	}
	return s, !r.short
}

// parseMarking reads on to dec_ref_pic_marking.
func (f *Follower) parseMarking(r *reader, p pps, kind uint32, s *slice) {
	refs := p.refs
	if kind == sliceB {
		r.bit() // direct_spatial_mv_pred_flag
	}
	if (kind == sliceP || kind == sliceSP || kind == sliceB) && r.flag() {
		refs[0] = r.ue() + 1
		if kind == sliceB {
			refs[1] = r.ue() + 1
		}
	}
	if refs[0] > 32 || refs[1] > 32 {
		r.short = true
		return
	}
	lists := map[uint32]int{sliceP: 1, sliceSP: 1, sliceB: 2}[kind]
	for range lists {
		skipModification(r)
	}
	if p.weighted && (kind == sliceP || kind == sliceSP) || p.biweighted && kind == sliceB {
		f.skipWeights(r, refs[:lists])
	}
	if s.idr {
		r.bit()                  // no_output_of_prior_pics_flag
		s.unsupported = r.flag() // long_term_reference_flag
		return
	}
	s.marked = r.flag()
	for n := 0; s.marked; n++ {
		switch op := r.ue(); op { // memory_management_control_operation, 7.4.3.3
		case 0:
			return
		case 1:
			s.unmark = append(s.unmark, r.ue()+1)
		default:
			s.unsupported = true
			return
		}
		if n > 32 || r.short {
			r.short = true
			return
		}
	}
}

// skipModification skips ref_pic_list_modification (H.264, 7.3.3.1).
func skipModification(r *reader) {
	if !r.flag() {
		return
	}
	for range 67 {
		if r.ue() == 3 || r.short {
			return
		}
		r.ue()
	}
	r.short = true
}

// skipWeights skips pred_weight_table (H.264, 7.3.3.2).
func (f *Follower) skipWeights(r *reader, refs []uint32) {
	r.ue()
	if f.hasChroma() {
		r.ue()
	}
	for _, n := range refs {
		for range n {
			if r.flag() {
				r.se()
				r.se()
			}
			if f.hasChroma() && r.flag() {
				for range 4 {
					r.se()
				}
			}
		}
	}
}

// hasChroma reports whether ChromaArrayType is not 0. mediacommon leaves
// chroma_format_idc at 0 for the profiles that do not send it; those are 4:2:0.
func (f *Follower) hasChroma() bool {
	switch f.sps.ProfileIdc {
	case 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135:
		return f.sps.ChromaFormatIdc != 0
	}
	return true
}

// fits reports whether skip frames can be made for streams with this SPS.
func fits(s *h264.SPS) error {
	switch {
	case !s.FrameMbsOnlyFlag:
		return fmt.Errorf("%w: interlaced", ErrUnsupported)
	case s.PicOrderCntType == 1:
		return fmt.Errorf("%w: picture order count of type 1", ErrUnsupported)
	case s.MaxNumRefFrames == 0:
		return fmt.Errorf("%w: a stream without references", ErrUnsupported)
	case s.MaxNumRefFrames > 16 || s.Log2MaxFrameNumMinus4 > 12 || s.Log2MaxPicOrderCntLsbMinus4 > 12 || s.PicOrderCntType > 2:
		return fmt.Errorf("%w: invalid sequence parameter set", ErrUnsupported)
	case s.SeparateColourPlaneFlag:
		return fmt.Errorf("%w: separate color planes", ErrUnsupported)
	case (uint64(s.PicWidthInMbsMinus1)+1)*(uint64(s.PicHeightInMapUnitsMinus1)+1) > maxMBs:
		return fmt.Errorf("%w: more macroblocks than any level allows", ErrUnsupported)
	}
	return nil
}

// maxMBs is MaxFS of level 6.2 (H.264, table A-1).
const maxMBs = 139264
