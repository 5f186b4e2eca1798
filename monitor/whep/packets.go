package whep

import (
	"encoding/binary"

	"obvan/media"
)

// maxPayload keeps a packet under 1280 bytes, the smallest MTU that IPv6 allows (RFC 8200, 5):
// 1188 + 20 RTP header with extension + 16 SRTP tag + 48 IPv6 and UDP.
const maxPayload = 1188

// H.264 NAL unit types (ISO/IEC 14496-10, table 7-1; RFC 6184, 5.4).
const (
	nalSlice  = 1
	nalIDR    = 5
	nalAUD    = 9
	nalFiller = 12
	nalSTAPA  = 24
	nalFUA    = 28
)

// packetize makes a frame's RTP payloads (RFC 6184, packetization-mode 1). A keyframe is
// preceded by its track's parameter sets, because viewers join at any keyframe (8.4: parameter
// sets in band). The payloads share one new array.
func packetize(au *media.AccessUnit) [][]byte {
	w := payloadWriter{buf: make([]byte, 0, len(au.Data)+len(au.Data)/256+len(au.Info().Config)+64)}
	if au.Key {
		w.parameterSets(au.Info().Config)
	}
	for nal := range media.NALUnits(au.Data) {
		if t := nal[0] & 0x1f; t != nalAUD && t != nalFiller {
			w.nal(nal)
		}
	}
	return w.payloads
}

type payloadWriter struct {
	buf      []byte
	start    int // of the payload being written
	payloads [][]byte
}

// end finishes the payload being written. It stays valid when buf grows: finished payloads are
// never written to again.
func (w *payloadWriter) end() {
	w.payloads = append(w.payloads, w.buf[w.start:len(w.buf):len(w.buf)])
	w.start = len(w.buf)
}

// parameterSets writes all parameter sets as one aggregation packet (RFC 6184, 5.7.1), or each
// in its own when that would be too big. The aggregate has the highest nal_ref_idc of them.
func (w *payloadWriter) parameterSets(config []byte) {
	sps, pps, err := media.H264ParameterSets(config)
	if err != nil {
		return
	}
	size, refIDC := 1, byte(0)
	for _, sets := range [2][][]byte{sps, pps} {
		for _, nal := range sets {
			size += 2 + len(nal)
			refIDC = max(refIDC, nal[0]&0x60)
		}
	}
	aggregate := size <= maxPayload
	if aggregate {
		w.buf = append(w.buf, refIDC|nalSTAPA)
	}
	for _, sets := range [2][][]byte{sps, pps} {
		for _, nal := range sets {
			if aggregate {
				w.buf = binary.BigEndian.AppendUint16(w.buf, uint16(len(nal)))
				w.buf = append(w.buf, nal...)
			} else {
				w.nal(nal)
			}
		}
	}
	if aggregate {
		w.end()
	}
}

// nal writes one NAL unit: as it is, or in fragments (RFC 6184, 5.8). All fragments but the
// last have the same size, so that the kernel can send them in one call.
func (w *payloadWriter) nal(nal []byte) {
	if len(nal) <= maxPayload {
		w.buf = append(w.buf, nal...)
		w.end()
		return
	}
	const start, last = 0x80, 0x40
	indicator, header := nal[0]&0xe0|nalFUA, nal[0]&0x1f|start
	for nal = nal[1:]; len(nal) > 0; header &^= start {
		n := min(len(nal), maxPayload-2)
		if n == len(nal) {
			header |= last
		}
		w.buf = append(w.buf, indicator, header)
		w.buf = append(w.buf, nal[:n]...)
		w.end()
		nal = nal[n:]
	}
}

// bFrame reports whether a frame has B slices, and whether other frames refer
// to it (nal_ref_idc, ISO/IEC 14496-10, 7.4.1).
func bFrame(data []byte) (b, reference bool) {
	for nal := range media.NALUnits(data) {
		if nal[0]&0x1f == nalSlice && len(nal) > 1 && sliceType(nal[1:])%5 == 1 {
			b = true
			reference = reference || nal[0]&0x60 != 0
		}
	}
	return b, reference
}

// sliceType reads slice_type, the second Exp-Golomb number of a slice header
// (ISO/IEC 14496-10, 7.3.3 and 9.1); -1 when it can't be read. Emulation prevention bytes can
// be ignored: one comes only after two zero bytes, and no valid frame has a first_mb_in_slice
// that large.
func sliceType(header []byte) int {
	bits, at := header[:min(len(header), 8)], 0
	golomb := func() int {
		bit := func() int {
			if at >= 8*len(bits) {
				return -1
			}
			at++
			return int(bits[(at-1)/8]>>(7-(at-1)%8)) & 1
		}
		zeros := 0
		for b := bit(); b != 1; b = bit() {
			if zeros++; b < 0 || zeros > 24 {
				return -1
			}
		}
		value := 1
		for range zeros {
			b := bit()
			if b < 0 {
				return -1
			}
			value = value<<1 | b
		}
		return value - 1
	}
	if golomb() < 0 {
		return -1
	}
	return golomb()
}
