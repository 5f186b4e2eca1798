package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"obvan/media/rtmp"
)

// The handshake (RTMP 1.0, 5.2): one byte of version, then twice 1536 bytes, in each
// direction.
const (
	handshakeStart = 1 + 1536
	handshakeAll   = handshakeStart + 1536
)

// conn is one connection. go-rtmp reads from it on one goroutine, which runs the whole
// reading side, and writes to it from another.
type conn struct {
	net.Conn // nil: the methods of net.Conn that go-rtmp never calls

	server *Server
	transport
	lifecycle
	in     incoming
	bridge bridge
	out    Out
}

// transport is the network connection.
type transport struct {
	net    net.Conn // raw, or TLS on top of it
	raw    net.Conn
	host   string
	remote string // host:port
	since  time.Time
}

// lifecycle is how far the connection got and how it ends.
type lifecycle struct {
	ctx     context.Context
	cancel  context.CancelFunc
	busy    atomic.Bool // it publishes or plays
	playing atomic.Bool
	closing atomic.Bool // our last message is sent: the client gets time to read it
	once    sync.Once
	players sync.WaitGroup
}

// incoming is the reading side.
type incoming struct {
	handshakeRead int    // bytes of the handshake handed to go-rtmp
	start         []byte // of the handshake, read before go-rtmp was involved and not yet handed on
	r             *rtmp.Reader
	m             rtmp.Message // the current one; a field, so that passing it on does not allocate
	login         time.Time    // when the client must have requested publish or play
	sink          Sink         // nil while it does not publish
	forGoRTMP     []byte       // commands that go-rtmp has yet to read
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, transport: transport{net: nc, raw: nc, remote: nc.RemoteAddr().String(), since: time.Now()}}
	c.host, _, _ = net.SplitHostPort(c.remote)
	if s.opts.TLS != nil {
		c.net = tls.Server(nc, s.opts.TLS)
	}
	c.out.c = c
	c.out.w = rtmp.NewWriter(c.net)
	return c
}

// awaitHandshake waits for the first half of a handshake. Until then a connection costs
// a goroutine and two kilobytes; in go-rtmp it costs a hundred.
func (c *conn) awaitHandshake() {
	c.net.SetReadDeadline(time.Now().Add(handshakeTimeout))
	c.in.start = make([]byte, handshakeStart)
	if _, err := io.ReadFull(c.net, c.in.start); err != nil || c.in.start[0] != 3 {
		c.Close()
		return
	}
	select {
	case c.server.handshaken.conns <- c:
	case <-c.ctx.Done():
		c.Close()
	}
}

// Read is called by go-rtmp: it returns the handshake, then commands. All other messages
// are handled here before it returns.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.read(p)
	if err != nil {
		c.stopPublishing() // now, not when go-rtmp has finished closing: the stream name must be free
		if !c.closing.Load() {
			c.raw.Close()
		}
	}
	return n, err
}

func (c *conn) read(p []byte) (int, error) {
	if c.in.handshakeRead < handshakeAll {
		return c.readHandshake(p)
	}
	if c.in.r == nil {
		if err := c.startReading(); err != nil {
			return 0, err
		}
	}
	for len(c.in.forGoRTMP) == 0 {
		if err := c.next(); err != nil {
			c.logEnd(err)
			return 0, err
		}
	}
	n := copy(p, c.in.forGoRTMP)
	c.in.forGoRTMP = c.in.forGoRTMP[n:]
	return n, nil
}

func (c *conn) readHandshake(p []byte) (n int, err error) {
	if len(c.in.start) > 0 {
		n = copy(p, c.in.start)
		c.in.start = c.in.start[n:]
	} else {
		n, err = c.net.Read(p[:min(len(p), handshakeAll-c.in.handshakeRead)])
	}
	c.in.handshakeRead += n
	return n, err
}

// startReading starts reading chunks. The client gets our chunk size before anything
// else: many clients then use it for their own messages.
func (c *conn) startReading() error {
	c.in.r = rtmp.NewReader(&progressReader{conn: c})
	c.awaitRequest()
	w := c.out.Begin()
	w.Control(rtmp.TypeWindowAck, 2_500_000)
	w.Control(rtmp.TypePeerBandwidth, 2_500_000)
	w.SetChunkSize(rtmp.ChunkSize)
	return c.out.End()
}

// livenessBytes is how many bytes show that a publisher is alive. A few bytes now and
// then are not enough.
const livenessBytes = 16 << 10

// progressReader reads from a connection and extends its deadline as bytes arrive: on a
// slow uplink one keyframe may take longer than a publisher may be silent.
type progressReader struct {
	conn     *conn
	received int // since the deadline was last extended
}

func (f *progressReader) Read(p []byte) (int, error) {
	n, err := f.conn.net.Read(p)
	if f.received += n; f.received >= livenessBytes && f.conn.in.sink != nil {
		f.received = 0
		f.conn.extendDeadline()
	}
	return n, err
}

// extendDeadline gives a publisher another PeerTimeout.
func (c *conn) extendDeadline() { c.net.SetReadDeadline(time.Now().Add(c.server.opts.PeerTimeout)) }

// awaitRequest sets the deadline for a client that neither publishes nor plays.
func (c *conn) awaitRequest() {
	c.in.login = time.Now().Add(loginTimeout)
	c.net.SetReadDeadline(c.in.login)
}

// next reads and handles one message.
func (c *conn) next() error {
	var err error
	m := &c.in.m
	if *m, err = c.in.r.Read(); err != nil {
		return err
	}
	if seq, due := c.in.r.AckDue(); due {
		c.out.Begin().Control(rtmp.TypeAck, seq)
		if err := c.out.End(); err != nil {
			return err
		}
	}
	switch m.Type {
	case rtmp.TypeAudio, rtmp.TypeVideo, rtmp.TypeData:
		if c.in.sink != nil {
			c.extendDeadline()
			c.in.sink.Message(m)
		}
	case rtmp.TypeUserControl:
		if event, value, ok := m.Event(); ok && event == rtmp.EventPingRequest {
			c.out.Begin().Event(rtmp.EventPingResponse, value)
			return c.out.End()
		}
	case rtmp.TypeCommand:
		return c.command(m)
	}
	return nil
}

// stopPublishing ends publishing; the connection may continue.
func (c *conn) stopPublishing() {
	if c.in.sink == nil {
		return
	}
	c.in.sink.Close()
	c.in.sink = nil
	c.in.r.Media(false)
	c.busy.Store(false)
}

// logEnd logs why a publisher's connection ended, unless the publisher closed it.
func (c *conn) logEnd(err error) {
	switch {
	case c.in.sink == nil, err == io.EOF, c.ctx.Err() != nil:
		return
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("nothing received for %v", c.server.opts.PeerTimeout)
	}
	c.server.opts.Log.Warn("publisher lost", "proto", "rtmp", "remote", c.remote, "err", err)
}

// Close is called by go-rtmp on the reading goroutine when it has finished, and by
// awaitHandshake when go-rtmp never got the connection.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.cancel()
		c.stopPublishing()
		if c.closing.Load() {
			c.linger()
		}
		c.raw.Close()
		c.players.Wait()
		c.server.remove(c)
	})
	return nil
}

// linger reads on for a while: closing with unread bytes resets the connection, and a
// reset makes the client discard what it has not read yet.
func (c *conn) linger() {
	if half, ok := c.net.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	c.net.SetReadDeadline(time.Now().Add(lingerTime))
	io.Copy(io.Discard, io.LimitReader(c.net, 4<<20))
}
