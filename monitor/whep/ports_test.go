package whep

import (
	"net"
	"testing"
	"time"
)

// tcpRig is the TCP port without pion behind it.
type tcpRig struct {
	t    *testing.T
	port *tcpPort
}

func newTCPRig(t *testing.T) *tcpRig {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	p := &tcpPort{TCPListener: l, open: map[*tcpConn]struct{}{}}
	t.Cleanup(func() { _ = p.Close() })
	return &tcpRig{t, p}
}

// connect returns both ends of a connection from an address of this machine.
func (d *tcpRig) connect(from string) (peer net.Conn, ours *tcpConn) {
	d.t.Helper()
	dial := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	peer, err := dial.Dial("tcp", d.port.Addr().String())
	if err != nil {
		d.t.Skip(err) // not every system has all of 127.0.0.0/8
	}
	d.t.Cleanup(func() { peer.Close() })
	conn, err := d.port.Accept()
	if err != nil {
		d.t.Fatal(err)
	}
	return peer, conn.(*tcpConn)
}

func isOpen(c *tcpConn) bool {
	select {
	case <-c.closed:
		return false
	default:
		return true
	}
}

func TestAHostWithTooManyIdleConnectionsLosesItsOldest(t *testing.T) {
	d := newTCPRig(t)
	_, other := d.connect("127.0.0.3")
	_, viewer := d.connect("127.0.0.2")
	if _, err := viewer.Write([]byte("an ICE response to a valid check")); err != nil {
		t.Fatal(err)
	}
	var idle []*tcpConn
	for range maxTCPIdle + 2 {
		_, c := d.connect("127.0.0.2")
		idle = append(idle, c)
	}
	for i, c := range idle {
		if isOpen(c) != (i >= 2) {
			t.Errorf("connection %d of %d is open: %v", i, len(idle), isOpen(c))
		}
	}
	if !isOpen(other) || !isOpen(viewer) {
		t.Errorf("open: another host's %v, the viewer's %v", isOpen(other), isOpen(viewer))
	}
	if n := len(d.port.open); n != maxTCPIdle+2 {
		t.Errorf("%d connections are counted as open", n)
	}
}

func TestAFullTCPPortReplacesItsOldestIdleConnection(t *testing.T) {
	d := newTCPRig(t)
	_, first := d.connect("127.0.0.2")
	viewers := map[*tcpConn]struct{}{first: {}}
	for len(viewers) < maxTCP { // without sockets: not every system allows that many open files
		c := &tcpConn{host: "127.0.0.4", since: time.Now(), port: d.port, closed: make(chan struct{})}
		c.inSession.Store(true)
		viewers[c] = struct{}{}
	}
	d.port.open = viewers
	if _, c := d.connect("127.0.0.3"); isOpen(first) || !isOpen(c) {
		t.Errorf("open: the oldest %v, the newest %v", isOpen(first), isOpen(c))
	}
	for c := range d.port.open {
		c.inSession.Store(true)
	}
	d.port.mu.Lock()
	room := d.port.makeRoom("127.0.0.3")
	d.port.mu.Unlock()
	if room {
		t.Error("a port full of sessions accepts another connection")
	}
	for c := range d.port.open {
		if c.TCPConn == nil {
			delete(d.port.open, c)
		}
	}
}
