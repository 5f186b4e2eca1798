package srt

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/datarhei/gosrt/crypto"
	srtpacket "github.com/datarhei/gosrt/packet"

	"obvan/relay"
)

const (
	keepAlive   = time.Second            // we send something that often (4.3.3)
	slackRTT    = 100 * time.Millisecond // assumed before the first measurement (4.10)
	maxNAKs     = 4096                   // spans stored at once
	writeWithin = 2 * time.Second

	// unreachableLimit is how long this machine may have no route to the receiver before that
	// is an error: a cable is plugged in again, a router reconverges. TCP sessions survive
	// that too.
	unreachableLimit = 3 * time.Second

	// keepAliveLimit is how long a receiver that sends keep-alives, as most do every second,
	// may send none. Nothing else is received from it while the program is silent.
	keepAliveLimit = 3 * time.Second
)

var errClosed = fmt.Errorf("the server ended the session: %w", io.EOF)

// conn is a connection to a listener. The sender's goroutine owns it; another one reads
// and leaves what it read in the inbox.
type conn struct {
	udp     *net.UDPConn
	crypt   crypto.Crypto // nil without a passphrase
	link    *relay.Link
	inbox   inbox
	message uint32

	negotiated
	unacknowledged
	timestamps
	gauges
}

// negotiated is what the two ends agreed on in the handshake.
type negotiated struct {
	began     time.Time     // start of the connection's clock
	peer, own uint32        // socket ids
	isn       uint32        // sequence number of packet 0
	latency   time.Duration // how long the receiver holds packets back
	payload   int           // bytes per packet
	window    int           // packets the receiver takes at most; each acknowledgement updates it
}

// unacknowledged is what may have to be sent again.
type unacknowledged struct {
	inFlight      []sentPacket // oldest first
	oldest        uint64       // the number of the first one in flight
	lost          int          // packets in flight to be repeated
	lostBytes     int          // their bytes
	bytesInFlight int          // bytes on their way
	spare         [][]byte     // free buffers
}

// timestamps is when things happened last.
type timestamps struct {
	lastSent     time.Time // we sent anything
	lastNew      time.Time // we sent anything for the first time
	deadlineSet  time.Time // the write deadline was set
	failingSince time.Time // since when nothing can be sent; zero while all is well
	unackedSince time.Time // since when an acknowledgement is due; zero when none is
}

// gauges is what measure reads from another goroutine.
type gauges struct {
	unsent      atomic.Int64  // bytes in flight
	acked       atomic.Uint64 // bytes
	rtt         atomic.Int64  // a time.Duration
	sendLatency atomic.Int64  // how far the newest unit sent is behind the program
}

func newConn(k *caller, answer handshake, link *relay.Link) *conn {
	now := time.Now()
	c := &conn{udp: k.udp, crypt: k.crypt, link: link, timestamps: timestamps{lastSent: now}, negotiated: negotiated{
		began: k.began, peer: answer.socket, own: k.hs.socket, isn: k.hs.isn,
		latency: max(k.to.latency, time.Duration(answer.latency)*time.Millisecond), payload: maxPayload, window: ourWindow,
	}}
	if room := (int(answer.mtu) - 28 - headerSize) / 188 * 188; answer.mtu < ourMTU && room >= 188 {
		c.payload = min(c.payload, room)
	}
	if answer.window >= 32 && answer.window < ourWindow {
		c.window = int(answer.window)
	}
	c.inbox.wake = make(chan struct{}, 1)
	c.rtt.Store(int64(slackRTT))
	_ = c.udp.SetDeadline(time.Time{})
	return c
}

// inbox is what the receiver sent and the sender has not processed.
type inbox struct {
	mu              sync.Mutex
	ack             uint32
	acked           time.Time // when that arrived
	free            int
	naks            []span
	wake            chan struct{}
	lastReceived    time.Time // when it last sent anything
	sendsKeepAlives bool      // it sends keep-alives when there is nothing else to send
}

func (in *inbox) note(do func(*inbox)) {
	in.mu.Lock()
	in.lastReceived = time.Now()
	do(in)
	in.mu.Unlock()
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// listen reads until the connection ends.
func (c *conn) listen() error {
	var buf [maxPacket]byte
	for {
		n, err := c.udp.Read(buf[:])
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		p, ok := readPacket(buf[:n])
		if !ok || !p.control || p.to != c.own {
			continue
		}
		switch p.kind {
		case ctrlACK:
			c.takeACK(p)
		case ctrlNAK:
			c.inbox.note(func(in *inbox) {
				if len(in.naks) < maxNAKs {
					in.naks = readNAK(in.naks, p.body)
				}
			})
		case ctrlKeepAlive:
			c.inbox.note(func(in *inbox) { in.sendsKeepAlives = true })
		case ctrlShutdown:
			return errClosed
		}
	}
}

func (c *conn) takeACK(p packet) {
	a, ok := readACK(p.body)
	if !ok {
		return
	}
	if a.full { // the receiver measures the round trip by our answer (3.2.5)
		b := append(control(make([]byte, 0, headerSize+4), ctrlACKACK, p.specific, c.now(time.Now()), c.peer), 0, 0, 0, 0)
		_, _ = c.udp.Write(b) // when the connection is broken the next read reports it
		if a.rtt > 0 && a.rtt < 60e6 {
			c.rtt.Store(int64(time.Duration(a.rtt) * time.Microsecond))
		}
	}
	c.inbox.note(func(in *inbox) {
		// Sequence numbers wrap; the later of two is less than half a circle ahead.
		if in.acked.IsZero() || a.seq != in.ack && (a.seq-in.ack)&seqMask < 1<<30 {
			in.ack, in.acked = a.seq, time.Now()
		}
		if a.full {
			in.free = int(a.free)
		}
	})
}

// silentFor is how long an acknowledgement from the receiver, or a keep-alive, has been
// due.
func (c *conn) silentFor(now time.Time) time.Duration {
	if !c.unackedSince.IsZero() {
		return now.Sub(c.unackedSince)
	}
	c.inbox.mu.Lock()
	defer c.inbox.mu.Unlock()
	if long := now.Sub(c.inbox.lastReceived); c.inbox.sendsKeepAlives && long > keepAliveLimit {
		return long
	}
	return 0
}

// send sends a payload.
func (c *conn) send(payload []byte, now time.Time) error {
	var buf []byte
	if n := len(c.spare); n > 0 {
		buf, c.spare = c.spare[n-1], c.spare[:n-1]
	} else {
		buf = make([]byte, 0, headerSize+c.payload)
	}
	if c.message = c.message%maxMessage + 1; c.unackedSince.IsZero() {
		c.unackedSince = now
	}
	seq, flags := c.isn+uint32(c.oldest)+uint32(len(c.inFlight)), uint32(flagSolo)|c.message
	if c.crypt != nil {
		flags |= flagEven
	}
	buf = append(data(buf, seq, flags, c.now(now), c.peer), payload...)
	if c.crypt != nil {
		if err := c.crypt.EncryptOrDecryptPayload(buf[headerSize:], srtpacket.EvenKeyEncrypted, seq&seqMask); err != nil {
			return fmt.Errorf("encrypt: %w", err)
		}
	}
	c.lastNew = now
	c.inFlight = append(c.inFlight, sentPacket{buf: buf, firstSent: now, lastSent: now})
	c.unsent.Add(int64(len(buf)))
	c.bytesInFlight += len(buf)
	return c.write(buf, now)
}

func (c *conn) write(b []byte, now time.Time) error {
	if now.Sub(c.deadlineSet) > writeWithin/2 { // a timer for each packet costs too much
		c.deadlineSet = now
		_ = c.udp.SetWriteDeadline(now.Add(writeWithin))
	}
	n, err := c.udp.Write(b)
	c.link.Sent.Add(uint64(n))
	if err == nil {
		c.lastSent, c.failingSince = now, time.Time{}
		return nil
	}
	if c.failingSince.IsZero() {
		c.failingSince = now
	}
	if errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNREFUSED) || now.Sub(c.failingSince) > unreachableLimit {
		return fmt.Errorf("send: %w", err)
	}
	return nil // a lost packet
}

// sendKeepAlive tells the receiver that we are here when nothing else did.
func (c *conn) sendKeepAlive(now time.Time) error {
	if now.Sub(c.lastSent) < keepAlive {
		return nil
	}
	return c.write(append(control(nil, ctrlKeepAlive, 0, c.now(now), c.peer), 0, 0, 0, 0), now)
}

// shutdown ends the connection. The message may get lost; two seldom do.
func (c *conn) shutdown() {
	b := append(control(nil, ctrlShutdown, 0, c.now(time.Now()), c.peer), 0, 0, 0, 0)
	_ = c.udp.SetWriteDeadline(time.Now().Add(writeWithin))
	for range 2 {
		_, _ = c.udp.Write(b)
	}
}

// now is the connection's clock: microseconds that wrap after 71 minutes.
func (c *conn) now(t time.Time) uint32 { return uint32(t.Sub(c.began).Microseconds()) }

// Close frees the port.
func (c *conn) Close() { _ = c.udp.Close() }

// measure brings the link's counters up to date, from the supervisor's goroutine.
func (c *conn) measure() {
	c.link.Unsent.Store(c.unsent.Load())
	c.link.Acked.Store(c.acked.Load())
	c.link.RTT.Store(c.rtt.Load())
	c.link.Latency.Store(c.sendLatency.Load())
}
