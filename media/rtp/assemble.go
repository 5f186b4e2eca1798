package rtp

import (
	"errors"

	"github.com/bluenviron/gortsplib/v4/pkg/format/rtpav1"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtph265"
	pion "github.com/pion/rtp"
)

// decoder is one of the library's.
type decoder func(*pion.Packet) ([][]byte, error)

// assembled is the parts of a video frame: NAL units, or OBUs.
type assembled struct {
	ts    uint32 // RTP timestamp
	parts [][]byte
}

// assembler joins the packets of a video frame. A decoder of the library parses each
// packet. The library could join them too, but it refuses frames of more than a few dozen
// slices, as sent by encoders that limit slices to the size of a packet, and it remains
// one frame late after a lost packet.
type assembler struct {
	renew  func() (decoder, error)
	decode decoder
	slice  func(part []byte) (coded, first bool) // whether a NAL unit is a slice, and the first of its frame; nil when the format can't tell
	cur    unfinished
	marked uint32 // timestamp of the last frame that ended with a marker
	byTime bool   // the sender puts markers on slices
	next   uint16 // the next sequence number
	begun  bool
}

// unfinished is the frame being assembled.
type unfinished struct {
	assembled
	packets  int
	size     int
	headless bool // packets before it are missing, maybe of this frame
	broken   bool // packets of this frame are missing
}

// framesOf converts the frames that a packet completes.
func (a *assembler) framesOf(pkt *pion.Packet, of func(assembled) frame) (frames []frame, err error) {
	whole, err := a.assemble(pkt)
	for _, p := range whole {
		frames = append(frames, of(p))
	}
	return frames, err
}

// assemble takes a packet and returns the frames it completes: two at most, when a sender
// sets markers only sometimes.
func (a *assembler) assemble(pkt *pion.Packet) (whole []assembled, err error) {
	if !a.begun {
		a.begun, a.next, a.marked = true, pkt.SequenceNumber, pkt.Timestamp-1
	}
	lost := pkt.SequenceNumber != a.next
	a.next = pkt.SequenceNumber + 1
	switch p := &a.cur; {
	case p.packets == 0:
		a.start(pkt, lost)
	case pkt.Timestamp != p.ts: // some cameras set no markers
		if !lost {
			whole = a.appendComplete(whole)
		}
		a.start(pkt, lost)
	case lost:
		a.discard()
	}
	if len(pkt.Payload) == 0 {
		return whole, nil // keepalive or padding
	}
	if err := a.add(pkt); err != nil {
		return whole, err
	}
	if pkt.Marker && !a.byTime {
		whole = a.appendComplete(whole)
		a.cur.packets, a.marked = 0, pkt.Timestamp
	}
	return whole, nil
}

// start begins a frame with pkt.
func (a *assembler) start(pkt *pion.Packet, lost bool) {
	if lost {
		a.decode = nil // it may have buffered part of what is missing
	}
	a.cur = unfinished{assembled: assembled{ts: pkt.Timestamp}, headless: lost}
}

// add parses a packet. After an error the rest of its frame is dropped.
func (a *assembler) add(pkt *pion.Packet) (err error) {
	p := &a.cur
	if p.packets++; p.broken {
		return nil
	}
	defer func() {
		if err != nil {
			a.discard()
		}
	}()
	if p.packets > maxPackets {
		return errPackets
	}
	if a.decode == nil {
		if a.decode, err = a.renew(); err != nil {
			return err
		}
	}
	alone := *pkt
	alone.Marker = true // so that the decoder returns its contents at once
	parts, err := a.decode(&alone)
	switch {
	case errors.Is(err, rtph264.ErrMorePacketsNeeded), errors.Is(err, rtph265.ErrMorePacketsNeeded), errors.Is(err, rtpav1.ErrMorePacketsNeeded):
		return nil
	case errors.Is(err, rtph264.ErrNonStartingPacketAndNoPrevious), errors.Is(err, rtph265.ErrNonStartingPacketAndNoPrevious), errors.Is(err, rtpav1.ErrNonStartingPacketAndNoPrevious):
		a.discard()
		return nil
	case err != nil:
		return err
	}
	for _, part := range parts {
		p.size += len(part)
	}
	if p.parts = append(p.parts, parts...); p.size > maxFrame || len(p.parts) > maxParts {
		return errPackets
	}
	if a.slice != nil && !a.byTime && p.ts == a.marked && !p.headless {
		a.byTime = a.continues()
	}
	return nil
}

// discard drops the unfinished frame, and what the decoder may have buffered of it.
func (a *assembler) discard() { a.decode, a.cur.parts, a.cur.broken = nil, nil, true }

// continues reports whether the unfinished frame belongs to one already returned as complete.
func (a *assembler) continues() bool {
	for _, part := range a.cur.parts {
		if coded, first := a.slice(part); coded {
			return !first
		}
	}
	return false
}

// appendComplete appends the frame being assembled to whole, unless packets of it are missing.
func (a *assembler) appendComplete(whole []assembled) []assembled {
	p := &a.cur
	if p.broken || len(p.parts) == 0 || p.headless && a.slice != nil && a.continues() {
		return whole
	}
	return append(whole, p.assembled)
}

// slice264 checks first_mb_in_slice of a NAL unit; 0 is encoded as a single 1 bit (H.264,
// 7.3.3).
func slice264(nal []byte) (coded, first bool) {
	if len(nal) < 2 || nal[0]&0x1f == 0 || nal[0]&0x1f > 5 {
		return false, false
	}
	return true, nal[1]&0x80 != 0
}

// slice265 checks first_slice_segment_in_pic_flag (H.265, 7.3.6.1).
func slice265(nal []byte) (coded, first bool) {
	if len(nal) < 3 || nal[0]>>1&0x3f > 31 {
		return false, false
	}
	return true, nal[2]&0x80 != 0
}
