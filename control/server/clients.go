package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"obvan/control"
	"obvan/control/store"
)

// One token may have at most half of all websockets: whoever has it, or stole it, can't keep
// everyone else out.
const (
	maxSockets         = 256
	maxSocketsPerToken = maxSockets / 2
)

// clients is who is connected.
type clients struct {
	store  *store.Store
	ctx    context.Context // of the commands from websockets
	cancel context.CancelFunc

	phones atomic.Int32 // that are sent their tally light

	mu       sync.Mutex
	open     map[*socket]bool
	watching map[*frameViewer]bool // who is sent frames
	closed   bool
	all      sync.WaitGroup
}

func newClients(s *store.Store) *clients {
	c := &clients{store: s, open: map[*socket]bool{}, watching: map[*frameViewer]bool{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// add counts a websocket. ErrTooMany when there are too many, or the server is shutting down.
func (c *clients) add(k *socket) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.open) >= maxSockets {
		return fmt.Errorf("at most %d clients may be connected: %w", maxSockets, control.ErrTooMany)
	}
	same := 0
	for other := range c.open {
		if other.who.Name == k.who.Name {
			same++
		}
	}
	if same >= maxSocketsPerToken {
		return fmt.Errorf("at most %d clients may be connected with one token: %w", maxSocketsPerToken, control.ErrTooMany)
	}
	c.open[k] = true
	c.all.Add(1)
	c.updateState()
	return nil
}

func (c *clients) remove(k *socket) {
	c.mu.Lock()
	delete(c.open, k)
	c.updateState()
	c.mu.Unlock()
	c.all.Done()
}

// updateState puts the clients in the state; c.mu is held.
func (c *clients) updateState() {
	list := make([]control.Client, 0, len(c.open))
	for k := range c.open {
		list = append(list, control.Client{Name: k.who.Name, Role: k.who.Role, Kind: k.who.Kind, Remote: k.who.Remote, Since: k.since})
	}
	slices.SortFunc(list, func(a, b control.Client) int {
		if n := a.Since.Compare(b.Since); n != 0 {
			return n
		}
		return strings.Compare(a.Remote, b.Remote)
	})
	c.store.Update(func(st *control.State) { st.Clients = list })
}

// closeToken closes the websockets that were opened with a token.
func (c *clients) closeToken(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k := range c.open {
		if k.who.Name == name {
			k.close(closePolicy, errRevoked.Error())
		}
	}
	for w := range c.watching {
		if w.name == name {
			w.end(errRevoked)
		}
	}
}

// close closes all websockets and waits for them.
func (c *clients) close() {
	c.mu.Lock()
	c.closed = true
	for k := range c.open {
		k.close(closeGoingAway, "the server is shutting down")
	}
	c.mu.Unlock()
	c.cancel()
	c.all.Wait()
}
