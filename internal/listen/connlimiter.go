package listen

import (
	"container/list"
	"net"
	"net/http"
	"sync"

	"obvan/internal/netaddr"
)

// ConnLimiter bounds the connections of an http.Server: its Track is the server's
// ConnState. A connection above Max, or above PerHost from one host, closes the oldest
// idle one. Without it, one client that opens connections and leaves them idle uses up
// the file descriptors that all other listeners need.
type ConnLimiter struct {
	Max, PerHost int

	mu      sync.Mutex
	conns   map[net.Conn]*trackedConn
	perHost map[string]int
	idle    list.List // of *trackedConn, the oldest first
}

// trackedConn is one connection.
type trackedConn struct {
	conn      net.Conn
	host      string
	idleEntry *list.Element // in idle; nil while a request is being answered
}

// Track notes a connection's new state, and closes one when there are too many.
func (c *ConnLimiter) Track(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.add(conn)
	case http.StateActive, http.StateIdle:
		if tracked := c.conns[conn]; tracked != nil {
			c.setIdle(tracked, state == http.StateIdle)
		}
	case http.StateHijacked, http.StateClosed: // websockets are counted by the studio
		c.remove(c.conns[conn])
	}
}

func (c *ConnLimiter) add(conn net.Conn) {
	if c.conns == nil {
		c.conns, c.perHost = map[net.Conn]*trackedConn{}, map[string]int{}
	}
	host := netaddr.Host(conn.RemoteAddr().String())
	tracked := &trackedConn{conn: conn, host: host}
	if c.perHost[host] >= c.PerHost || len(c.conns) >= c.Max {
		old := c.oldestIdle(host, c.perHost[host] >= c.PerHost)
		if old == nil {
			go conn.Close() // closing a TLS connection may block
			return
		}
		c.remove(old)
		go old.conn.Close()
	}
	c.conns[conn] = tracked
	c.perHost[host]++
	c.setIdle(tracked, true)
}

// oldestIdle is the connection that has been idle the longest; own limits it to those of host.
func (c *ConnLimiter) oldestIdle(host string, own bool) *trackedConn {
	for e := c.idle.Front(); e != nil; e = e.Next() {
		if tracked := e.Value.(*trackedConn); !own || tracked.host == host {
			return tracked
		}
	}
	return nil
}

// setIdle notes whether a connection is idle.
func (c *ConnLimiter) setIdle(tracked *trackedConn, idle bool) {
	if tracked.idleEntry != nil {
		c.idle.Remove(tracked.idleEntry)
		tracked.idleEntry = nil
	}
	if idle {
		tracked.idleEntry = c.idle.PushBack(tracked)
	}
}

func (c *ConnLimiter) remove(tracked *trackedConn) {
	if tracked == nil {
		return
	}
	c.setIdle(tracked, false)
	delete(c.conns, tracked.conn)
	if c.perHost[tracked.host]--; c.perHost[tracked.host] == 0 {
		delete(c.perHost, tracked.host)
	}
}
