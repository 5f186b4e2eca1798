package h264skip

import "math/bits"

// reader reads an RBSP (H.264, 7.2), skipping emulation prevention bytes. Reading past the
// end returns zeros and sets short.
type reader struct {
	data  []byte
	at    int  // next byte
	have  int  // bits left in cur
	cur   byte // the current byte
	zeros int  // zero bytes in a row
	short bool
}

func (r *reader) bit() uint32 {
	if r.have == 0 {
		if r.zeros >= 2 && r.at < len(r.data) && r.data[r.at] == 3 {
			r.at++
			r.zeros = 0
		}
		if r.at >= len(r.data) {
			r.short = true
			return 0
		}
		r.cur, r.have = r.data[r.at], 8
		r.at++
		r.zeros++
		if r.cur != 0 {
			r.zeros = 0
		}
	}
	r.have--
	return uint32(r.cur>>r.have) & 1
}

func (r *reader) flag() bool { return r.bit() == 1 }

func (r *reader) u(n int) (v uint32) {
	for range n {
		v = v<<1 | r.bit()
	}
	return v
}

// ue is an unsigned Exp-Golomb code (H.264, 9.1).
func (r *reader) ue() uint32 {
	zeros := 0
	for !r.flag() {
		if zeros++; zeros > 31 || r.short {
			r.short = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.u(zeros)
}

// se is a signed Exp-Golomb code (H.264, 9.1.1).
func (r *reader) se() int32 {
	k := r.ue()
	if k%2 == 1 {
		return int32(k/2) + 1
	}
	return -int32(k / 2)
}

// writer writes an RBSP without emulation prevention.
type writer struct {
	data []byte
	free int // bits left in the last byte
}

func (w *writer) u(n int, v uint32) {
	for i := n - 1; i >= 0; i-- {
		if w.free == 0 {
			w.data = append(w.data, 0)
			w.free = 8
		}
		w.free--
		w.data[len(w.data)-1] |= byte(v>>i&1) << w.free
	}
}

func (w *writer) ue(v uint32) {
	n := bits.Len32(v + 1)
	w.u(n-1, 0)
	w.u(n, v+1)
}

func (w *writer) se(v int32) {
	if v > 0 {
		w.ue(uint32(2*v - 1))
		return
	}
	w.ue(uint32(-2 * v))
}

// nal is the RBSP as a NAL unit with a 4-byte length and emulation prevention
// (H.264, 7.4.1).
func nal(header byte, rbsp []byte) []byte {
	out := append(make([]byte, 4, 8+len(rbsp)*3/2), header)
	zeros := 0
	for _, b := range rbsp {
		if zeros >= 2 && b <= 3 {
			out = append(out, 3)
			zeros = 0
		}
		out = append(out, b)
		zeros++
		if b != 0 {
			zeros = 0
		}
	}
	n := len(out) - 4
	out[0], out[1], out[2], out[3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return out
}
