package whep

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"obvan/internal/testkit"
)

func newPort(t testing.TB) (*udpPort, *net.UDPConn, netip.AddrPort) {
	return newPortAt(t, "127.0.0.1:0")
}

func newPortAt(t testing.TB, addr string) (*udpPort, *net.UDPConn, netip.AddrPort) {
	t.Helper()
	loopback := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	at, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	from, err := net.ListenUDP("udp", at)
	if err != nil {
		t.Fatal(err)
	}
	to, err := net.ListenUDP("udp4", loopback)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { from.Close(); to.Close() })
	_ = to.SetReadBuffer(4 << 20)
	return &udpPort{UDPConn: from}, to, to.LocalAddr().(*net.UDPAddr).AddrPort()
}

func rtpPacket(size, number int) []byte {
	p := bytes.Repeat([]byte{byte(number)}, size)
	p[0] = 0x80
	return p
}

// arrived reads n packets; the test fails if there are fewer.
func arrived(t *testing.T, conn *net.UDPConn, n int) (packets [][]byte) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(testkit.Allow(5 * time.Second)))
	buf := make([]byte, 2000)
	for range n {
		size, err := conn.Read(buf)
		if err != nil {
			t.Fatalf("after %d of %d packets: %v", len(packets), n, err)
		}
		packets = append(packets, bytes.Clone(buf[:size]))
	}
	return packets
}

func TestBatchedPacketsArriveSeparatelyAndInOrder(t *testing.T) {
	for _, single := range []bool{false, true} {
		t.Run(fmt.Sprintf("single=%v", single), func(t *testing.T) {
			port, conn, to := newPort(t)
			port.noSegments.Store(single)
			b := port.newBurst(to)
			defer b.close()
			var sent [][]byte
			for n, size := range []int{50, 1200, 1200, 1200, 300, 1200, 300, 400, 400, 12, 1200, 1201} {
				sent = append(sent, rtpPacket(size, n))
			}
			for n := range 150 { // more than the kernel accepts in one call
				sent = append(sent, rtpPacket(1100, n))
			}
			b.begin()
			for _, p := range sent {
				if n, err := port.WriteToAddrPort(p, to); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
			}
			b.end()
			for n, p := range arrived(t, conn, len(sent)) {
				if !bytes.Equal(p, sent[n]) {
					t.Fatalf("packet %d has %d bytes, want %d", n, len(p), len(sent[n]))
				}
			}
			if !single && port.noSegments.Load() {
				t.Log("this kernel sends packets one by one")
			}
		})
	}
}

func TestADualStackPortBatchesToo(t *testing.T) {
	port, conn, to := newPortAt(t, ":0")
	b := port.newBurst(to)
	defer b.close()
	b.begin()
	for n := range 3 {
		if _, err := port.WriteToAddrPort(rtpPacket(1000, n), netip.AddrPortFrom(netip.AddrFrom16(to.Addr().As16()), to.Port())); err != nil {
			t.Fatal(err)
		}
	}
	if b.n != 3 {
		t.Errorf("%d packets are batched", b.n)
	}
	b.end()
	arrived(t, conn, 3)
}

func TestPacketsOtherThanMediaAreSentImmediately(t *testing.T) {
	port, conn, to := newPort(t)
	b := port.newBurst(to)
	defer b.close()
	b.begin()
	_, _ = port.WriteToAddrPort(rtpPacket(100, 1), to)
	stun := []byte{0, 1, 0, 0}
	_, _ = port.WriteToAddrPort(stun, to)
	if got := arrived(t, conn, 1); !bytes.Equal(got[0], stun) {
		t.Fatalf("%x came first", got[0])
	}
	b.end()
	arrived(t, conn, 1)
	_, _ = port.WriteToAddrPort(rtpPacket(100, 2), to) // the burst is not open
	arrived(t, conn, 1)
}

func TestAnAddressIsBatchedForOneViewerOnly(t *testing.T) {
	port, conn, to := newPort(t)
	first := port.newBurst(to)
	if port.newBurst(to) != nil {
		t.Fatal("two viewers batch packets to one address")
	}
	first.begin()
	_, _ = port.WriteToAddrPort(rtpPacket(100, 1), to)
	first.close() // sends what was batched
	arrived(t, conn, 1)
	second := port.newBurst(to)
	if second == nil {
		t.Fatal("the address is not freed")
	}
	second.close()
	var none *burst // a viewer over TCP has none
	none.begin()
	none.end()
	none.close()
}

func TestConcurrentWritersLoseNoPackets(t *testing.T) {
	port, conn, to := newPort(t)
	b := port.newBurst(to)
	defer b.close()
	var all sync.WaitGroup
	const each = 100
	all.Go(func() {
		for n := range each {
			b.begin()
			_, _ = port.WriteToAddrPort(rtpPacket(500, n), to)
			b.end()
		}
	})
	all.Go(func() {
		for n := range each {
			_, _ = port.WriteToAddrPort(rtpPacket(60+n, n), to)
		}
	})
	arrived(t, conn, 2*each)
	all.Wait()
}
