package mpegts

import (
	"encoding/binary"
	"time"
)

// adaptation is the adaptation field of a unit's first packet (2.4.3.4).
type adaptation struct {
	clock  bool // carries the program clock
	at     time.Duration
	random bool // decoding can start here
}

// field is its bytes without the length; nil when it is empty.
func (a adaptation) field(b []byte) []byte {
	if !a.clock && !a.random {
		return nil
	}
	b = append(b, 0)
	if a.random {
		b[0] |= 0x40
	}
	if a.clock {
		b[0] |= 0x10
		v := ticks(max(a.at, 0)) << 15 // 33 bits, 6 reserved, 9 of the 27 MHz clock
		b = append(b, byte(v>>40), byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8)|0x7e, 0)
	}
	return b
}

// header appends the four bytes before each packet's payload (2.4.3.2).
func (w *Writer) header(b []byte, pid uint16, start, adapted, filled bool) []byte {
	h := uint32(0x47)<<24 | uint32(pid)<<8
	if start {
		h |= 1 << 22
	}
	if adapted {
		h |= 1 << 5
	}
	counter := w.counters[pid]
	if filled {
		h |= 1 << 4
		h |= uint32(*counter)
		*counter = (*counter + 1) & 0x0f
	} else {
		h |= uint32((*counter - 1) & 0x0f) // a packet without payload does not count
	}
	return binary.BigEndian.AppendUint32(b, h)
}

// clockOnly appends a packet with a clock and no payload.
func (w *Writer) clockOnly(b []byte, at time.Duration) []byte {
	b = w.header(b, w.clockPID, false, true, false)
	var scratch [8]byte
	field := adaptation{clock: true, at: at}.field(scratch[:0])
	return stuff(append(append(b, PacketSize-5), field...), PacketSize-5-len(field))
}

// packets appends a table's section in its own packets.
func (w *Writer) packets(b []byte, pid uint16, section []byte, start bool) []byte {
	for ; len(section) > 0; start = false {
		b = w.header(b, pid, start, false, true)
		n := min(len(section), PacketSize-4)
		b = stuff(append(b, section[:n]...), PacketSize-4-n)
		section = section[n:]
	}
	return b
}

// payload appends the collected parts as packets. The last one is padded with its
// adaptation field (2.4.3.5: stuffing).
func (w *Writer) payload(b []byte, pid uint16, first adaptation) []byte {
	left := 0
	for _, p := range w.parts {
		left += len(p)
	}
	var scratch [8]byte
	field := first.field(scratch[:0])
	part, at := 0, 0
	for start := true; left > 0; start = false {
		room := PacketSize - 4
		if field != nil {
			room -= 1 + len(field)
		}
		fill := room - left // the bytes left free by the payload
		b = w.header(b, pid, start, field != nil || fill > 0, true)
		switch {
		case field != nil:
			b = append(append(b, byte(len(field)+max(fill, 0))), field...)
			b = stuff(b, max(fill, 0))
		case fill == 1:
			b = append(b, 0)
		case fill > 1:
			b = stuff(append(b, byte(fill-1), 0), fill-2)
		}
		field = nil
		for n := min(room, left); n > 0; {
			took := min(n, len(w.parts[part])-at)
			b = append(b, w.parts[part][at:at+took]...)
			n, left, at = n-took, left-took, at+took
			if at == len(w.parts[part]) {
				part, at = part+1, 0
			}
		}
	}
	return b
}

func stuff(b []byte, n int) []byte {
	for range n {
		b = append(b, 0xff)
	}
	return b
}
