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
	pictureWait = 250 * time.Millisecond
	soundWait   = 40 * time.Millisecond
	idle        = time.Second
)

const places = 1024 // a power of two, as sequence numbers wrap

// line puts a track's packets in order. They come out numbered without the gaps that
// padding leaves, so that whoever takes pictures apart sees only real losses.
type line struct {
	wait    time.Duration
	places  [places]place
	started bool
	next    uint16 // number of the packet to come out
	highest uint16
	out     uint16    // its number then
	since   time.Time // of the gap at next; zero while there is none
}

// place is a packet that waits, and since when.
type place struct {
	*pion.Packet
	at time.Time
}

func newLine(wait time.Duration) *line { return &line{wait: wait} }

// deadline is when something is due even if no packet comes.
func (l *line) deadline(now time.Time) time.Time {
	if l.since.IsZero() {
		return now.Add(idle)
	}
	return l.since.Add(l.wait)
}

// push takes a packet as it came.
func (l *line) push(pkt *pion.Packet, now time.Time) {
	seq := pkt.SequenceNumber
	if !l.started {
		l.started, l.next, l.highest = true, seq, seq
	}
	ahead := int16(seq - l.next)
	if ahead < 0 && ahead > -places {
		return // too late, or a second time
	}
	if ahead < 0 || ahead >= places { // the sender began anew: what waits is of the past
		clear(l.places[:])
		l.next, l.highest, l.since = seq, seq, time.Time{}
		l.out++ // a loss to whoever reads
	}
	l.places[seq%places] = place{pkt, now}
	if int16(seq-l.highest) > 0 {
		l.highest = seq
	}
	if l.places[l.next%places].Packet == nil && l.since.IsZero() {
		l.since = now
	}
}

// gap is since when the gap at next is known, which is longer than it is at the front:
// each of many gaps waits on its own. Zero when there is none.
func (l *line) gap() time.Time {
	if l.places[l.next%places].Packet != nil {
		return time.Time{}
	}
	for seq := l.next; int16(l.highest-seq) >= 0; seq++ {
		if p := &l.places[seq%places]; p.Packet != nil {
			return p.at
		}
	}
	return time.Time{}
}

// pop is the next packet in order, nil when it is still to come. lost says that some
// before it are given up.
func (l *line) pop(now time.Time) (pkt *pion.Packet, lost bool) {
	for l.started {
		if pkt = l.places[l.next%places].Packet; pkt != nil {
			l.places[l.next%places] = place{}
			l.next++
			l.since = l.gap()
			if len(pkt.Payload) == 0 { // padding, to try the network
				continue
			}
			l.out++
			pkt.SequenceNumber = l.out
			return pkt, lost
		}
		if l.since.IsZero() || now.Sub(l.since) < l.wait {
			return nil, lost
		}
		for l.places[l.next%places].Packet == nil && int16(l.highest-l.next) > 0 {
			l.next++
		}
		lost = true
		l.out++
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
