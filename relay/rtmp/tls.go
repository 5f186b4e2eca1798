package rtmp

import (
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// plain is the line as TLS sees it: without the methods that would go round it.
type plain struct{ l *line }

func (p plain) Read(b []byte) (int, error)         { return p.l.TCPConn.Read(b) }
func (p plain) Write(b []byte) (int, error)        { return p.l.Write(b) }
func (p plain) Close() error                       { return p.l.TCPConn.Close() }
func (p plain) LocalAddr() net.Addr                { return p.l.LocalAddr() }
func (p plain) RemoteAddr() net.Addr               { return p.l.RemoteAddr() }
func (p plain) SetDeadline(t time.Time) error      { return p.l.TCPConn.SetDeadline(t) }
func (p plain) SetReadDeadline(t time.Time) error  { return p.l.TCPConn.SetReadDeadline(t) }
func (p plain) SetWriteDeadline(t time.Time) error { return p.l.TCPConn.SetWriteDeadline(t) }

// cork collects what TLS writes record by record into one write.
type cork struct {
	net.Conn
	mu   sync.Mutex // TLS also writes while it reads: alerts, new keys
	held bool
	buf  []byte
}

func (c *cork) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held {
		c.buf = append(c.buf, p...)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *cork) hold() {
	c.mu.Lock()
	c.held = true
	c.mu.Unlock()
}

// release writes what was held. The mutex stays locked for it: a record that TLS
// adds meanwhile must come after these, they are numbered.
func (c *cork) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = false
	_, err := c.Conn.Write(c.buf)
	if c.buf = c.buf[:0]; cap(c.buf) > 1<<20 {
		c.buf = nil
	}
	return err
}

// sealed is a batch through TLS in one write.
type sealed struct {
	conn *tls.Conn
	cork *cork
}

func (s sealed) Write(p []byte) (int, error) {
	s.cork.hold()
	n, err := s.conn.Write(p)
	if e := s.cork.release(); err == nil {
		err = e
	}
	return n, err
}
