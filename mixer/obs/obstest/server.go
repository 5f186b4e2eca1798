// Package obstest is a fake OBS: obs-websocket v5 that behaves like a real one as far as
// the mixer is concerned, and can be made to misbehave.
package obstest

import (
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/andreykaipov/goobs/api/closecodes"
	"github.com/andreykaipov/goobs/api/opcodes"
	"github.com/gorilla/websocket"

	"obvan/mixer/obs/wire"
)

// Server is a fake OBS. Its methods are safe for concurrent use.
type Server struct {
	URL      string // obs://127.0.0.1:port
	Password string

	t    testing.TB
	addr string
	http *http.Server
	done chan struct{}
	wg   sync.WaitGroup

	mu     sync.Mutex
	conns  map[*session]struct{}
	state  *state
	faults faults
}

// faults are how the server misbehaves.
type faults struct {
	slow     time.Duration   // before each answer
	unknown  map[string]bool // requests it does not know
	refused  map[string]int  // requests it answers with a code
	frozen   chan struct{}   // closes on Unfreeze; nil when it is not frozen
	requests map[string]int  // requests that arrived, by name
}

// session is one client.
type session struct {
	srv    *Server
	ws     *websocket.Conn
	tcp    *net.TCPConn
	out    queue
	closed chan struct{}
	once   sync.Once
	subs   int
}

// Start runs a fake OBS in studio mode with a scene for each name, in which a
// media input "<name> input" plays rtsp://127.0.0.1:8555/<name>. It ends with the test.
func Start(t testing.TB, feeds ...string) *Server {
	s := &Server{
		Password: rand.Text(), t: t, done: make(chan struct{}), conns: map[*session]struct{}{},
		faults: faults{unknown: map[string]bool{}, refused: map[string]int{}, requests: map[string]int{}},
	}
	s.state = newState(s, feeds)
	s.listen("127.0.0.1:0")
	t.Cleanup(s.close)
	return s
}

func (s *Server) listen(addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.URL = "obs://" + s.addr
	server := &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 5 * time.Second}
	s.mu.Lock()
	s.http = server
	s.mu.Unlock()
	s.wg.Go(func() { server.Serve(l) })
}

func (s *Server) close() {
	close(s.done)
	s.Unfreeze()
	s.Down()
	s.wg.Wait()
}

var upgrader = websocket.Upgrader{Subprotocols: []string{"obswebsocket.json"}}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &session{srv: s, ws: ws, tcp: ws.NetConn().(*net.TCPConn), out: queue{ready: make(chan struct{}, 1)}, closed: make(chan struct{})}
	ping := ws.PingHandler()
	ws.SetPingHandler(func(data string) error {
		s.stall()
		return ping(data)
	})
	s.wg.Add(2)
	go c.write()
	go c.read()
}

func (c *session) end() { c.once.Do(func() { close(c.closed); c.ws.Close() }) }

// stall waits while the server is frozen.
func (s *Server) stall() {
	s.mu.Lock()
	frozen := s.faults.frozen
	s.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

func (c *session) write() {
	defer c.srv.wg.Done()
	defer c.end()
	for {
		select {
		case <-c.out.ready:
		case <-c.closed:
			return
		}
		for _, raw := range c.out.take() {
			if raw == nil { // everything is sent
				return
			}
			c.srv.stall()
			c.ws.SetWriteDeadline(time.Now().Add(5 * time.Second))
			if c.ws.WriteMessage(websocket.TextMessage, raw) != nil {
				return
			}
		}
	}
}

// queue is what waits to be sent. Like OBS' own it is unbounded.
type queue struct {
	mu    sync.Mutex
	all   [][]byte
	ready chan struct{}
}

func (q *queue) put(raw []byte) {
	q.mu.Lock()
	q.all = append(q.all, raw)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

func (q *queue) take() [][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.all
	q.all = nil
	return all
}

func (c *session) send(msg *opcodes.Message) { c.out.put(msg.Bytes()) }

func (c *session) read() {
	s := c.srv
	defer s.wg.Done()
	defer c.end()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	salt, challenge := rand.Text(), rand.Text()
	password := s.password()
	hello := map[string]any{"obsWebSocketVersion": "5.1.0", "rpcVersion": 1}
	if password != "" {
		hello["authentication"] = map[string]string{"salt": salt, "challenge": challenge}
	}
	c.send(op(0, hello))
	for known := false; ; {
		_, raw, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		s.stall()
		var msg opcodes.Message
		if json.Unmarshal(raw, &msg) != nil {
			c.hangUp(closecodes.MessageDecodeError)
			return
		}
		if !known {
			known = c.identify(&msg, password == "" || proof(msg.D) == wire.Proof(password, salt, challenge))
			if !known {
				return
			}
			continue
		}
		c.handle(&msg)
	}
}

func proof(identify json.RawMessage) string {
	var id opcodes.Identify
	json.Unmarshal(identify, &id)
	return id.Authentication
}

func (c *session) identify(msg *opcodes.Message, right bool) bool {
	switch {
	case msg.Op != 1:
		c.hangUp(closecodes.NotIdentified)
	case !right:
		c.hangUp(closecodes.AuthenticationFailed)
	default:
		c.subscribe(msg.D)
		c.srv.mu.Lock()
		c.srv.conns[c] = struct{}{}
		c.srv.mu.Unlock()
		c.send(op(2, map[string]int{"negotiatedRpcVersion": 1}))
		return true
	}
	return false
}

func (c *session) subscribe(raw json.RawMessage) {
	var id opcodes.Identify
	json.Unmarshal(raw, &id)
	c.srv.mu.Lock()
	c.subs = id.EventSubscriptions
	c.srv.mu.Unlock()
}

func (c *session) hangUp(code int) {
	c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
	c.end()
}

func (c *session) handle(msg *opcodes.Message) {
	switch msg.Op {
	case 3:
		c.subscribe(msg.D)
		c.send(op(2, map[string]int{"negotiatedRpcVersion": 1}))
	case 6:
		var r request
		json.Unmarshal(msg.D, &r)
		c.srv.count(r.Type)
		c.later(func() { c.send(op(7, c.srv.answer(&r))) })
	case 8:
		var b struct {
			ID       string    `json:"requestId"`
			Requests []request `json:"requests"`
		}
		json.Unmarshal(msg.D, &b)
		for _, r := range b.Requests {
			c.srv.count(r.Type)
		}
		c.later(func() {
			results := []response{}
			for _, r := range b.Requests {
				results = append(results, c.srv.answer(&r))
			}
			c.send(op(9, map[string]any{"requestId": b.ID, "results": results}))
		})
	}
}

func (s *Server) count(request string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.requests[request]++
}

// later answers immediately, or after the delay that Slow has set.
func (c *session) later(answer func()) {
	c.srv.mu.Lock()
	slow := c.srv.faults.slow
	c.srv.mu.Unlock()
	if slow == 0 {
		answer()
		return
	}
	c.srv.wg.Go(func() {
		select {
		case <-time.After(slow):
			answer()
		case <-c.closed:
		}
	})
}

type request struct {
	Type string          `json:"requestType"`
	ID   string          `json:"requestId"`
	Data json.RawMessage `json:"requestData"`
}

type response struct {
	Type   string                        `json:"requestType"`
	ID     string                        `json:"requestId"`
	Status opcodes.RequestResponseStatus `json:"requestStatus"`
	Data   any                           `json:"responseData,omitempty"`
}

func (s *Server) answer(r *request) response {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := response{Type: r.Type, ID: r.ID, Status: opcodes.RequestResponseStatus{Code: 100, Result: true}}
	handle := handlers[r.Type]
	code := s.faults.refused[r.Type]
	if s.faults.unknown[r.Type] || handle == nil {
		code = 204
	}
	if code == 0 {
		answer.Data, code = handle(s.state, r.Data)
	}
	if code != 0 {
		answer.Status, answer.Data = opcodes.RequestResponseStatus{Code: code, Comment: "refused by the fake"}, nil
	}
	return answer
}

func op(code int, d any) *opcodes.Message {
	raw, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return &opcodes.Message{Op: code, D: raw}
}

// broadcast sends an event to all who subscribed to it; s.mu is locked.
func (s *Server) broadcast(name string, intent int, data any) {
	msg := op(5, map[string]any{"eventType": name, "eventIntent": intent, "eventData": data})
	raw := msg.Bytes()
	for c := range s.conns {
		if c.subs&intent == 0 {
			continue
		}
		c.out.put(raw)
	}
}

// after runs f, with s.mu locked as it is now, when d has passed.
func (s *Server) after(d time.Duration, f func()) {
	if d <= 0 {
		f()
		return
	}
	s.wg.Go(func() {
		select {
		case <-time.After(d):
			s.mu.Lock()
			defer s.mu.Unlock()
			f()
		case <-s.done:
		}
	})
}
