// Package mpegtstest reads a transport stream for tests, strictly: what a lenient receiver
// would accept is an error here.
package mpegtstest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"
)

// Unit is one PES packet.
type Unit struct {
	PID      uint16
	Type     byte // stream_type
	PTS, DTS time.Duration
	Random   bool
	Data     []byte

	done, broken bool
}

// Reader parses a transport stream.
type Reader struct {
	Units  []Unit
	Clocks []time.Duration // program clock references
	Tables int             // program map tables
	Types  map[uint16]byte

	// Lenient is for a path that loses packets: a gap ends the unit it is in.
	Lenient bool
	Gaps    int

	rest     []byte
	counters map[uint16]byte
	open     map[uint16]*Unit
	queue    []*Unit // in the order they began; a video frame ends when the next one begins
	pmt      uint16
}

// New makes a reader.
func New() *Reader {
	return &Reader{Types: map[uint16]byte{}, counters: map[uint16]byte{}, open: map[uint16]*Unit{}}
}

// Write takes a piece of the stream.
func (r *Reader) Write(p []byte) (int, error) {
	r.rest = append(r.rest, p...)
	for len(r.rest) >= 188 {
		if err := r.packet(r.rest[:188]); err != nil {
			return 0, err
		}
		r.rest = r.rest[188:]
	}
	return len(p), nil
}

// Flush ends the video frames, whose packets have no length.
func (r *Reader) Flush() {
	for pid := range r.open {
		r.finish(pid)
	}
}

func (r *Reader) packet(p []byte) error {
	pid, start := binary.BigEndian.Uint16(p[1:])&0x1fff, p[1]&0x40 != 0
	if p[0] != 0x47 || p[1]&0x80 != 0 {
		return fmt.Errorf("a packet begins with %#x", p[:2])
	}
	body, random, err := r.adaptation(p)
	if err != nil {
		return err
	}
	if p[3]&0x10 == 0 {
		return nil
	}
	if last, ok := r.counters[pid]; ok && p[3]&0x0f != (last+1)&0x0f {
		if !r.Lenient {
			return fmt.Errorf("PID %#x steps from %d to %d", pid, last, p[3]&0x0f)
		}
		r.Gaps++
		if u := r.open[pid]; u != nil {
			u.broken = true
			r.finish(pid)
		}
	}
	r.counters[pid] = p[3] & 0x0f
	switch _, known := r.Types[pid]; {
	case pid == 0 || pid == r.pmt && pid != 0:
		return r.table(pid, body)
	case !known && r.Lenient:
		return nil
	case !known:
		return fmt.Errorf("PID %#x is in no table", pid)
	case start:
		r.finish(pid)
		return r.begin(pid, body, random)
	case r.open[pid] == nil && r.Lenient:
		return nil
	case r.open[pid] == nil:
		return fmt.Errorf("PID %#x continues a unit that has not begun", pid)
	}
	r.open[pid].Data = append(r.open[pid].Data, body...)
	return nil
}

func (r *Reader) adaptation(p []byte) (body []byte, random bool, err error) {
	body = p[4:]
	if p[3]&0x20 == 0 {
		return body, false, nil
	}
	size := int(body[0])
	if size > 183 || p[3]&0x10 != 0 && size > 182 {
		return nil, false, fmt.Errorf("an adaptation field of %d bytes", size)
	}
	field := body[1 : 1+size]
	if size > 0 && field[0]&0x10 != 0 {
		base := uint64(binary.BigEndian.Uint32(field[1:]))<<1 | uint64(field[5]>>7)
		r.Clocks = append(r.Clocks, fromTicks(base))
	}
	return body[1+size:], size > 0 && field[0]&0x40 != 0, nil
}

func (r *Reader) table(pid uint16, body []byte) error {
	s := body[1+int(body[0]):]
	size := int(binary.BigEndian.Uint16(s[1:])&0xfff) + 3
	if size > len(s) || crc(s[:size]) != 0 {
		return fmt.Errorf("a malformed table in PID %#x", pid)
	}
	s = s[:size-4]
	if pid == 0 {
		r.pmt = binary.BigEndian.Uint16(s[10:]) & 0x1fff
		return nil
	}
	r.Tables++
	clear(r.Types)
	for s = s[12:]; len(s) >= 5; s = s[5+int(binary.BigEndian.Uint16(s[3:])&0xfff):] {
		r.Types[binary.BigEndian.Uint16(s[1:])&0x1fff] = s[0]
	}
	return nil
}

func crc(data []byte) uint32 {
	v := ^uint32(0)
	for _, b := range data {
		for bit := 7; bit >= 0; bit-- {
			top := v>>31 ^ uint32(b>>bit)&1
			if v <<= 1; top != 0 {
				v ^= 0x04c11db7
			}
		}
	}
	return v
}

func (r *Reader) begin(pid uint16, b []byte, random bool) error {
	if len(b) < 9 || !bytes.Equal(b[:3], []byte{0, 0, 1}) || b[7]&0x80 == 0 {
		return fmt.Errorf("PID %#x: a PES packet begins with %x", pid, b[:min(len(b), 9)])
	}
	u := &Unit{PID: pid, Type: r.Types[pid], Random: random, PTS: stamp(b[9:])}
	u.DTS = u.PTS
	if b[7]&0x40 != 0 {
		u.DTS = stamp(b[14:])
	}
	u.Data = append(u.Data, b[9+int(b[8]):]...)
	r.open[pid] = u
	r.queue = append(r.queue, u)
	return nil
}

func stamp(b []byte) time.Duration {
	return fromTicks(uint64(b[0]>>1&7)<<30 | uint64(b[1])<<22 | uint64(b[2]>>1)<<15 | uint64(b[3])<<7 | uint64(b[4]>>1))
}

func fromTicks(v uint64) time.Duration {
	return time.Duration(v/90000)*time.Second + time.Duration(v%90000)*time.Second/90000
}

func (r *Reader) finish(pid uint16) {
	if u := r.open[pid]; u != nil {
		u.done = true
		delete(r.open, pid)
	}
	for len(r.queue) > 0 && r.queue[0].done {
		if !r.queue[0].broken {
			r.Units = append(r.Units, *r.queue[0])
		}
		r.queue = r.queue[1:]
	}
}

// NALUnits splits byte stream format.
func NALUnits(data []byte) (nals [][]byte) {
	for nal := range bytes.SplitSeq(data, []byte{0, 0, 0, 1}) {
		if len(nal) > 0 {
			nals = append(nals, nal)
		}
	}
	return nals
}
