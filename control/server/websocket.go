package server

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"obvan/control"
	"obvan/control/auth"
	"obvan/internal/text"
)

// Bounds of a socket. A panel that is slow holds one message of ours and no more: the
// state waits in the store, and answers are few.
const (
	mostMessage = 64 << 10
	mostAnswers = 128 // waiting to be written
	mostWaiting = 32  // commands of one area, waiting for the one before
	pingEvery   = 5 * time.Second
	pongWithin  = 12 * time.Second
	writeWithin = 10 * time.Second
	byeWithin   = time.Second
	floodPace   = 5 * time.Millisecond  // between two messages of who was thrown out: a flood waits with its sender
	statePace   = 15 * time.Millisecond // between two states: a flood of changes is shown as one
)

// What a close frame says (RFC 6455, section 7.4.1).
const (
	closeGoingAway = websocket.CloseGoingAway
	closePolicy    = websocket.ClosePolicyViolation
)

// socket is one websocket: a panel, or a script that wants to know at once.
//
// The handler's goroutine reads, one writes, and one for each area of commands in use
// runs them: in order within an area, so that preview and cut do what was meant, but
// a mixer that hangs does not keep a destination from being stopped.
type socket struct {
	server  *Server
	conn    *websocket.Conn
	who     control.Caller
	since   time.Time
	answers chan []byte
	flood   *rate.Limiter
	levels  levels
	areas   map[string]chan request // of the reader
	workers sync.WaitGroup

	ended sync.Once
	gone  chan struct{} // closed by end
	bye   []byte        // the close frame's payload, set before gone closes
}

// serveSocket is GET /ws.
func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	who, err := s.callerIn(r, true)
	if err != nil {
		s.fail(w, err)
		return
	}
	if r.Header.Get("Origin") != "" {
		who.Kind = control.Panel
	}
	// CheckOrigin is left nil: only pages of this very host may connect.
	up := websocket.Upgrader{HandshakeTimeout: headerTimeout, ReadBufferSize: 4096, WriteBufferSize: 4096, Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
		if status == http.StatusForbidden {
			s.fail(w, fmt.Errorf("a page of another site may not connect: %w", control.ErrForbidden))
			return
		}
		s.fail(w, control.Invalidf("this is for websockets: %v", reason))
	}}
	k := &socket{
		server: s, who: who, since: time.Now().UTC(), answers: make(chan []byte, mostAnswers),
		flood: auth.NewCommandLimit(), areas: map[string]chan request{}, gone: make(chan struct{}),
		levels: levels{newest: make(chan []byte, 1)},
	}
	k.who.Meters = k.sendMeters
	if err := s.clients.enter(k); err != nil {
		s.fail(w, err)
		return
	}
	defer s.clients.leave(k)
	if k.conn, err = up.Upgrade(w, r, nil); err != nil {
		return // the upgrader answered
	}
	// Access taken away while we shook hands found no socket to close.
	if _, err := s.cfg.Access.Who(tokenIn(r, true), r.RemoteAddr); err != nil {
		k.end(closePolicy, errAccessTaken.Error())
	}
	s.log.Info("connected", "who", who.Name, "role", who.Role, "kind", who.Kind, "remote", who.Remote)
	k.run()
	s.log.Info("disconnected", "who", who.Name, "remote", who.Remote)
}

// run serves until either end closes.
func (k *socket) run() {
	read := make(chan struct{})
	var writers sync.WaitGroup
	writers.Go(func() { k.write(read) })
	writers.Go(func() {
		<-k.gone // whoever is being written to has this long to take it
		_ = k.conn.NetConn().SetWriteDeadline(time.Now().Add(byeWithin))
	})
	k.read()
	k.end(websocket.CloseNormalClosure, "")
	close(read)
	for _, area := range k.areas {
		close(area)
	}
	k.workers.Wait()
	writers.Wait()
}

// end closes the socket once everything that waits is written; it never blocks.
func (k *socket) end(code int, text string) {
	k.ended.Do(func() {
		k.bye = websocket.FormatCloseMessage(code, text)
		close(k.gone)
	})
}

func (k *socket) read() {
	k.conn.SetReadLimit(mostMessage)
	alive := func(string) error { return k.conn.SetReadDeadline(time.Now().Add(pongWithin)) }
	k.conn.SetPongHandler(alive)
	for alive("") == nil {
		kind, message, err := k.conn.ReadMessage()
		if err != nil {
			return
		}
		select {
		case <-k.gone: // read on, or what is unread would reset the connection before it is all written
			if k.thrownOut() {
				time.Sleep(floodPace)
			}
			continue
		default:
		}
		switch {
		case kind != websocket.TextMessage:
			k.end(websocket.CloseUnsupportedData, "text only")
		default:
			k.take(message)
		}
	}
}

// write is the only one that writes messages, and closes the connection; read closes
// when nothing is read any more.
func (k *socket) write(read <-chan struct{}) {
	defer k.conn.Close()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	pace := time.NewTimer(0) // the first state goes at once
	defer pace.Stop()
	var rev uint64
	var next <-chan struct{}
	var sent time.Time
	for {
		var err error
		select {
		case answer := <-k.answers:
			err = k.send(answer, writeWithin)
		case levels := <-k.levels.newest:
			err = k.send(levels, writeWithin)
		case <-next:
			next = nil
			pace.Reset(statePace - time.Since(sent)) // after a quiet moment, at once
		case <-pace.C:
			sent = time.Now()
			rev, next, err = k.sendState(rev)
		case <-ping.C:
			err = k.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeWithin))
		case <-k.gone:
			k.farewell(read)
			return
		}
		if err != nil {
			k.end(websocket.CloseNormalClosure, "")
			return
		}
	}
}

// farewell writes the answers that wait and the close frame, and gives the other end
// a moment to take them.
func (k *socket) farewell(read <-chan struct{}) {
	for waits := true; waits; {
		select {
		case answer := <-k.answers:
			if k.send(answer, byeWithin) != nil {
				return
			}
		default:
			waits = false
		}
	}
	// Best effort: the connection closes with or without it.
	if k.conn.WriteControl(websocket.CloseMessage, k.bye, time.Now().Add(byeWithin)) != nil {
		return
	}
	select {
	case <-read:
	case <-time.After(byeWithin):
	}
}

func (k *socket) send(message []byte, within time.Duration) error {
	if err := k.conn.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	return k.conn.WriteMessage(websocket.TextMessage, message)
}

// sendState writes what changed since rev, if anything did. The first one says who
// the client is to us.
func (k *socket) sendState(rev uint64) (now uint64, next <-chan struct{}, err error) {
	sections, now, next := k.server.cfg.Store.Since(rev)
	if len(sections) == 0 {
		return now, next, nil
	}
	var b bytes.Buffer
	b.WriteString(`{"jsonrpc":"2.0","method":"state","params":{"rev":`)
	b.WriteString(strconv.FormatUint(now, 10))
	if rev == 0 {
		you, err := json.Marshal(k.who.You)
		if err != nil {
			return now, next, err
		}
		b.WriteString(`,"you":`)
		b.Write(you)
	}
	b.WriteString(`,"sections":{`)
	for _, name := range k.server.cfg.Store.Sections() {
		if section := sections[name]; section != nil {
			if b.Bytes()[b.Len()-1] != '{' {
				b.WriteByte(',')
			}
			b.WriteString(strconv.Quote(name) + ":")
			b.Write(section)
		}
	}
	b.WriteString(`}}}`)
	return now, next, k.send(b.Bytes(), writeWithin)
}

// take handles one message of the client.
func (k *socket) take(message []byte) {
	req, fault := parseRequest(message)
	switch {
	case !k.flood.Allow():
		k.reply(req.ID, nil, auth.TooFast())
		k.end(closePolicy, "too many commands")
	case fault != nil:
		k.replyFault(req.ID, fault)
	case req.Method == "ping":
		k.reply(req.ID, nil, nil)
	default:
		k.queue(req)
	}
}

// thrownOut reports whether we closed the socket for what its peer did. What waits of a
// flood would go on for minutes after it, in front of everybody else's commands.
func (k *socket) thrownOut() bool {
	select {
	case <-k.gone:
		return len(k.bye) >= 2 && int(binary.BigEndian.Uint16(k.bye)) == closePolicy
	default:
		return false
	}
}

// queue gives a command to its area's goroutine.
func (k *socket) queue(req request) {
	if !k.server.known[req.Method] {
		k.reply(req.ID, nil, fmt.Errorf("%s: %w", text.Quote(req.Method), control.ErrUnknown))
		return
	}
	name, _, _ := strings.Cut(req.Method, ".")
	area := k.areas[name]
	if area == nil {
		area = make(chan request, mostWaiting)
		k.areas[name] = area
		k.workers.Go(func() {
			for req := range area {
				k.work(req)
			}
		})
	}
	select {
	case area <- req:
	default:
		k.reply(req.ID, nil, fmt.Errorf("%d commands wait already: %w", mostWaiting, control.ErrTooMany))
	}
}

// work runs one command. A closed socket does not stop it half way; a server that
// stops does.
func (k *socket) work(req request) {
	ctx := k.server.clients.ctx
	if ctx.Err() != nil || k.thrownOut() {
		return
	}
	result, err := k.server.cfg.Studio.Execute(ctx, k.who, req.Method, req.Params)
	k.reply(req.ID, result, err)
}
