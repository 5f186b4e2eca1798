package whip

import (
	"errors"
	"io"
	"net"
	"time"

	pion "github.com/pion/rtp"
)

// How long to wait for missing packets. Video packets are retransmitted on request;
// audio packets are not, so the wait is only for packets that arrive out of order.
const (
	videoWait = 250 * time.Millisecond
	audioWait = 40 * time.Millisecond
	idleWait  = time.Second
)

const slotCount = 1024 // a power of two, as sequence numbers wrap

// jitterBuffer puts a track's packets in order, and renumbers them without the gaps that
// padding packets leave, so that the depacketizer sees only real losses.
type jitterBuffer struct {
	wait     time.Duration
	slots    [slotCount]slot
	started  bool
	next     uint16 // sequence number of the next packet to return
	highest  uint16
	outSeq   uint16    // sequence number of the last packet returned
	gapSince time.Time // since when next is missing; zero while it is not
}

// slot is a buffered packet, and when it arrived.
type slot struct {
	*pion.Packet
	at time.Time
}

func newJitterBuffer(wait time.Duration) *jitterBuffer { return &jitterBuffer{wait: wait} }

// deadline is when pop must be called even if no packet arrives.
func (b *jitterBuffer) deadline(now time.Time) time.Time {
	if b.gapSince.IsZero() {
		return now.Add(idleWait)
	}
	return b.gapSince.Add(b.wait)
}

// push adds a packet as it arrived.
func (b *jitterBuffer) push(pkt *pion.Packet, now time.Time) {
	seq := pkt.SequenceNumber
	if !b.started {
		b.started, b.next, b.highest = true, seq, seq
	}
	ahead := int16(seq - b.next)
	if ahead < 0 && ahead > -slotCount {
		return // too late, or a duplicate
	}
	if ahead < 0 || ahead >= slotCount { // the sender restarted: what is buffered is obsolete
		clear(b.slots[:])
		b.next, b.highest, b.gapSince = seq, seq, time.Time{}
		b.outSeq++ // the reader sees a loss
	}
	b.slots[seq%slotCount] = slot{pkt, now}
	if int16(seq-b.highest) > 0 {
		b.highest = seq
	}
	if b.slots[b.next%slotCount].Packet == nil && b.gapSince.IsZero() {
		b.gapSince = now
	}
}

// gap is since when the packet next is known to be missing, which may be before next
// reached it: each of several gaps has its own wait. Zero when it is not missing.
func (b *jitterBuffer) gap() time.Time {
	if b.slots[b.next%slotCount].Packet != nil {
		return time.Time{}
	}
	for seq := b.next; int16(b.highest-seq) >= 0; seq++ {
		if p := &b.slots[seq%slotCount]; p.Packet != nil {
			return p.at
		}
	}
	return time.Time{}
}

// pop is the next packet in order, nil when it has not arrived yet. lost reports that
// packets before it are given up.
func (b *jitterBuffer) pop(now time.Time) (pkt *pion.Packet, lost bool) {
	for b.started {
		if pkt = b.slots[b.next%slotCount].Packet; pkt != nil {
			b.slots[b.next%slotCount] = slot{}
			b.next++
			b.gapSince = b.gap()
			if len(pkt.Payload) == 0 { // padding, which probes the bandwidth
				continue
			}
			b.outSeq++
			pkt.SequenceNumber = b.outSeq
			return pkt, lost
		}
		if b.gapSince.IsZero() || now.Sub(b.gapSince) < b.wait {
			return nil, lost
		}
		for b.slots[b.next%slotCount].Packet == nil && int16(b.highest-b.next) > 0 {
			b.next++
		}
		lost = true
		b.outSeq++
	}
	return nil, lost
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// done tells the end of a track from a packet that can't be read.
func done(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed)
}
