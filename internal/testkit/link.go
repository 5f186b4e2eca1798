package testkit

import (
	"net"
	"net/netip"
	"sync"
	"testing"
)

// Link is a network path to a server's UDP and TCP port that a test can impair.
type Link struct {
	to  string
	udp *net.UDPConn
	tcp *net.TCPListener
	all sync.WaitGroup

	mu        sync.Mutex
	cut       chan struct{} // closed by Restore; nil while the path works
	dropOneIn int
	count     int
	peers     map[netip.AddrPort]net.Conn // connections to the server, by client address
	conns     map[net.Conn]struct{}
}

// NewLink makes a path to a server's address. It is closed when the test ends.
func NewLink(t testing.TB, to string) *Link {
	t.Helper()
	l := &Link{to: to, peers: map[netip.AddrPort]net.Conn{}, conns: map[net.Conn]struct{}{}}
	for l.tcp == nil { // both on one port, since browsers are given one
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
	l.all.Go(l.forwardUDP)
	l.all.Go(l.accept)
	t.Cleanup(func() {
		l.Restore()
		l.Disconnect()
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

// Cut lets nothing through: packets are lost, connections stall.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut == nil {
		l.cut = make(chan struct{})
	}
}

// Restore ends Cut.
func (l *Link) Restore() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut != nil {
		close(l.cut)
		l.cut = nil
	}
}

// Disconnect closes all TCP connections.
func (l *Link) Disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Close()
	}
	clear(l.conns)
}

// DropOneIn drops every n-th UDP packet from the server.
func (l *Link) DropOneIn(oneIn int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropOneIn = oneIn
}

func (l *Link) drops(down bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	return l.cut != nil || down && l.dropOneIn > 0 && l.count%l.dropOneIn == 0
}

// forwardUDP forwards packets to the server.
func (l *Link) forwardUDP() {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := l.udp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if l.drops(false) {
			continue
		}
		if p := l.peer(from); p != nil {
			_, _ = p.Write(buf[:n])
		}
	}
}

// peer is the connection to the server for one client's packets, and the replies to them.
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
			if !l.drops(true) {
				_, _ = l.udp.WriteToUDPAddrPort(buf[:n], from)
			}
		}
	})
	return p
}

// accept forwards TCP connections to the server.
func (l *Link) accept() {
	for {
		client, err := l.tcp.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", l.to)
		if err != nil {
			client.Close()
			continue
		}
		l.mu.Lock()
		l.conns[client], l.conns[server] = struct{}{}, struct{}{}
		l.mu.Unlock()
		for _, direction := range [][2]net.Conn{{client, server}, {server, client}} {
			l.all.Go(func() {
				defer client.Close()
				defer server.Close()
				for buf := make([]byte, 1<<16); ; {
					n, err := direction[0].Read(buf)
					if err == nil {
						l.wait()
						_, err = direction[1].Write(buf[:n])
					}
					if err != nil {
						return
					}
				}
			})
		}
	}
}

// wait blocks while the path is cut.
func (l *Link) wait() {
	l.mu.Lock()
	cut := l.cut
	l.mu.Unlock()
	if cut != nil {
		<-cut
	}
}
