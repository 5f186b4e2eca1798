package door

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// Crowd bounds the connections of an http.Server: its Watch is the server's ConnState.
// One connection more than Max, or than PerHost from one host, costs the oldest of them
// that asks for nothing its place. Without it, one machine that opens connections and
// lets them lie takes the files that all other doors need.
type Crowd struct {
	Max, PerHost int

	mu    sync.Mutex
	all   map[net.Conn]*guest
	hosts map[string]int
	idle  list.List // of *guest, the oldest first
}

// guest is one connection.
type guest struct {
	conn  net.Conn
	host  string
	place *list.Element // in idle; nil while a request of it is answered
}

// Watch takes note of a connection's new state, and closes one when they are too many.
func (c *Crowd) Watch(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.enter(conn)
	case http.StateActive, http.StateIdle:
		if g := c.all[conn]; g != nil {
			c.rest(g, state == http.StateIdle)
		}
	case http.StateHijacked, http.StateClosed: // a websocket is the studio's to count
		c.leave(c.all[conn])
	}
}

func (c *Crowd) enter(conn net.Conn) {
	if c.all == nil {
		c.all, c.hosts = map[net.Conn]*guest{}, map[string]int{}
	}
	host := Host(conn.RemoteAddr().String())
	g := &guest{conn: conn, host: host}
	if c.hosts[host] >= c.PerHost || len(c.all) >= c.Max {
		old := c.oldest(host, c.hosts[host] >= c.PerHost)
		if old == nil {
			go conn.Close() // over TLS, closing takes its time
			return
		}
		c.leave(old)
		go old.conn.Close()
	}
	c.all[conn] = g
	c.hosts[host]++
	c.rest(g, true)
}

// oldest is who has asked for nothing the longest, of host when only its own may go.
func (c *Crowd) oldest(host string, own bool) *guest {
	for e := c.idle.Front(); e != nil; e = e.Next() {
		if g := e.Value.(*guest); !own || g.host == host {
			return g
		}
	}
	return nil
}

// rest notes whether a connection asks for nothing.
func (c *Crowd) rest(g *guest, idle bool) {
	if g.place != nil {
		c.idle.Remove(g.place)
		g.place = nil
	}
	if idle {
		g.place = c.idle.PushBack(g)
	}
}

func (c *Crowd) leave(g *guest) {
	if g == nil {
		return
	}
	c.rest(g, false)
	delete(c.all, g.conn)
	if c.hosts[g.host]--; c.hosts[g.host] == 0 {
		delete(c.hosts, g.host)
	}
}
