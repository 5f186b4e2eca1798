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

// Bounds of a websocket. For a slow panel one message waits and no more: the state is in the
// store, and replies are few.
const (
	maxMessage   = 64 << 10
	maxReplies   = 128 // waiting to be written
	maxWaiting   = 32  // commands of one area, waiting for the one before
	pingEvery    = 5 * time.Second
	pongTimeout  = 12 * time.Second
	writeTimeout = 10 * time.Second
	closeTimeout = time.Second
	abusePace    = 5 * time.Millisecond  // between two messages of a client that was closed for abuse: they wait on its side
	statePace    = 15 * time.Millisecond // between two states: many changes at once are sent as one
)

// What a close frame says (RFC 6455, section 7.4.1).
const (
	closeGoingAway = websocket.CloseGoingAway
	closePolicy    = websocket.ClosePolicyViolation
)

// socket is one websocket: of a panel, or of a script that needs changes at once.
//
// The handler's goroutine reads, one writes, and one for each area of commands in use
// runs them: in order within an area, so that a preview and a cut happen in that order, but
// a mixer that hangs does not block stopping a destination.
type socket struct {
	server  *Server
	conn    *websocket.Conn
	who     control.Caller
	since   time.Time
	replies chan []byte
	limit   *rate.Limiter
	meters  meterQueue
	areas   map[string]chan request // of the reader
	workers sync.WaitGroup

	closeOnce  sync.Once
	closing    chan struct{} // closed by close
	closeFrame []byte        // the close frame's payload, set before closing is closed
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
		s.fail(w, control.Invalidf("this endpoint is for websockets: %v", reason))
	}}
	k := &socket{
		server: s, who: who, since: time.Now().UTC(), replies: make(chan []byte, maxReplies),
		limit: auth.NewCommandLimit(), areas: map[string]chan request{}, closing: make(chan struct{}),
		meters: meterQueue{newest: make(chan []byte, 1)},
	}
	k.who.Meters = k.sendMeters
	if err := s.clients.add(k); err != nil {
		s.fail(w, err)
		return
	}
	defer s.clients.remove(k)
	if k.conn, err = up.Upgrade(w, r, nil); err != nil {
		return // the upgrader answered
	}
	// A token that was revoked during the handshake found no websocket to close.
	if _, err := s.cfg.Access.Who(tokenIn(r, true), r.RemoteAddr); err != nil {
		k.close(closePolicy, errRevoked.Error())
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
		<-k.closing // a write in progress has this long to finish
		_ = k.conn.NetConn().SetWriteDeadline(time.Now().Add(closeTimeout))
	})
	k.read()
	k.close(websocket.CloseNormalClosure, "")
	close(read)
	for _, area := range k.areas {
		close(area)
	}
	k.workers.Wait()
	writers.Wait()
}

// close closes the websocket once everything queued is written; it never blocks.
func (k *socket) close(code int, text string) {
	k.closeOnce.Do(func() {
		k.closeFrame = websocket.FormatCloseMessage(code, text)
		close(k.closing)
	})
}

func (k *socket) read() {
	k.conn.SetReadLimit(maxMessage)
	alive := func(string) error { return k.conn.SetReadDeadline(time.Now().Add(pongTimeout)) }
	k.conn.SetPongHandler(alive)
	for alive("") == nil {
		kind, message, err := k.conn.ReadMessage()
		if err != nil {
			return
		}
		select {
		case <-k.closing: // keep reading: unread data would reset the connection before everything is written
			if k.closedForAbuse() {
				time.Sleep(abusePace)
			}
			continue
		default:
		}
		switch {
		case kind != websocket.TextMessage:
			k.close(websocket.CloseUnsupportedData, "text only")
		default:
			k.handle(message)
		}
	}
}

// write is the only one that writes messages, and closes the connection; read closes when
// reading has ended.
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
		case answer := <-k.replies:
			err = k.send(answer, writeTimeout)
		case levels := <-k.meters.newest:
			err = k.send(levels, writeTimeout)
		case <-next:
			next = nil
			pace.Reset(statePace - time.Since(sent)) // after a quiet moment, at once
		case <-pace.C:
			sent = time.Now()
			rev, next, err = k.sendState(rev)
		case <-ping.C:
			err = k.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeout))
		case <-k.closing:
			k.flushAndClose(read)
			return
		}
		if err != nil {
			k.close(websocket.CloseNormalClosure, "")
			return
		}
	}
}

// flushAndClose writes the queued replies and the close frame, and gives the client a moment
// to receive them.
func (k *socket) flushAndClose(read <-chan struct{}) {
	for waits := true; waits; {
		select {
		case answer := <-k.replies:
			if k.send(answer, closeTimeout) != nil {
				return
			}
		default:
			waits = false
		}
	}
	// Best effort: the connection closes with or without it.
	if k.conn.WriteControl(websocket.CloseMessage, k.closeFrame, time.Now().Add(closeTimeout)) != nil {
		return
	}
	select {
	case <-read:
	case <-time.After(closeTimeout):
	}
}

func (k *socket) send(message []byte, within time.Duration) error {
	if err := k.conn.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	return k.conn.WriteMessage(websocket.TextMessage, message)
}

// sendState writes what changed since rev, if anything did. The first one tells the client
// its name and role.
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
	return now, next, k.send(b.Bytes(), writeTimeout)
}

// handle handles one message of the client.
func (k *socket) handle(message []byte) {
	req, fault := parseRequest(message)
	switch {
	case !k.limit.Allow():
		k.reply(req.ID, nil, auth.TooFast())
		k.close(closePolicy, "too many commands")
	case fault != nil:
		k.replyFault(req.ID, fault)
	case req.Method == "ping":
		k.reply(req.ID, nil, nil)
	default:
		k.queue(req)
	}
}

// closedForAbuse reports whether the server closed the websocket for what its client did.
// The queued rest of a flood would run for minutes, ahead of the commands of others.
func (k *socket) closedForAbuse() bool {
	select {
	case <-k.closing:
		return len(k.closeFrame) >= 2 && int(binary.BigEndian.Uint16(k.closeFrame)) == closePolicy
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
		area = make(chan request, maxWaiting)
		k.areas[name] = area
		k.workers.Go(func() {
			for req := range area {
				k.runCommand(req)
			}
		})
	}
	select {
	case area <- req:
	default:
		k.reply(req.ID, nil, fmt.Errorf("%d commands are already waiting: %w", maxWaiting, control.ErrTooMany))
	}
}

// runCommand runs one command. Closing the websocket does not cancel it; shutting down the
// server does.
func (k *socket) runCommand(req request) {
	ctx := k.server.clients.ctx
	if ctx.Err() != nil || k.closedForAbuse() {
		return
	}
	result, err := k.server.cfg.Studio.Execute(ctx, k.who, req.Method, req.Params)
	k.reply(req.ID, result, err)
}
