package h264skip

// skipQP is the quantizer in the header of skip frames. It has no effect in a frame
// without residuals, but with this value the context of mb_skip_flag starts with skipping
// as the more probable symbol, so the less probable one is never encoded.
const skipQP = 51

// write is the frame as one slice (H.264, 7.3.3, 7.3.4). back selects the reference to be
// moved to the front of the list and copied, 0 when it is already there.
func (f *Follower) write(p pps, s *slice, back uint32) []byte {
	w := &writer{}
	w.ue(0)          // first_mb_in_slice
	w.ue(sliceP + 5) // all slices of the frame are P
	w.ue(s.pps)
	w.u(f.frameNumBits, s.frameNum)
	if f.sps.PicOrderCntType == 0 {
		w.u(f.lsbBits, s.lsb)
		if p.bottomOrder {
			w.se(0)
		}
	}
	if p.redundant {
		w.ue(0)
	}
	w.u(1, 1) // num_ref_idx_active_override_flag: one reference
	w.ue(0)
	if back > 0 {
		w.u(1, 1) // ref_pic_list_modification_flag_l0
		w.ue(0)   // modification_of_pic_nums_idc: subtract
		w.ue(back - 1)
		w.ue(3)
	} else {
		w.u(1, 0)
	}
	if p.weighted {
		w.ue(0) // luma_log2_weight_denom: weights of 1
		if f.hasChroma() {
			w.ue(0)
			w.u(1, 0)
		}
		w.u(1, 0)
	}
	w.u(1, 0) // adaptive_ref_pic_marking_mode_flag: sliding window
	if p.cabac {
		w.ue(0) // cabac_init_idc
	}
	w.se(skipQP - p.qp)
	if p.deblockingControl {
		w.ue(1) // disable_deblocking_filter_idc
	}
	mbs := int(f.sps.PicWidthInMbsMinus1+1) * int(f.sps.PicHeightInMapUnitsMinus1+1)
	if !p.cabac {
		w.ue(uint32(mbs)) // mb_skip_run
		w.u(1, 1)         // rbsp_stop_one_bit
		return nal(1<<5|nalSlice, w.data)
	}
	for w.free > 0 {
		w.u(1, 1) // cabac_alignment_one_bit
	}
	if f.skipData == nil {
		f.skipData = allSkipped(mbs)
	}
	return nal(1<<5|nalSlice, append(w.data, f.skipData...))
}

// lps is rangeTabLPS (H.264, table 9-44) from state 42 on: the context of mb_skip_flag
// starts there at skipQP and only increases.
var lps = [...][4]int{
	{16, 20, 23, 27}, {15, 19, 22, 25}, {14, 18, 21, 24}, {14, 17, 20, 23}, {13, 16, 19, 22}, {12, 15, 18, 21},
	{12, 14, 17, 20}, {11, 14, 16, 19}, {11, 13, 15, 18}, {10, 12, 15, 17}, {10, 12, 14, 16}, {9, 11, 13, 15},
	{9, 11, 12, 14}, {8, 10, 12, 14}, {8, 9, 11, 13}, {7, 9, 11, 12}, {7, 9, 10, 12}, {7, 8, 10, 11},
	{6, 8, 9, 11}, {6, 7, 9, 10}, {6, 7, 8, 9},
}

// allSkipped is the CABAC data of mbs skipped macroblocks, with the stop bit (H.264,
// 9.3.4.2). Only most probable symbols are encoded, so the encoder's low value stays zero
// until the end.
func allSkipped(mbs int) []byte {
	w := &writer{}
	// The encoder's first bit is not written: there is one bit less than
	// renormalizations.
	span, state, zeros := 510, 0, -1
	renormalize := func() {
		for span < 256 {
			span <<= 1
			zeros++
		}
	}
	for n := range mbs {
		span -= lps[state][span>>6&3] // mb_skip_flag 1
		state = min(state+1, len(lps)-1)
		renormalize()
		span -= 2 // end_of_slice_flag
		if n < mbs-1 {
			renormalize()
		}
	}
	// Terminate: low is the end of the range, and two bits determine it (9.3.4.5).
	low := span
	span = 2
	out := &arithmetic{w: w, first: zeros < 0}
	for range max(zeros, 0) {
		w.u(1, 0)
	}
	out.finish(low)
	return w.data
}

// arithmetic is the rest of the encoder: carry handling (H.264, 9.3.4.2, 9.3.4.5).
type arithmetic struct {
	w           *writer
	first       bool
	outstanding int
}

func (a *arithmetic) put(bit uint32) {
	if a.first {
		a.first = false
	} else {
		a.w.u(1, bit)
	}
	for ; a.outstanding > 0; a.outstanding-- {
		a.w.u(1, 1-bit)
	}
}

// finish renormalizes from a range of 2, seven times, and flushes.
func (a *arithmetic) finish(low int) {
	for range 7 {
		switch {
		case low < 256:
			a.put(0)
		case low >= 512:
			low -= 512
			a.put(1)
		default:
			low -= 256
			a.outstanding++
		}
		low <<= 1
	}
	a.put(uint32(low>>9) & 1)
	a.w.u(2, uint32(low>>7)&3|1)
}
