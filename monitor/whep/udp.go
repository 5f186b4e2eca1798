package whep

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// udpPort is the UDP socket that pion's mux uses. A frame is about twenty packets to one
// address, and a system call for each would be most of a viewer's cost; so the packets of a
// frame are batched and passed to the kernel in one call.
type udpPort struct {
	*net.UDPConn
	bursts     sync.Map    // of *burst by netip.AddrPort
	noSegments atomic.Bool // the kernel or the network card doesn't support sendSegments
}

// ReadFromAddrPort continues after errors that concern one peer only: the mux would stop for
// all of them. Windows reports unreachable peers here.
func (p *udpPort) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := p.ReadFromUDPAddrPort(b)
		if err == nil || errors.Is(err, net.ErrClosed) {
			return n, from, err
		}
	}
}

// WriteToAddrPort sends a packet, or adds it to an open burst.
func (p *udpPort) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if media := len(b) > 0 && b[0]>>6 == 2; media { // RFC 7983: RTP and RTCP; STUN and DTLS don't wait
		if open, ok := p.bursts.Load(unmapped(to)); ok && open.(*burst).add(b) {
			return len(b), nil
		}
	}
	return p.WriteToUDPAddrPort(b, to)
}

// unmapped is an address as a key of bursts: a dual-stack socket has IPv4 mapped into IPv6.
func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// The kernel accepts up to 64 packets in one call, together no larger than one datagram.
const (
	maxSegments = 64
	maxBurst    = 65507
)

// burst batches the packets to one address while it is open.
type burst struct {
	port *udpPort
	to   netip.AddrPort

	mu   sync.Mutex // keep-alives and reports are sent by other goroutines
	open bool
	size int // of all packets but the last, which may be shorter
	n    int
	buf  []byte
}

// newBurst makes a burst for to, or nil when another viewer has that address.
func (p *udpPort) newBurst(to netip.AddrPort) *burst {
	b := &burst{port: p, to: unmapped(to)}
	if _, taken := p.bursts.LoadOrStore(b.to, b); taken {
		return nil
	}
	return b
}

// close sends what was batched and frees the address.
func (b *burst) close() {
	if b != nil {
		b.end()
		b.port.bursts.CompareAndDelete(b.to, b)
	}
}

// begin starts batching.
func (b *burst) begin() {
	if b != nil {
		b.mu.Lock()
		b.open = true
		b.mu.Unlock()
	}
}

// end sends what was batched, and stops batching.
func (b *burst) end() {
	if b != nil {
		b.mu.Lock()
		b.flush()
		b.open = false
		b.mu.Unlock()
	}
}

// add adds a packet if the burst is open. The kernel splits a burst into packets of one size, of
// which only the last may be shorter: so a longer packet starts a new burst, and a shorter one
// ends it.
func (b *burst) add(packet []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return false
	}
	if b.n > 0 && (len(packet) > b.size || len(b.buf)+len(packet) > maxBurst) {
		b.flush()
	}
	if b.n == 0 {
		b.size = len(packet)
	}
	b.buf = append(b.buf, packet...)
	b.n++
	if len(packet) < b.size || b.n == maxSegments {
		b.flush()
	}
	return true
}

// flush sends what was batched, in one call where that is supported. To a UDP sender an error
// is the same as packet loss. The caller keeps b.mu locked, so that packets stay in order; only
// this viewer's goroutines wait for it.
func (b *burst) flush() {
	if b.n > 1 && !b.port.noSegments.Load() {
		if err := b.port.sendSegments(b.buf, b.size, b.to); err == nil || !segmentsUnsupported(err) {
			b.n, b.buf = 0, b.buf[:0]
			return
		}
		b.port.noSegments.Store(true)
	}
	for rest := b.buf; len(rest) > 0; {
		n := min(b.size, len(rest))
		_, _ = b.port.WriteToUDPAddrPort(rest[:n], b.to)
		rest = rest[n:]
	}
	b.n, b.buf = 0, b.buf[:0]
}
