package whip

import (
	"errors"
	"io"
	"net"
	"time"

	pion "github.com/pion/rtp"
)

// How long a gap is waited for. A picture's packets are sent again on request; sound
// is not, so only packets that overtook each other are waited for.
const (
	videoWait = 250 * time.Millisecond
	audioWait = 40 * time.Millisecond
	idleWait  = time.Second
)

const slotCount = 1024 // a power of two, as sequence numbers wrap

// line puts a track's packets in order. They come out numbered without the gaps that
// padding leaves, so that whoever takes pictures apart sees only real losses.
type jitterBuffer struct {
	wait     time.Duration
	slots    [slotCount]slot
	started  bool
	next     uint16 // number of the packet to come out
	highest  uint16
	outSeq   uint16    // its number then
	gapSince time.Time // of the gap at next; zero while there is none
}

// place is a packet that waits, and since when.
type slot struct {
	*pion.Packet
	at time.Time
}

func newJitterBuffer(wait time.Duration) *jitterBuffer { return &jitterBuffer{wait: wait} }

// deadline is when something is due even if no packet comes.
func (b *jitterBuffer) deadline(now time.Time) time.Time {
	if b.gapSince.IsZero() {
		return now.Add(idleWait)
	}
	return b.gapSince.Add(b.wait)
}

// push takes a packet as it came.
func (b *jitterBuffer) push(pkt *pion.Packet, now time.Time) {
	seq := pkt.SequenceNumber
	if !b.started {
		b.started, b.next, b.highest = true, seq, seq
	}
	ahead := int16(seq - b.next)
	if ahead < 0 && ahead > -slotCount {
		return // too late, or a second time
	}
	if ahead < 0 || ahead >= slotCount { // the sender began anew: what waits is of the past
		clear(b.slots[:])
		b.next, b.highest, b.gapSince = seq, seq, time.Time{}
		b.outSeq++ // a loss to whoever reads
	}
	b.slots[seq%slotCount] = slot{pkt, now}
	if int16(seq-b.highest) > 0 {
		b.highest = seq
	}
	if b.slots[b.next%slotCount].Packet == nil && b.gapSince.IsZero() {
		b.gapSince = now
	}
}

// gap is since when the gap at next is known, which is longer than it is at the front:
// each of many gaps waits on its own. Zero when there is none.
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

// pop is the next packet in order, nil when it is still to come. lost says that some
// before it are given up.
func (b *jitterBuffer) pop(now time.Time) (pkt *pion.Packet, lost bool) {
	for b.started {
		if pkt = b.slots[b.next%slotCount].Packet; pkt != nil {
			b.slots[b.next%slotCount] = slot{}
			b.next++
			b.gapSince = b.gap()
			if len(pkt.Payload) == 0 { // padding, to try the network
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

// done tells the end of a track from a packet that could not be read.
func done(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed)
}
