package h264skip

// refBuffer is the part of the decoder's state that is needed here: the short-term
// references and the current counts. Long-term references are not supported: a stream that
// uses them is lost until its next IDR picture.
type refBuffer struct {
	refs      []ref // in decoding order
	prevRef   uint32
	prevOrder int // picture order count of the last reference
	highest   int // the highest picture order count since the IDR picture
	lost      bool
}

// ref is a reference picture.
type ref struct {
	frameNum uint32
	order    int
}

// add takes the next picture.
func (d *refBuffer) add(f *Follower, s *slice) {
	limit := uint32(1) << f.frameNumBits
	if s.idr {
		*d = refBuffer{lost: s.unsupported || !s.reference}
	} else if gap := (s.frameNum - d.prevRef) % limit; gap > 1 {
		// Pictures are missing. The decoder substitutes them in its own way; only the newest
		// reference is certain.
		d.refs = d.refs[:0]
	}
	order := d.order(f, s)
	d.highest = max(d.highest, order)
	if !s.reference {
		return
	}
	if s.unsupported {
		d.lost = true
	}
	if s.marked {
		for _, diff := range s.unmark {
			d.remove((s.frameNum - diff) % limit)
		}
	} else if !s.idr && len(d.refs) >= int(f.sps.MaxNumRefFrames) {
		d.remove(d.oldest(s.frameNum, limit))
	}
	if len(d.refs) >= int(f.sps.MaxNumRefFrames) {
		d.refs = d.refs[1:] // the stream exceeds its own limit; stay within it
	}
	d.refs = append(d.refs, ref{s.frameNum, order})
	d.prevRef, d.prevOrder = s.frameNum, order
}

// order is the picture order count (H.264, 8.2.1). Type 2 is the decoding order, for which
// any increasing number will do.
func (d *refBuffer) order(f *Follower, s *slice) int {
	switch {
	case f.sps.PicOrderCntType != 0:
		if s.idr {
			return 0
		}
		return d.highest + 2
	case s.idr:
		return int(s.lsb)
	}
	wrap := 1 << f.lsbBits
	order := d.prevOrder&^(wrap-1) | int(s.lsb) // the most significant part of the last reference's
	switch diff := order - d.prevOrder; {
	case diff >= wrap/2:
		order -= wrap
	case diff < -wrap/2:
		order += wrap
	}
	return order
}

func (d *refBuffer) remove(frameNum uint32) {
	for i, r := range d.refs {
		if r.frameNum == frameNum {
			d.refs = append(d.refs[:i], d.refs[i+1:]...)
			return
		}
	}
}

// oldest is the reference that the sliding window removes (H.264, 8.2.5.3): the one
// furthest behind now.
func (d *refBuffer) oldest(now, limit uint32) (frameNum uint32) {
	var most uint32
	for _, r := range d.refs {
		if behind := (now - r.frameNum) % limit; behind >= most {
			most, frameNum = behind, r.frameNum
		}
	}
	return frameNum
}

// back is how many frame numbers before now the reference is that was displayed last, or 0
// when it is the newest, which is first in the list anyway (8.2.4.2.1).
func (d *refBuffer) back(now uint32, frameNumBits int) uint32 {
	best := d.refs[len(d.refs)-1]
	newest := best
	for _, r := range d.refs {
		if r.order > best.order {
			best = r
		}
	}
	if best == newest {
		return 0
	}
	return (now - best.frameNum) % (1 << frameNumBits)
}
