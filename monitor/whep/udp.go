package whep

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

// udpPort is the UDP port as pion's mux uses it. A frame is some twenty packets to
// one address, and a system call each is most of what a viewer costs; so a viewer's
// packets are gathered for one frame and handed to the kernel as one.
type udpPort struct {
	*net.UDPConn
	bursts     sync.Map    // of *burst by netip.AddrPort
	noSegments atomic.Bool // the kernel, or the network card, does not take several as one
}

// ReadFromAddrPort reads on after errors that concern one peer only: the mux would
// stop for all of them. Windows reports unreachable peers here.
func (p *udpPort) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := p.ReadFromUDPAddrPort(b)
		if err == nil || errors.Is(err, net.ErrClosed) {
			return n, from, err
		}
	}
}

// WriteToAddrPort writes a packet, or gathers it.
func (p *udpPort) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if media := len(b) > 0 && b[0]>>6 == 2; media { // RFC 7983: RTP and RTCP; STUN and DTLS don't wait
		if open, ok := p.bursts.Load(unmapped(to)); ok && open.(*burst).add(b) {
			return len(b), nil
		}
	}
	return p.WriteToUDPAddrPort(b, to)
}

// unmapped is an address as it is looked up: a socket for both IPs has IPv4 inside IPv6.
func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// The kernel sends up to 64 packets as one datagram, which has to be a legal one.
const (
	maxSegments = 64
	maxBurst    = 65507
)

// burst gathers the packets to one address while it is open.
type burst struct {
	port *udpPort
	to   netip.AddrPort

	mu   sync.Mutex // keep-alives and reports come from elsewhere
	open bool
	size int // of all packets but the last, which may be shorter
	n    int
	buf  []byte
}

// gather makes a burst for to, or nil when another viewer has that address.
func (p *udpPort) gather(to netip.AddrPort) *burst {
	b := &burst{port: p, to: unmapped(to)}
	if _, taken := p.bursts.LoadOrStore(b.to, b); taken {
		return nil
	}
	return b
}

// close ends gathering for good.
func (b *burst) close() {
	if b != nil {
		b.end()
		b.port.bursts.CompareAndDelete(b.to, b)
	}
}

// begin gathers from now on, until end.
func (b *burst) begin() {
	if b != nil {
		b.mu.Lock()
		b.open = true
		b.mu.Unlock()
	}
}

// end sends what was gathered.
func (b *burst) end() {
	if b != nil {
		b.mu.Lock()
		b.flush()
		b.open = false
		b.mu.Unlock()
	}
}

// add takes a packet while the burst is open. The kernel cuts a burst into pieces
// of one size, of which only the last may be shorter: so a longer packet begins a
// new one, and a shorter packet ends it.
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

// flush sends what was gathered, as one where that works. An error is as good as
// loss to a UDP sender. The lock is kept for it: packets stay in order, and
// only this viewer's parts wait.
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
