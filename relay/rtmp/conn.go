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

	// unsentLimit is how much the kernel may hold that was not sent yet: 170 ms at
	// 6 Mbit/s. More would hide a backlog from us.
	unsentLimit = 128 << 10
)

// line is the connection: it counts what leaves, and gives a far end up that takes
// nothing. As long as it takes something, however little, a write goes on.
type line struct {
	*net.TCPConn
	secure *tls.Conn // nil for rtmp
	cork   *cork     // below secure
	link   *relay.Link
	stall  time.Duration

	writing atomic.Bool
	eager   bool    // a write takes what fits and keeps the rest
	now     *prompt // for that; nil where the system has none

	mu       sync.Mutex
	deadline time.Time // final, once set: everything ends by then
	armed    time.Time // when the running deadline was set
	queued   int       // what the socket held then
}

// dial connects, with TLS where the target asks for it.
func dial(ctx context.Context, to target, config *tls.Config, link *relay.Link) (*line, error) {
	d := net.Dialer{Timeout: dialTimeout, KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 4}}
	conn, err := d.DialContext(ctx, "tcp", to.addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	l := &line{TCPConn: conn.(*net.TCPConn), link: link, stall: DefaultStall}
	sock.LimitUnsent(l.TCPConn, unsentLimit)
	if !to.tls {
		return l, nil
	}
	l.cork = &cork{Conn: plain{l}}
	l.secure, err = relay.ClientTLS(ctx, l.cork, to.host, config)
	return l, err
}

// reader is where the far end's bytes come from.
func (l *line) reader() io.Reader {
	if l.secure != nil {
		return l.secure
	}
	return l.TCPConn
}

// writer is where ours go.
func (l *line) writer() io.Writer {
	if l.secure != nil {
		return sealed{l.secure, l.cork}
	}
	return l
}

// hangUp says that nothing more will be sent.
func (l *line) hangUp() {
	if l.secure != nil {
		_ = l.secure.CloseWrite()
	}
	_ = l.CloseWrite()
}

// Write is one write of all of p.
func (l *line) Write(p []byte) (int, error) {
	b := net.Buffers{p}
	n, err := l.WriteBuffers(&b)
	return int(n), err
}

// WriteBuffers is one vectored write, continued where the socket was full.
func (l *line) WriteBuffers(b *net.Buffers) (n int64, err error) {
	if l.eager {
		return l.now.write(l, *b)
	}
	l.writing.Store(true)
	defer l.writing.Store(false)
	for {
		if err := l.arm(); err != nil {
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
		case m == 0 && !l.drains():
			return n, fmt.Errorf("%w for %v", relay.ErrStalled, l.stall)
		}
	}
}

// arm sets the write deadline anew once a second: that is often enough for a
// deadline of ten, and a timer's cost for each write is not.
func (l *line) arm() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !l.deadline.IsZero() || now.Sub(l.armed) < min(time.Second, l.stall/10) {
		return nil
	}
	l.armed = now
	l.queued, _, _ = sock.Inspect(l.TCPConn)
	return l.SetWriteDeadline(now.Add(l.stall))
}

// drains reports whether the far end took something although there was no room for
// more: a socket asks for more only once much of what it holds has left.
func (l *line) drains() bool {
	queued, _, ok := sock.Inspect(l.TCPConn)
	l.mu.Lock()
	defer l.mu.Unlock()
	return ok && queued < l.queued
}

// setEager changes between writes that wait and writes that do not. The latter need
// no deadline, and one left from before would fail them.
func (l *line) setEager(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.eager = on; on && l.deadline.IsZero() {
		l.armed = time.Time{}
		_ = l.SetWriteDeadline(time.Time{})
	}
}

// finishBy is the last deadline: reads and writes fail from then on.
func (l *line) finishBy(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deadline.IsZero() || at.Before(l.deadline) {
		l.deadline = at
		_ = l.SetDeadline(at)
	}
}

// interrupt fails everything that goes on.
func (l *line) interrupt() { l.finishBy(time.Now()) }

func (l *line) ending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.deadline.IsZero()
}

// expect sets by when the far end must have answered; 0 lets it be silent.
func (l *line) expect(within time.Duration) {
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
