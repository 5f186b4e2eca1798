package rtmp

import (
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// underTLS is the connection as TLS sees it: without the methods that would bypass it.
type underTLS struct{ conn *serverConn }

func (p underTLS) Read(b []byte) (int, error)         { return p.conn.TCPConn.Read(b) }
func (p underTLS) Write(b []byte) (int, error)        { return p.conn.Write(b) }
func (p underTLS) Close() error                       { return p.conn.TCPConn.Close() }
func (p underTLS) LocalAddr() net.Addr                { return p.conn.LocalAddr() }
func (p underTLS) RemoteAddr() net.Addr               { return p.conn.RemoteAddr() }
func (p underTLS) SetDeadline(t time.Time) error      { return p.conn.TCPConn.SetDeadline(t) }
func (p underTLS) SetReadDeadline(t time.Time) error  { return p.conn.TCPConn.SetReadDeadline(t) }
func (p underTLS) SetWriteDeadline(t time.Time) error { return p.conn.TCPConn.SetWriteDeadline(t) }

// cork collects what TLS writes record by record into one write.
type cork struct {
	net.Conn
	mu       sync.Mutex // TLS also writes while it reads: alerts, new keys
	inSocket bool
	buf      []byte
}

func (c *cork) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inSocket {
		c.buf = append(c.buf, p...)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *cork) start() {
	c.mu.Lock()
	c.inSocket = true
	c.mu.Unlock()
}

// release writes what was collected. The mutex stays locked for it: a record that TLS adds
// meanwhile must follow these, they are numbered.
func (c *cork) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inSocket = false
	_, err := c.Conn.Write(c.buf)
	if c.buf = c.buf[:0]; cap(c.buf) > 1<<20 {
		c.buf = nil
	}
	return err
}

// tlsBatchWriter sends a batch through TLS in one write.
type tlsBatchWriter struct {
	conn *tls.Conn
	cork *cork
}

func (s tlsBatchWriter) Write(p []byte) (int, error) {
	s.cork.start()
	n, err := s.conn.Write(p)
	if e := s.cork.release(); err == nil {
		err = e
	}
	return n, err
}
