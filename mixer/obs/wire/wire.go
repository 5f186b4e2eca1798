// Package wire is one connection to obs-websocket v5: login, requests by id with a
// context each, and events. It uses goobs' types for the messages, but not goobs' client,
// which does not recover from a request that timed out.
//
// The protocol: https://github.com/obsproject/obs-websocket/blob/master/docs/generated/protocol.md
package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/andreykaipov/goobs/api/opcodes"
	"github.com/gorilla/websocket"
)

// Errors a caller can act on.
var (
	ErrPassword = errors.New("OBS refused the password")
	ErrKicked   = errors.New("OBS ended this connection on purpose")
	ErrClosed   = errors.New("lost the connection to OBS")
	ErrSilent   = fmt.Errorf("%w: it stopped responding", ErrClosed)
	// ErrUnanswered wraps ErrClosed or a context's error: the request went out, and
	// whether OBS did it is unknown.
	ErrUnanswered = errors.New("OBS did not answer")
)

// Limits of one connection.
const (
	maxMessage = 16 << 20 // a scene list of a very large show is some hundred KB
	maxQueued  = 2048     // events waiting for their reader
	maxPending = 512      // requests waiting for their answer

	loginTime      = 5 * time.Second
	writeTime      = 5 * time.Second
	pingEvery      = 1500 * time.Millisecond
	silenceTimeout = 5 * time.Second // three pings without an answer
	answerTimeout  = 20 * time.Second
)

// Options say which OBS to connect to and which events to get from it.
type Options struct {
	Addr          string // host:port
	Password      string
	Subscriptions int                     // of api/events/subscriptions
	UsesEvent     func(event string) bool // events to queue; nil is all
}

// Conn is a connection that is logged in. Its methods are safe for concurrent use,
// except for Events, which has one reader.
type Conn struct {
	ws      *websocket.Conn
	opts    Options
	version string

	out        chan []byte
	meters     chan json.RawMessage // the newest volume meters
	inbox      inbox
	pending    pending
	identified chan struct{} // gets a token for each Identified after the first
	subs       atomic.Int64  // what was subscribed to last

	end end
	wg  sync.WaitGroup
}

// end is how the connection ended.
type end struct {
	mu   sync.Mutex
	err  error         // nil while it is open
	done chan struct{} // closes with it
}

// pending are the requests that wait for their answers, by id. The reader never blocks:
// each channel has room for its one answer.
type pending struct {
	mu   sync.Mutex
	all  map[string]chan json.RawMessage
	last uint64
}

// Dial connects and logs in. Its errors wrap ErrPassword when that is wrong.
func Dial(ctx context.Context, opts Options) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	dialer := websocket.Dialer{
		NetDialContext:   (&net.Dialer{}).DialContext,
		HandshakeTimeout: loginTime,
		Subprotocols:     []string{"obswebsocket.json"},
	}
	ws, answer, err := dialer.DialContext(ctx, "ws://"+opts.Addr, nil)
	if err != nil {
		if answer != nil {
			answer.Body.Close()
		}
		return nil, fmt.Errorf("connect to OBS: %w", err)
	}
	ws.SetReadLimit(maxMessage)
	c := &Conn{
		ws: ws, opts: opts,
		out: make(chan []byte, 64), meters: make(chan json.RawMessage, 1), inbox: inbox{ready: make(chan struct{}, 1)},
		pending: pending{all: map[string]chan json.RawMessage{}}, identified: make(chan struct{}, 1),
		end: end{done: make(chan struct{})},
	}
	c.subs.Store(int64(opts.Subscriptions))
	// The login reads without a context: closing the socket stops it.
	stop := context.AfterFunc(ctx, func() { ws.Close() })
	err = c.login()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		ws.Close()
		return nil, fmt.Errorf("log in to OBS: %w", err)
	}
	c.wg.Add(2)
	go c.read()
	go c.write()
	return c, nil
}

// Version is obs-websocket's own version, from its greeting.
func (c *Conn) Version() string { return c.version }

// Done closes when the connection is closed; Err is the reason then.
func (c *Conn) Done() <-chan struct{} { return c.end.done }

// Err is why the connection is closed; nil while it is open.
func (c *Conn) Err() error {
	c.end.mu.Lock()
	defer c.end.mu.Unlock()
	return c.end.err
}

// Close closes the connection and waits for its goroutines. Waiting calls fail.
func (c *Conn) Close() {
	c.fail(ErrClosed)
	c.wg.Wait()
}

// fail closes the connection for the first reason given.
func (c *Conn) fail(why error) {
	c.end.mu.Lock()
	first := c.end.err == nil
	if first {
		c.end.err = why
	}
	c.end.mu.Unlock()
	if !first {
		return
	}
	// With a close frame OBS ends the connection at once, else after 5 s.
	c.ws.WriteControl(websocket.CloseMessage,
		websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(100*time.Millisecond))
	c.ws.Close()
	close(c.end.done)
}

// read reads everything that arrives until the connection ends.
func (c *Conn) read() {
	defer c.wg.Done()
	alive := func() { c.ws.SetReadDeadline(time.Now().Add(silenceTimeout)) }
	alive()
	c.ws.SetPongHandler(func(string) error { alive(); return nil })
	for {
		_, raw, err := c.ws.ReadMessage()
		if err != nil {
			c.fail(socketError(err))
			return
		}
		alive()
		if err := c.receive(raw); err != nil {
			c.fail(err)
			return
		}
	}
}

// receive handles one message. It ignores what it does not know: newer servers send more.
func (c *Conn) receive(raw []byte) error {
	var msg opcodes.Message
	if err := json.Unmarshal(raw, &msg); err != nil {
		return fmt.Errorf("OBS sent something other than obs-websocket: %w", err)
	}
	switch msg.Op {
	case opIdentified:
		select {
		case c.identified <- struct{}{}:
		default:
		}
	case opEvent:
		c.event(msg.D)
	case opResponse, opBatchResponse:
		c.answered(msg.D)
	}
	return nil
}

// write is the one goroutine that sends. Its pings make the peer answer.
func (c *Conn) write() {
	defer c.wg.Done()
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		var err error
		select {
		case raw := <-c.out:
			c.ws.SetWriteDeadline(time.Now().Add(writeTime))
			err = c.ws.WriteMessage(websocket.TextMessage, raw)
		case <-ping.C:
			err = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTime))
		case <-c.end.done:
			return
		}
		if err != nil {
			c.fail(socketError(err))
			return
		}
	}
}

// send queues a message for the writer.
func (c *Conn) send(ctx context.Context, raw []byte) error {
	if err := c.Err(); err != nil {
		return err // certainly not sent
	}
	select {
	case c.out <- raw:
		return nil
	case <-c.end.done:
		return c.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
