package control

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// One token's sockets are at most half of all: who has it, or whoever took it, can't
// keep everybody else out.
const (
	mostSockets     = 256
	mostSocketsEach = mostSockets / 2
)

// doors is who is connected.
type doors struct {
	studio *Studio
	ctx    context.Context // of the commands that sockets give
	cancel context.CancelFunc

	serving atomic.Bool  // the show is restored, and nothing ends yet
	phones  atomic.Int32 // that are told their light

	mu       sync.Mutex
	open     map[*socket]bool
	watching map[*watcher]bool // who is sent frames
	closed   bool
	all      sync.WaitGroup
}

func newDoors(s *Studio) *doors {
	d := &doors{studio: s, open: map[*socket]bool{}, watching: map[*watcher]bool{}}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// enter counts a socket in. ErrTooMany when the house is full or closing.
func (d *doors) enter(k *socket) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || len(d.open) >= mostSockets {
		return fmt.Errorf("no more than %d may be connected: %w", mostSockets, ErrTooMany)
	}
	same := 0
	for other := range d.open {
		if other.who.Name == k.who.Name {
			same++
		}
	}
	if same >= mostSocketsEach {
		return fmt.Errorf("no more than %d may be connected with one token: %w", mostSocketsEach, ErrTooMany)
	}
	d.open[k] = true
	d.all.Add(1)
	d.show()
	return nil
}

func (d *doors) leave(k *socket) {
	d.mu.Lock()
	delete(d.open, k)
	d.show()
	d.mu.Unlock()
	d.all.Done()
}

// show puts the clients in the state; d.mu is held.
func (d *doors) show() {
	list := make([]Client, 0, len(d.open))
	for k := range d.open {
		list = append(list, Client{Name: k.who.Name, Role: k.who.Role, Kind: k.who.kind, Remote: k.who.remote, Since: k.since})
	}
	slices.SortFunc(list, func(a, b Client) int {
		if n := a.Since.Compare(b.Since); n != 0 {
			return n
		}
		return strings.Compare(a.Remote, b.Remote)
	})
	d.studio.store.Update(func(st *State) { st.Clients = list })
}

// shut closes the sockets that were opened with a token.
func (d *doors) shut(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k := range d.open {
		if k.who.Name == name {
			k.end(closePolicy, errAccessTaken.Error())
		}
	}
	for w := range d.watching {
		if w.name == name {
			w.end(errAccessTaken)
		}
	}
}

// close ends all sockets and waits for them.
func (d *doors) close() {
	d.serving.Store(false)
	d.mu.Lock()
	d.closed = true
	for k := range d.open {
		k.end(closeGoingAway, "the server is stopping")
	}
	d.mu.Unlock()
	d.cancel()
	d.all.Wait()
}

// cookie is the name of the login cookie.
const cookie = "obvan"

const cookieAge = 30 * 24 * time.Hour

// tokenIn is what a request shows. Only pages that can't show anything else may have
// it in their address, which ends up in histories and logs.
func tokenIn(r *http.Request, inQuery bool) string {
	if h := r.Header.Get("Authorization"); h != "" {
		kind, token, _ := strings.Cut(h, " ")
		if !strings.EqualFold(kind, "Bearer") {
			return ""
		}
		return strings.TrimSpace(token)
	}
	if inQuery && r.URL.Query().Has("token") {
		return r.URL.Query().Get("token")
	}
	if c, err := r.Cookie(cookie); err == nil {
		return c.Value
	}
	return ""
}

// callerIn is who sends a request. ErrUnauthorised, ErrTooMany.
func (s *Studio) callerIn(r *http.Request, inQuery bool) (caller, error) {
	token := tokenIn(r, inQuery)
	you, err := s.access.who(token, r.RemoteAddr)
	if err != nil && token != "" {
		s.refused(r, err)
	}
	return caller{You: you, remote: r.RemoteAddr, kind: Script}, err
}

// refused logs a token that was not let in, but not as often as somebody can try.
func (s *Studio) refused(r *http.Request, err error) {
	if s.access.knocks.Allow() {
		s.log.Warn("token refused", "remote", r.RemoteAddr, "path", quote(r.URL.Path), "err", err)
	}
}

// atLeast lets only a role, or those above it, through to next.
func (s *Studio) atLeast(least Role, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := s.callerIn(r, false)
		if err == nil && c.Role < least {
			err = fmt.Errorf("this needs the role %s, yours is %s: %w", least, c.Role, ErrForbidden)
		}
		if err != nil {
			s.fail(w, err)
			return
		}
		next(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, c)))
	}
}
