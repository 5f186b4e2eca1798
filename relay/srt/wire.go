package srt

import (
	"encoding/binary"
	"errors"
)

// Control packet types (draft-sharabayko-srt-01, table 1).
const (
	ctrlHandshake = 0x0000
	ctrlKeepAlive = 0x0001
	ctrlACK       = 0x0002
	ctrlNAK       = 0x0003
	ctrlShutdown  = 0x0005
	ctrlACKACK    = 0x0006
)

const (
	headerSize = 16
	seqMask    = 1<<31 - 1

	// Seven transport packets, which every receiver of live streams accepts. With UDP and
	// IPv6 around it that is 1380 bytes: it passes nearly every tunnel.
	maxPayload = 7 * 188
)

// control adds a control packet's header (3.2).
func control(b []byte, kind uint16, specific, at, to uint32) []byte {
	b = binary.BigEndian.AppendUint32(b, 1<<31|uint32(kind)<<16)
	b = binary.BigEndian.AppendUint32(b, specific)
	b = binary.BigEndian.AppendUint32(b, at)
	return binary.BigEndian.AppendUint32(b, to)
}

// Flags of a data packet (3.1): a message of its own, even key, retransmitted.
const (
	flagSolo   = 3 << 30
	flagEven   = 1 << 27
	flagRepeat = 1 << 26
	maxMessage = 1<<26 - 1
)

// data adds a data packet's header (3.1).
func data(b []byte, seq, flags, at, to uint32) []byte {
	b = binary.BigEndian.AppendUint32(b, seq&seqMask)
	b = binary.BigEndian.AppendUint32(b, flags)
	b = binary.BigEndian.AppendUint32(b, at)
	return binary.BigEndian.AppendUint32(b, to)
}

// packet is a received packet, parsed. Its contents are valid until the next read.
type packet struct {
	control  bool
	kind     uint16
	specific uint32
	to       uint32
	body     []byte
}

func readPacket(p []byte) (packet, bool) {
	if len(p) < headerSize {
		return packet{}, false
	}
	return packet{
		control: p[0]&0x80 != 0, kind: binary.BigEndian.Uint16(p) & 0x7fff, specific: binary.BigEndian.Uint32(p[4:]),
		to: binary.BigEndian.Uint32(p[12:]), body: p[headerSize:],
	}, true
}

// ack is the content of an acknowledgement (3.2.4). A light one only has seq.
type ack struct {
	seq  uint32 // the first that was not received
	full bool
	rtt  uint32 // microseconds
	free uint32 // packets that the receiver has room for
}

func readACK(b []byte) (ack, bool) {
	if len(b) < 4 {
		return ack{}, false
	}
	a := ack{seq: binary.BigEndian.Uint32(b) & seqMask}
	if len(b) >= 16 {
		a.full, a.rtt, a.free = true, binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[12:])
	}
	return a, true
}

// span is a range of sequence numbers, both ends included.
type span struct{ from, to uint32 }

// readNAK adds the spans of a loss report (3.2.5, appendix A) to list.
func readNAK(list []span, b []byte) []span {
	for len(b) >= 4 {
		v := binary.BigEndian.Uint32(b)
		b = b[4:]
		s := span{v & seqMask, v & seqMask}
		if v&^uint32(seqMask) != 0 {
			if len(b) < 4 {
				return list
			}
			s.to = binary.BigEndian.Uint32(b) & seqMask
			b = b[4:]
		}
		list = append(list, s)
	}
	return list
}

// Handshake types (table 4), and constants of handshakes.
const (
	hsInduction  = 1
	hsConclusion = 0xffffffff
	hsSize       = 48
	hsMagic      = 0x4a17

	extHSREQ, extHSRSP = 1, 2
	extKMREQ, extKMRSP = 3, 4
	extSID             = 5

	// Flags of an HSREQ (table 6): timed sending and receiving, encryption
	// bits, dropping of late packets, loss reports, and a flag for retransmissions.
	hsFlags = 0x3f
	version = 0x010401
)

// handshake is a handshake packet (3.2.1).
type handshake struct {
	version    uint32
	encryption uint16
	extension  uint16
	isn        uint32 // sequence number of the first packet
	mtu        uint32
	window     uint32 // packets in flight
	kind       uint32
	socket     uint32
	cookie     uint32
	peer       [16]byte // the other end's address

	latency uint32 // of an HSRSP: milliseconds the receiver holds packets back
	answers bool   // there was one
	badKey  uint32 // of a KMRSP that refuses: 3 no secret, 4 a wrong one
}

var errHandshake = errors.New("the server there is not an SRT listener: check the address and the port")

// append adds the fixed part.
func (h *handshake) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, h.version)
	b = binary.BigEndian.AppendUint16(b, h.encryption)
	b = binary.BigEndian.AppendUint16(b, h.extension)
	for _, v := range []uint32{h.isn, h.mtu, h.window, h.kind, h.socket, h.cookie} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return append(b, h.peer[:]...)
}

// appendExtension adds one extension; body's length is a multiple of four.
func appendExtension(b []byte, kind uint16, body []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)/4))
	return append(b, body...)
}

// wordSwapped is a text as handshakes carry it (3.2.1.3): padded, each four bytes in
// reverse order.
func wordSwapped(text string) []byte {
	b := append([]byte(text), make([]byte, (4-len(text)%4)%4)...)
	for i := 0; i < len(b); i += 4 {
		b[i], b[i+1], b[i+2], b[i+3] = b[i+3], b[i+2], b[i+1], b[i]
	}
	return b
}

// readHandshake reads a listener's answer.
func readHandshake(b []byte) (h handshake, err error) {
	if len(b) < hsSize {
		return h, errHandshake
	}
	u32 := func(i int) uint32 { return binary.BigEndian.Uint32(b[i:]) }
	h = handshake{
		version: u32(0), encryption: binary.BigEndian.Uint16(b[4:]), extension: binary.BigEndian.Uint16(b[6:]),
		isn: u32(8) & seqMask, mtu: u32(12), window: u32(16), kind: u32(20), socket: u32(24), cookie: u32(28),
	}
	if h.kind != hsConclusion {
		return h, nil
	}
	for b = b[hsSize:]; len(b) >= 4; {
		kind, size := binary.BigEndian.Uint16(b), 4*int(binary.BigEndian.Uint16(b[2:]))
		if b = b[4:]; size > len(b) {
			return h, errHandshake
		}
		switch {
		case kind == extHSRSP && size >= 12:
			h.latency, h.answers = uint32(binary.BigEndian.Uint16(b[8:])), true
		case kind == extKMRSP && size == 4:
			h.badKey = binary.LittleEndian.Uint32(b)
			if h.badKey > 255 { // some write it in the other byte order
				h.badKey = binary.BigEndian.Uint32(b)
			}
		}
		b = b[size:]
	}
	return h, nil
}
