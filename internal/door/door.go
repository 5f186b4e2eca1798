// Package door is where strangers knock: a listener that bounds how many
// connections there are and how long one may take to say what it wants.
package door

import (
	"container/list"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"obvan/internal/retry"
)

// Listener lets at most Max connections in. Until a connection is admitted it has
// Patience to show itself, and loses its place to a newer one when all are taken:
// peers that connect and say nothing can't keep a camera out.
type Listener struct {
	net.Listener
	Max      int
	Patience time.Duration

	mu      sync.Mutex
	open    int
	waiting list.List // of *Conn, the oldest first
}

// Accept waits for a connection that has a place. It fails once the listener is
// closed, and for nothing else: libraries end their server on any error, and a stranger
// who opens enough connections makes one, of files that ran out.
func (l *Listener) Accept() (net.Conn, error) {
	wait := retry.Backoff{Min: 5 * time.Millisecond, Max: 500 * time.Millisecond}
	for {
		conn, err := l.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case err != nil:
			_ = retry.Sleep(context.Background(), wait.Next()) // ends in any case: soon
			continue
		}
		if c := l.enter(conn); c != nil {
			return c, nil
		}
		conn.Close()
	}
}

func (l *Listener) enter(conn net.Conn) *Conn {
	var oldest *Conn
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open >= l.Max {
		first := l.waiting.Front()
		if first == nil {
			return nil
		}
		oldest = l.waiting.Remove(first).(*Conn)
		oldest.place = nil
		go oldest.Close() // its place is free once its owner has noticed
	}
	c := &Conn{Conn: conn, door: l}
	l.open++
	c.place = l.waiting.PushBack(c)
	_ = conn.SetDeadline(time.Now().Add(l.Patience))
	return c
}

// Conn is a connection that came through the door.
type Conn struct {
	net.Conn
	door  *Listener
	place *list.Element // among the waiting; nil once admitted or closed
	in    bool          // admitted; like place guarded by door.mu
	gone  bool
}

// Admit ends the wait: the peer said what it wants and may have it.
func (c *Conn) Admit() {
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	c.leave()
	if !c.in && !c.gone {
		c.in = true
		_ = c.Conn.SetDeadline(time.Time{})
	}
}

// Expect makes the connection wait again: what it was admitted for is over.
func (c *Conn) Expect() {
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	if c.in && !c.gone {
		c.in = false
		c.place = c.door.waiting.PushBack(c)
		_ = c.Conn.SetDeadline(time.Now().Add(c.door.Patience))
	}
}

// leave gives the place among the waiting up; door.mu is held.
func (c *Conn) leave() {
	if c.place != nil {
		c.door.waiting.Remove(c.place)
		c.place = nil
	}
}

// SetReadDeadline does nothing before the connection is admitted: the door's own
// deadline stands.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.deadline(t, c.Conn.SetReadDeadline) }

// SetWriteDeadline does nothing before the connection is admitted.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.deadline(t, c.Conn.SetWriteDeadline) }

// SetDeadline does nothing before the connection is admitted.
func (c *Conn) SetDeadline(t time.Time) error { return c.deadline(t, c.Conn.SetDeadline) }

func (c *Conn) deadline(t time.Time, set func(time.Time) error) error {
	c.door.mu.Lock()
	defer c.door.mu.Unlock()
	if !c.in {
		return nil
	}
	return set(t)
}

// Close frees the place.
func (c *Conn) Close() error {
	c.door.mu.Lock()
	if !c.gone {
		c.gone = true
		c.door.open--
		c.leave()
	}
	c.door.mu.Unlock()
	return c.Conn.Close()
}

// Of finds the door's connection under others, such as TLS; nil when there is none.
func Of(conn net.Conn) *Conn {
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
