package rtmp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
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
)

// serverConn is the connection: it counts the bytes that leave, and gives up a server that
// takes nothing. As long as it takes something, however little, a write continues.
type serverConn struct {
	*net.TCPConn
	tlsConn *tls.Conn // nil for rtmp
	cork    *cork     // below tlsConn
	link    *relay.Link
	stall   time.Duration

	writing           atomic.Bool
	nonblocking       bool               // a write takes what fits and keeps the rest
	nonblockingWriter *nonblockingWriter // for that; nil where the system has none

	mu          sync.Mutex
	deadline    time.Time // final, once set: everything ends by then
	deadlineSet time.Time // when the running deadline was set
	queued      int       // what the socket held at that time
}

// dial connects, with TLS where the target requires it.
func dial(ctx context.Context, to target, config *tls.Config, link *relay.Link) (*serverConn, error) {
	d := net.Dialer{Timeout: dialTimeout, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 4}}
	conn, err := d.DialContext(ctx, "tcp", to.addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	l := &serverConn{TCPConn: conn.(*net.TCPConn), link: link, stall: DefaultStall}
	sock.LimitUnsent(l.TCPConn, unsentLimit)
	if !to.tls {
		return l, nil
	}
	l.cork = &cork{Conn: underTLS{l}}
	l.tlsConn, err = relay.ClientTLS(ctx, l.cork, to.host, config)
	return l, err
}

// reader reads what the server sends.
func (l *serverConn) reader() io.Reader {
	if l.tlsConn != nil {
		return l.tlsConn
	}
	return l.TCPConn
}

// writer writes to the server.
func (l *serverConn) writer() io.Writer {
	if l.tlsConn != nil {
		return tlsBatchWriter{l.tlsConn, l.cork}
	}
	return l
}

// endWriting tells the server that nothing more will be sent.
func (l *serverConn) endWriting() {
	if l.tlsConn != nil {
		_ = l.tlsConn.CloseWrite()
	}
	_ = l.CloseWrite()
}

// Write is one write of all of p.
func (l *serverConn) Write(p []byte) (int, error) {
	b := net.Buffers{p}
	n, err := l.WriteBuffers(&b)
	return int(n), err
}

// WriteBuffers is one vectored write, continued where the socket was full.
func (l *serverConn) WriteBuffers(b *net.Buffers) (n int64, err error) {
	if l.nonblocking {
		return l.nonblockingWriter.write(l, *b)
	}
	l.writing.Store(true)
	defer l.writing.Store(false)
	for {
		if err := l.extendDeadline(); err != nil {
			return n, err
		}
		m, err := b.WriteTo(l.TCPConn)
		n += m
		l.link.Sent.Add(uint64(m))
		switch {
		case err == nil:
			return n, nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return n, fmt.Errorf("send: %w", err)
		case l.ending():
			return n, fmt.Errorf("send: %w", err)
		case m == 0 && !l.isDraining():
			return n, fmt.Errorf("%w for %v", relay.ErrStalled, l.stall)
		}
	}
}

// extendDeadline sets the write deadline once a second: often enough for a deadline of
// ten, and without a timer's cost for each write.
func (l *serverConn) extendDeadline() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !l.deadline.IsZero() || now.Sub(l.deadlineSet) < min(time.Second, l.stall/10) {
		return nil
	}
	l.deadlineSet = now
	l.queued, _, _ = sock.Inspect(l.TCPConn)
	return l.SetWriteDeadline(now.Add(l.stall))
}

// isDraining reports whether the server took something although there was no room for
// more: a socket becomes writable only once much of what it holds has left.
func (l *serverConn) isDraining() bool {
	queued, _, ok := sock.Inspect(l.TCPConn)
	l.mu.Lock()
	defer l.mu.Unlock()
	return ok && queued < l.queued
}

// setNonblocking switches between writes that wait and writes that do not. The latter need
// no deadline, and an earlier one would fail them.
func (l *serverConn) setNonblocking(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.nonblocking = on; on && l.deadline.IsZero() {
		l.deadlineSet = time.Time{}
		_ = l.SetWriteDeadline(time.Time{})
	}
}

// finishBy sets the final deadline: reads and writes fail after it.
func (l *serverConn) finishBy(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deadline.IsZero() || at.Before(l.deadline) {
		l.deadline = at
		_ = l.SetDeadline(at)
	}
}

// interrupt fails all reads and writes under way.
func (l *serverConn) interrupt() { l.finishBy(time.Now()) }

func (l *serverConn) ending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.deadline.IsZero()
}

// expectReply sets by when the server must have replied; 0 removes the limit.
func (l *serverConn) expectReply(within time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.deadline.IsZero() {
		return
	}
	var at time.Time
	if within > 0 {
		at = time.Now().Add(within)
	}
	_ = l.SetReadDeadline(at)
}
