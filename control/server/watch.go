package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"obvan/control"
	"obvan/internal/text"
	"obvan/monitor/frames"
)

// Bounds of the clients that are sent encoded frames.
const (
	maxFrameViewers = 128
	frameTimeout    = 5 * time.Second
	frameBuffer     = 256 << 10 // in the kernel; more would only be delay
	maxFromViewer   = 512
)

// serveFrames is GET /watch/{stream}: a websocket of encoded frames, for panels that decode
// them with WebCodecs (see monitor/frames).
func (s *Server) serveFrames(w http.ResponseWriter, r *http.Request) {
	who, err := s.callerIn(r, true)
	if err != nil {
		s.fail(w, err)
		return
	}
	stream := r.PathValue("stream")
	viewer, err := frames.Open(s.cfg.Hub, stream)
	if err != nil {
		s.fail(w, fmt.Errorf("%s: %w", text.Quote(stream), err))
		return
	}
	defer viewer.Close()
	ctx, cancel := context.WithCancelCause(s.clients.ctx)
	defer cancel(nil)
	leave, err := s.clients.watch(who.Name, cancel)
	if err != nil {
		s.fail(w, err)
		return
	}
	defer leave()
	up := websocket.Upgrader{HandshakeTimeout: headerTimeout, ReadBufferSize: 512, WriteBufferSize: 4096, Error: func(w http.ResponseWriter, _ *http.Request, _ int, reason error) {
		s.fail(w, control.Invalidf("this endpoint is for websockets: %v", reason))
	}}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader answered
	}
	defer conn.Close()
	if tcp, ok := underTLS(conn.NetConn()).(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(frameBuffer) // else a slow viewer is noticed late
	}
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		readUntilClosed(conn)
		cancel(io.EOF)
	}()
	sendCloseFrame(conn, sendFrames(ctx, conn, viewer))
	conn.Close()
	<-heard
}

// underTLS is the connection under TLS.
func underTLS(conn net.Conn) net.Conn {
	for {
		over, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = over.NetConn()
	}
}

// readUntilClosed reads until the client has disconnected; it sends nothing but pongs.
func readUntilClosed(conn *websocket.Conn) {
	conn.SetReadLimit(maxFromViewer)
	alive := func(string) error { return conn.SetReadDeadline(time.Now().Add(pongTimeout)) }
	conn.SetPongHandler(alive)
	for alive("") == nil {
		if _, _, err := conn.NextReader(); err != nil {
			return
		}
	}
}

// sendFrames sends until the viewer, the stream or ctx ends.
func sendFrames(ctx context.Context, conn *websocket.Conn, viewer *frames.Viewer) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.NetConn().SetWriteDeadline(time.Now().Add(closeTimeout)) })
	defer stop()
	for {
		if err := conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(frameTimeout)); err != nil {
			return err
		}
		turn, over := context.WithTimeout(ctx, pingEvery) // a stalled stream is no reason to disconnect
		err := sendUntil(turn, conn, viewer)
		over()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		}
	}
}

func sendUntil(ctx context.Context, conn *websocket.Conn, viewer *frames.Viewer) error {
	for {
		m, err := viewer.Next(ctx)
		if err != nil {
			return err
		}
		if err := sendFrame(conn, &m); err != nil {
			return err
		}
	}
}

func sendFrame(conn *websocket.Conn, m *frames.Message) error {
	if err := conn.SetWriteDeadline(time.Now().Add(frameTimeout)); err != nil {
		return err
	}
	if m.Text != nil {
		return conn.WriteMessage(websocket.TextMessage, m.Text)
	}
	w, err := conn.NextWriter(websocket.BinaryMessage)
	if err != nil {
		return err
	}
	if _, err := w.Write(m.Header); err != nil {
		return err
	}
	if _, err := w.Write(m.Data); err != nil {
		return err
	}
	return w.Close()
}

// sendCloseFrame says why it ends, in a sentence that a panel shows.
func sendCloseFrame(conn *websocket.Conn, why error) {
	code, text := closeGoingAway, "the stream ended"
	switch {
	case errors.Is(why, errRevoked):
		code, text = closePolicy, why.Error()
	case errors.Is(why, frames.ErrCodec):
		code, text = websocket.CloseUnsupportedData, why.Error()
	case errors.Is(why, context.Canceled):
		text = "the server is shutting down"
	}
	// Best effort: the connection closes with or without it.
	_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, text), time.Now().Add(closeTimeout))
}

var errRevoked = errors.New("your access was revoked")

// watch counts a client that is sent frames; cancel ends that. ErrTooMany when there are too
// many.
func (c *clients) watch(name string, cancel context.CancelCauseFunc) (leave func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.watching) >= maxFrameViewers {
		return nil, fmt.Errorf("at most %d clients may be sent frames: %w", maxFrameViewers, control.ErrTooMany)
	}
	w := &frameViewer{name, cancel}
	c.watching[w] = true
	c.all.Add(1)
	return func() {
		c.mu.Lock()
		delete(c.watching, w)
		c.mu.Unlock()
		c.all.Done()
	}, nil
}

// frameViewer is a client that is sent frames.
type frameViewer struct {
	name string
	end  context.CancelCauseFunc
}
