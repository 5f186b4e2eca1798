package testkit

import (
	"net"
	"net/netip"
	"sync"
	"testing"
)

// Link is a network path to a server's port, UDP and TCP, that goes wrong when it is
// told to.
type Link struct {
	to  string
	udp *net.UDPConn
	tcp *net.TCPListener
	all sync.WaitGroup

	mu    sync.Mutex
	cut   chan struct{} // closed when the path is back; nil while it is there
	lose  int
	count int
	peers map[netip.AddrPort]net.Conn // to the server, by who sent to us
	conns map[net.Conn]struct{}
}

// NewLink makes a path to a server's address. It ends with the test.
func NewLink(t testing.TB, to string) *Link {
	t.Helper()
	l := &Link{to: to, peers: map[netip.AddrPort]net.Conn{}, conns: map[net.Conn]struct{}{}}
	for l.tcp == nil { // both at one port, as browsers are told of one
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		if l.tcp, err = net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: udp.LocalAddr().(*net.UDPAddr).Port}); err != nil {
			udp.Close()
			continue
		}
		l.udp = udp
	}
	l.all.Go(l.carry)
	l.all.Go(l.accept)
	t.Cleanup(func() {
		l.Mend()
		l.Break()
		l.udp.Close()
		l.tcp.Close()
		l.mu.Lock()
		for _, p := range l.peers {
			p.Close()
		}
		l.mu.Unlock()
		l.all.Wait()
	})
	return l
}

// Port is where the path begins.
func (l *Link) Port() int { return l.udp.LocalAddr().(*net.UDPAddr).Port }

// Cut lets nothing through: packets are lost, connections are silent.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut == nil {
		l.cut = make(chan struct{})
	}
}

// Mend is the end of Cut.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut != nil {
		close(l.cut)
		l.cut = nil
	}
}

// Break ends what is connected.
func (l *Link) Break() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Close()
	}
	clear(l.conns)
}

// Lose drops one packet in so many of those that come from the server by UDP.
func (l *Link) Lose(oneIn int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose = oneIn
}

func (l *Link) lost(down bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	return l.cut != nil || down && l.lose > 0 && l.count%l.lose == 0
}

// carry takes packets to the server.
func (l *Link) carry() {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := l.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if l.lost(false) {
			continue
		}
		if p := l.peer(from); p != nil {
			_, _ = p.Write(buf[:n])
		}
	}
}

// peer is the way on for who sends to us, and back.
func (l *Link) peer(from netip.AddrPort) net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.peers[from]; p != nil {
		return p
	}
	p, err := net.Dial("udp", l.to)
	if err != nil {
		return nil
	}
	l.peers[from] = p
	l.all.Go(func() {
		for buf := make([]byte, 1<<16); ; {
			n, err := p.Read(buf)
			if err != nil {
				return
			}
			if !l.lost(true) {
				_, _ = l.udp.WriteToUDPAddrPort(buf[:n], from)
			}
		}
	})
	return p
}

// accept joins connections to the server.
func (l *Link) accept() {
	for {
		near, err := l.tcp.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.to)
		if err != nil {
			near.Close()
			continue
		}
		l.mu.Lock()
		l.conns[near], l.conns[far] = struct{}{}, struct{}{}
		l.mu.Unlock()
		for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
			l.all.Go(func() {
				defer near.Close()
				defer far.Close()
				for buf := make([]byte, 1<<16); ; {
					n, err := way[0].Read(buf)
					if err == nil {
						l.wait()
						_, err = way[1].Write(buf[:n])
					}
					if err != nil {
						return
					}
				}
			})
		}
	}
}

// wait waits until the path is there.
func (l *Link) wait() {
	l.mu.Lock()
	cut := l.cut
	l.mu.Unlock()
	if cut != nil {
		<-cut
	}
}
