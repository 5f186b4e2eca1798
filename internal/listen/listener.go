// Package listen is the listeners that clients connect to: it bounds how many
// connections there are and how long a new one may take to make its request.
package listen

import (
	"container/list"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"obvan/internal/retry"
)

// Listener accepts at most Max connections. A connection that is not admitted within
// AdmitTimeout is closed, and sooner when Max is reached and a newer one arrives: clients
// that connect and send nothing can't keep a camera out.
type Listener struct {
	net.Listener
	Max          int
	AdmitTimeout time.Duration

	mu      sync.Mutex
	open    int
	waiting list.List // of *Conn, the oldest first
}

// Accept waits for a connection that is within the limit. It fails only once the
// listener is closed: libraries stop their server on any error, and a client that opens
// enough connections could cause one by using up the file descriptors.
func (l *Listener) Accept() (net.Conn, error) {
	wait := retry.Backoff{Min: 5 * time.Millisecond, Max: 500 * time.Millisecond}
	for {
		conn, err := l.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case err != nil:
			_ = retry.Sleep(context.Background(), wait.Next()) // always short
			continue
		}
		if c := l.add(conn); c != nil {
			return c, nil
		}
		conn.Close()
	}
}

func (l *Listener) add(conn net.Conn) *Conn {
	var oldest *Conn
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.Max {
		first := l.waiting.Front()
		if first == nil {
			return nil
		}
		oldest = l.waiting.Remove(first).(*Conn)
		oldest.entry = nil
		go oldest.Close()
	}
	c := &Conn{Conn: conn, listener: l}
	l.open++
	c.entry = l.waiting.PushBack(c)
	_ = conn.SetDeadline(time.Now().Add(l.AdmitTimeout))
	return c
}

// Conn is a connection that a Listener accepted.
type Conn struct {
	net.Conn
	listener *Listener
	entry    *list.Element // among the waiting; nil once admitted or closed
	admitted bool          // like entry guarded by listener.mu
	closed   bool
}

// Admit lifts the timeout: the client made its request, and it was granted.
func (c *Conn) Admit() {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	c.removeWaiting()
	if !c.admitted && !c.closed {
		c.admitted = true
		_ = c.Conn.SetDeadline(time.Time{})
	}
}

// Unadmit starts the timeout again: what the connection was admitted for is over.
func (c *Conn) Unadmit() {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	if c.admitted && !c.closed {
		c.admitted = false
		c.entry = c.listener.waiting.PushBack(c)
		_ = c.Conn.SetDeadline(time.Now().Add(c.listener.AdmitTimeout))
	}
}

// removeWaiting takes the connection off the waiting list; the caller holds listener.mu.
func (c *Conn) removeWaiting() {
	if c.entry != nil {
		c.listener.waiting.Remove(c.entry)
		c.entry = nil
	}
}

// SetReadDeadline does nothing before the connection is admitted: the listener's own
// deadline applies.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.deadline(t, c.Conn.SetReadDeadline) }

// SetWriteDeadline does nothing before the connection is admitted.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.deadline(t, c.Conn.SetWriteDeadline) }

// SetDeadline does nothing before the connection is admitted.
func (c *Conn) SetDeadline(t time.Time) error { return c.deadline(t, c.Conn.SetDeadline) }

func (c *Conn) deadline(t time.Time, set func(time.Time) error) error {
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	if !c.admitted {
		return nil
	}
	return set(t)
}

// Close closes the connection and counts it out.
func (c *Conn) Close() error {
	c.listener.mu.Lock()
	if !c.closed {
		c.closed = true
		c.listener.open--
		c.removeWaiting()
	}
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// ConnOf finds the Conn that other connections, such as TLS, wrap; nil when there is none.
func ConnOf(conn net.Conn) *Conn {
	for {
		switch c := conn.(type) {
		case *Conn:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
	}
}
