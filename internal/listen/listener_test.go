package listen_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"obvan/internal/listen"
	"obvan/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func open(t *testing.T, limit int, timeout time.Duration) *listen.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return &listen.Listener{Listener: ln, Max: limit, AdmitTimeout: timeout}
}

// connect is both ends of a new connection.
func connect(t *testing.T, l *listen.Listener) (peer net.Conn, c *listen.Conn) {
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
	return peer, listen.ConnOf(conn)
}

func closed(t *testing.T, c net.Conn) bool {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(testkit.Allow(3 * time.Second)))
	_, err := c.Read(make([]byte, 1))
	ne, timeout := err.(net.Error)
	return err != nil && (!timeout || !ne.Timeout())
}

func TestASilentClientIsTimedOut(t *testing.T) {
	_, c := connect(t, open(t, 2, 30*time.Millisecond))
	_ = c.SetReadDeadline(time.Time{}) // what a protocol library does
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatal("read something")
	}
}

func TestAnAdmittedClientHasNoTimeout(t *testing.T) {
	const timeout = 500 * time.Millisecond
	peer, c := connect(t, open(t, 2, timeout))
	got := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(c, make([]byte, 1))
		got <- err
	}()
	c.Admit()
	<-time.After(timeout + 100*time.Millisecond)
	if _, err := peer.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	c.Unadmit()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Fatal("read something")
	}
}

func TestTheOldestWaitingClientMakesRoom(t *testing.T) {
	l := open(t, 2, time.Minute)
	first, _ := connect(t, l)
	second, c := connect(t, l)
	c.Admit()
	connect(t, l)
	if !closed(t, first) {
		t.Fatal("the oldest is still there")
	}
	_ = second.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := second.Read(make([]byte, 1)); err == io.EOF {
		t.Fatal("the admitted one was closed")
	}
}

func TestANewClientIsClosedWhenAllAreAdmitted(t *testing.T) {
	l := open(t, 1, time.Minute)
	_, c := connect(t, l)
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
		t.Fatal("it was accepted")
	}
	c.Close()
	peer, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	(<-accepted).Close()
}

// exhaustedListener fails a few times, as when the process has no file descriptors left.
type exhaustedListener struct {
	net.Listener
	fails int
}

func (s *exhaustedListener) Accept() (net.Conn, error) {
	if s.fails--; s.fails >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
	return s.Listener.Accept()
}

func TestAListenerSurvivesRunningOutOfFileDescriptors(t *testing.T) {
	l := open(t, 1, time.Minute)
	l.Listener = &exhaustedListener{Listener: l.Listener, fails: 3}
	connect(t, l)
	l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("closed: %v", err)
	}
}

func TestTheConnectionIsFoundUnderTLS(t *testing.T) {
	_, c := connect(t, open(t, 1, time.Minute))
	if listen.ConnOf(tls.Server(c, &tls.Config{})) != c || listen.ConnOf(c.Conn) != nil {
		t.Fatal("not found")
	}
}

func TestUDPPortsComeInPairs(t *testing.T) {
	rtp, rtcp, err := listen.UDPPair("127.0.0.1", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer rtp.Close()
	defer rtcp.Close()
	port := rtp.LocalAddr().(*net.UDPAddr).Port
	if port%2 != 0 || rtcp.LocalAddr().(*net.UDPAddr).Port != port+1 {
		t.Fatalf("%v and %v", rtp.LocalAddr(), rtcp.LocalAddr())
	}
	rtp2, rtcp2, err := listen.UDPPair("127.0.0.1", port-1) // taken from there on: the next pair
	if err != nil {
		t.Fatal(err)
	}
	defer rtp2.Close()
	defer rtcp2.Close()
	if next := rtp2.LocalAddr().(*net.UDPAddr).Port; next%2 != 0 || next <= port {
		t.Fatalf("%v", rtp2.LocalAddr())
	}
}

func TestAKeyframeThatArrivesInOneBurstIsNotLost(t *testing.T) {
	conn, err := listen.ListenUDP("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	dialFrom, err := net.Dial("udp4", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer dialFrom.Close()
	const packets = 150 // more than a buffer of the usual size has room for
	for range packets {
		if _, err := dialFrom.Write(make([]byte, 1400)); err != nil {
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
