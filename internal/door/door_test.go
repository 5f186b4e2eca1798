package door_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"obvan/internal/door"
	"obvan/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func open(t *testing.T, limit int, patience time.Duration) *door.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return &door.Listener{Listener: ln, Max: limit, Patience: patience}
}

// knock is both ends of a new connection.
func knock(t *testing.T, l *door.Listener) (peer net.Conn, c *door.Conn) {
	t.Helper()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close(); conn.Close() })
	return peer, door.Of(conn)
}

func closed(t *testing.T, c net.Conn) bool {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(testkit.Allow(3 * time.Second)))
	_, err := c.Read(make([]byte, 1))
	ne, timeout := err.(net.Error)
	return err != nil && (!timeout || !ne.Timeout())
}

func TestASilentPeerIsOutOfPatience(t *testing.T) {
	_, c := knock(t, open(t, 2, 30*time.Millisecond))
	_ = c.SetReadDeadline(time.Time{}) // what a protocol library does
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatal("read something")
	}
}

func TestAnAdmittedPeerMayTakeItsTime(t *testing.T) {
	const patience = 500 * time.Millisecond
	peer, c := knock(t, open(t, 2, patience))
	got := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(c, make([]byte, 1))
		got <- err
	}()
	c.Admit()
	<-time.After(patience + 100*time.Millisecond)
	if _, err := peer.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	c.Expect()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatal("read something")
	}
}

func TestTheOldestThatWaitsMakesRoom(t *testing.T) {
	l := open(t, 2, time.Minute)
	first, _ := knock(t, l)
	second, c := knock(t, l)
	c.Admit()
	knock(t, l)
	if !closed(t, first) {
		t.Fatal("the oldest is still there")
	}
	_ = second.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := second.Read(make([]byte, 1)); err == io.EOF {
		t.Fatal("the admitted one is gone")
	}
}

func TestWithAllPlacesTakenForGoodANewPeerIsClosed(t *testing.T) {
	l := open(t, 1, time.Minute)
	_, c := knock(t, l)
	c.Admit()
	accepted := make(chan net.Conn, 1)
	go func() {
		if conn, err := l.Accept(); err == nil {
			accepted <- conn
		}
	}()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if !closed(t, peer) {
		t.Fatal("it was let in")
	}
	c.Close()
	peer, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	(<-accepted).Close()
}

// short is a listener of a machine that has no files left for a while.
type short struct {
	net.Listener
	fails int
}

func (s *short) Accept() (net.Conn, error) {
	if s.fails--; s.fails >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
	return s.Listener.Accept()
}

func TestADoorOutlivesAMachineWithoutFiles(t *testing.T) {
	l := open(t, 1, time.Minute)
	l.Listener = &short{Listener: l.Listener, fails: 3}
	knock(t, l)
	l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("closed: %v", err)
	}
}

func TestTheDoorIsFoundUnderTLS(t *testing.T) {
	_, c := knock(t, open(t, 1, time.Minute))
	if door.Of(tls.Server(c, &tls.Config{})) != c || door.Of(c.Conn) != nil {
		t.Fatal("not found")
	}
}

func TestUDPPortsComeInPairs(t *testing.T) {
	rtp, rtcp, err := door.UDPPair("127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer rtp.Close()
	defer rtcp.Close()
	port := rtp.LocalAddr().(*net.UDPAddr).Port
	if port%2 != 0 || rtcp.LocalAddr().(*net.UDPAddr).Port != port+1 {
		t.Fatalf("%v and %v", rtp.LocalAddr(), rtcp.LocalAddr())
	}
	rtp2, rtcp2, err := door.UDPPair("127.0.0.1", port-1) // taken from there on: the next pair
	if err != nil {
		t.Fatal(err)
	}
	defer rtp2.Close()
	defer rtcp2.Close()
	if next := rtp2.LocalAddr().(*net.UDPAddr).Port; next%2 != 0 || next <= port {
		t.Fatalf("%v", rtp2.LocalAddr())
	}
}

func TestAKeyFrameThatArrivesAtOnceIsKept(t *testing.T) {
	conn, err := door.ListenUDP("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	from, err := net.Dial("udp4", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	const packets = 150 // more than a buffer of the usual size has room for
	for range packets {
		if _, err := from.Write(make([]byte, 1400)); err != nil {
			t.Fatal(err)
		}
	}
	_ = conn.SetReadDeadline(time.Now().Add(testkit.Allow(5 * time.Second)))
	for n, b := 0, make([]byte, 1500); n < packets; n++ {
		if _, _, err := conn.ReadFrom(b); err != nil {
			t.Fatalf("%d packets of %d: %v", n, packets, err)
		}
	}
}
