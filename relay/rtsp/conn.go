package rtsp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"obvan/internal/sock"
	"obvan/relay"
)

const (
	dialTimeout = 8 * time.Second

	// unsentLimit is how many unsent bytes the kernel may hold: 170 ms at 6 Mbit/s. More
	// would hide a backlog from us.
	unsentLimit = 128 << 10

	linger = 400 * time.Millisecond // for the server to read the TEARDOWN
)

// serverConn is the connection: it counts the bytes that leave, and gives up a server that
// takes nothing. As long as it takes something, however little, a write continues.
type serverConn struct {
	*net.TCPConn
	link  *relay.Link
	stall time.Duration

	writing atomic.Bool

	mu       sync.Mutex
	deadline time.Time // final, once set: everything ends by then
}

// dial connects, with TLS where the target requires it.
func (l *serverConn) dial(ctx context.Context, to target, config *tls.Config) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp", to.addr)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.TCPConn = conn.(*net.TCPConn)
	l.mu.Unlock()
	sock.LimitUnsent(l.TCPConn, unsentLimit)
	if !to.secure {
		return l, nil
	}
	return relay.ClientTLS(ctx, l, to.host, config)
}

// Write is one write of all of p.
func (l *serverConn) Write(p []byte) (n int, err error) {
	l.writing.Store(true)
	defer l.writing.Store(false)
	for {
		if err := l.extendDeadline(); err != nil {
			return n, err
		}
		m, err := l.TCPConn.Write(p[n:])
		n += m
		l.link.Sent.Add(uint64(m))
		switch {
		case err == nil:
			return n, nil
		case !errors.Is(err, os.ErrDeadlineExceeded) || l.ending():
			return n, fmt.Errorf("send: %w", err)
		case m == 0:
			return n, fmt.Errorf("%w for %v", relay.ErrStalled, l.stall)
		}
	}
}

func (l *serverConn) extendDeadline() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.deadline.IsZero() {
		return nil
	}
	return l.TCPConn.SetWriteDeadline(time.Now().Add(l.stall))
}

// finishBy sets the final deadline: reads and writes fail after it.
func (l *serverConn) finishBy(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.TCPConn != nil && (l.deadline.IsZero() || at.Before(l.deadline)) {
		l.deadline = at
		_ = l.TCPConn.SetDeadline(at)
	}
}

func (l *serverConn) ending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.deadline.IsZero()
}

// SetDeadline and the other two do nothing: gortsplib would override what Write sets.
func (l *serverConn) SetDeadline(time.Time) error      { return nil }
func (l *serverConn) SetReadDeadline(time.Time) error  { return nil }
func (l *serverConn) SetWriteDeadline(time.Time) error { return nil }

// sharedConn is the connection as gortsplib and the sender share it: messages are written
// whole.
type sharedConn struct {
	net.Conn
	conn *serverConn

	mu           sync.Mutex
	remoteClosed chan struct{} // closed when the server closed its end
	once         sync.Once
}

func (v *sharedConn) Write(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.Conn.Write(p)
}

func (v *sharedConn) Read(p []byte) (int, error) {
	n, err := v.Conn.Read(p)
	if err != nil {
		v.once.Do(func() { close(v.remoteClosed) })
	}
	return n, err
}

// Close gives the server a moment to read everything: closing at once could discard what
// it has not read yet.
func (v *sharedConn) Close() error {
	v.conn.finishBy(time.Now().Add(linger))
	if s, ok := v.Conn.(*tls.Conn); ok {
		_ = s.CloseWrite()
	}
	_ = v.conn.CloseWrite()
	select {
	case <-v.remoteClosed:
	case <-time.After(linger):
	}
	return v.conn.Close()
}
