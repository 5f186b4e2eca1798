package whip

import (
	"slices"
	"testing"
	"time"

	pion "github.com/pion/rtp"
)

// bufferTest feeds a jitter buffer and records what it returns.
type bufferTest struct {
	buffer *jitterBuffer
	now    time.Time
	out    []byte // first bytes of the payloads
	seqs   []uint16
	lost   int
}

func newBufferTest() *bufferTest {
	return &bufferTest{buffer: newJitterBuffer(videoWait), now: time.Unix(1000, 0)}
}

func (d *bufferTest) receive(seq uint16, payload ...byte) {
	d.buffer.push(&pion.Packet{Header: pion.Header{SequenceNumber: seq}, Payload: payload}, d.now)
	d.drain()
}

func (d *bufferTest) wait(span time.Duration) {
	d.now = d.now.Add(span)
	d.drain()
}

func (d *bufferTest) drain() {
	for {
		pkt, lost := d.buffer.pop(d.now)
		if lost {
			d.lost++
		}
		if pkt == nil {
			return
		}
		d.out, d.seqs = append(d.out, pkt.Payload[0]), append(d.seqs, pkt.SequenceNumber)
	}
}

func TestPacketsAreReturnedInOrder(t *testing.T) {
	d := newBufferTest()
	for _, seq := range []uint16{65533, 65535, 65534, 65534, 1, 0, 2} {
		d.receive(seq, byte(seq))
	}
	if !slices.Equal(d.out, []byte{253, 254, 255, 0, 1, 2}) || d.lost != 0 {
		t.Errorf("%v, %d losses", d.out, d.lost)
	}
	for i := 1; i < len(d.seqs); i++ {
		if d.seqs[i] != d.seqs[i-1]+1 {
			t.Errorf("numbered %v", d.seqs)
		}
	}
}

func TestMissingPacketsAreWaitedForUpToALimit(t *testing.T) {
	d := newBufferTest()
	d.receive(10, 10)
	d.receive(12, 12)
	d.wait(videoWait - time.Millisecond)
	if len(d.out) != 1 || !d.buffer.deadline(d.now).After(d.now) {
		t.Fatalf("%v came out early", d.out)
	}
	d.receive(11, 11) // retransmitted
	if !slices.Equal(d.out, []byte{10, 11, 12}) || d.lost != 0 {
		t.Fatalf("%v, %d losses", d.out, d.lost)
	}
	d.receive(15, 15)
	d.wait(videoWait)
	d.receive(14, 14) // too late
	if !slices.Equal(d.out, []byte{10, 11, 12, 15}) || d.lost != 1 {
		t.Fatalf("%v, %d losses", d.out, d.lost)
	}
	if d.seqs[3] == d.seqs[2]+1 {
		t.Error("the loss can't be seen in the sequence numbers")
	}
}

func TestSeveralGapsAreWaitedForAtTheSameTime(t *testing.T) {
	d := newBufferTest()
	for seq := range uint16(1000) { // two seconds of a sender that retransmits nothing
		if seq%50 != 25 {
			d.receive(seq, byte(seq))
		}
		d.wait(2 * time.Millisecond)
	}
	d.wait(videoWait)
	if d.lost != 20 || len(d.out) != 980 {
		t.Fatalf("%d of 980 packets, %d losses: the others wait longer than %v", len(d.out), d.lost, videoWait)
	}
}

func TestPaddingIsNotALoss(t *testing.T) {
	d := newBufferTest()
	d.receive(1, 1)
	d.receive(2)
	d.receive(3)
	d.receive(4, 4)
	if !slices.Equal(d.out, []byte{1, 4}) || d.lost != 0 || d.seqs[1] != d.seqs[0]+1 {
		t.Errorf("%v %v", d.out, d.seqs)
	}
}

func TestASenderThatRestartsIsFollowed(t *testing.T) {
	d := newBufferTest()
	d.receive(1, 1)
	d.receive(2, 2)
	d.receive(30000, 3)
	d.receive(30001, 4)
	if !slices.Equal(d.out, []byte{1, 2, 3, 4}) || d.seqs[2] == d.seqs[1]+1 {
		t.Errorf("%v %v", d.out, d.seqs)
	}
}

func FuzzJitterBuffer(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200, 5, 0, 255})
	f.Fuzz(func(t *testing.T, moves []byte) {
		d := newBufferTest()
		seq := uint16(0)
		for _, m := range moves {
			switch {
			case m < 128:
				seq += uint16(m) - 8
				d.receive(seq, m)
			case m < 200:
				d.receive(seq + uint16(m)*300)
			default:
				d.wait(time.Duration(m) * time.Millisecond)
			}
		}
		for i := 1; i < len(d.seqs); i++ {
			if int16(d.seqs[i]-d.seqs[i-1]) <= 0 {
				t.Fatalf("numbered %v", d.seqs)
			}
		}
	})
}
