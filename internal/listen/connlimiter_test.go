package listen_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"obvan/internal/listen"
	"obvan/internal/testkit"
)

// startServer is a web server with a limit; it answers requests for /slow when the test ends.
func startServer(t *testing.T, most, perHost int) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	crowd, end := &listen.ConnLimiter{Max: most, PerHost: perHost}, make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_ = http.NewResponseController(w).Flush()
		<-end
	})
	server := &http.Server{Handler: mux, ConnState: crowd.Track}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(l) }()
	t.Cleanup(func() { close(end); server.Close(); <-done })
	return l.Addr().String()
}

// dialFrom is a new connection from an address of this machine.
func dialFrom(t *testing.T, host, to string) net.Conn {
	t.Helper()
	dial := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host)}, Timeout: 5 * time.Second}
	conn, err := dial.Dial("tcp", to)
	if err != nil {
		t.Skip(err) // not every system has all of 127.0.0.0/8
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ask reports whether a request on conn is answered.
func ask(conn net.Conn, path string) bool {
	_ = conn.SetDeadline(time.Now().Add(testkit.Allow(5 * time.Second)))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
	_, err := http.ReadResponse(bufio.NewReader(conn), nil)
	return err == nil
}

func TestAHostAboveItsLimitLosesItsOldestIdleConnection(t *testing.T) {
	addr := startServer(t, 8, 2)
	other, first, busy := dialFrom(t, "127.0.0.3", addr), dialFrom(t, "127.0.0.2", addr), dialFrom(t, "127.0.0.2", addr)
	if !ask(other, "/") || !ask(first, "/") || !ask(busy, "/slow") {
		t.Fatal("no answer")
	}
	for range 20 { // an answered connection becomes idle only a moment later
		testkit.Eventually(t, 5*time.Second, func() bool { return ask(dialFrom(t, "127.0.0.2", addr), "/") }, "an answer")
	}
	if !closed(t, first) {
		t.Error("the oldest is still there")
	}
	if !ask(other, "/") {
		t.Error("another host's connection was closed")
	}
	if _, err := busy.Write([]byte("GET / HTTP/1.1\r\n")); err != nil {
		t.Error("one that waits for its answer was closed")
	}
}

func TestANewConnectionIsClosedWhenNoneIsIdle(t *testing.T) {
	addr := startServer(t, 2, 2)
	for range 2 {
		if !ask(dialFrom(t, "127.0.0.2", addr), "/slow") {
			t.Fatal("no answer")
		}
	}
	if !closed(t, dialFrom(t, "127.0.0.3", addr)) {
		t.Error("it was accepted")
	}
}

func TestANewHostGetsInWhenTheLimitIsReached(t *testing.T) {
	addr := startServer(t, 4, 2)
	for i := range 40 {
		testkit.Eventually(t, 5*time.Second, func() bool { return ask(dialFrom(t, fmt.Sprintf("127.0.0.%d", 2+i), addr), "/") }, "connection %d is answered", i)
	}
}
