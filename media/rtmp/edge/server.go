package edge

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	gortmp "github.com/yutopp/go-rtmp"

	"obvan/internal/retry"
	"obvan/media/rtmp"
)

// Server accepts connections.
type Server struct {
	handlers   Handlers
	opts       Options
	listener   net.Listener
	handshaken connListener // hands go-rtmp the connections that have begun a handshake
	quiet      *logrus.Logger

	mu     sync.Mutex
	conns  map[*conn]struct{}
	ending bool
	all    sync.WaitGroup
}

// Listen binds addr.
func Listen(addr string, handlers Handlers, opts Options) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err // it already names the operation and the address
	}
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	quiet.SetLevel(logrus.PanicLevel) // otherwise it formats what it discards
	return &Server{
		handlers: handlers, opts: opts, listener: l, quiet: quiet,
		handshaken: connListener{conns: make(chan *conn), closed: make(chan struct{})},
		conns:      map[*conn]struct{}{},
	}, nil
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run serves until ctx is done and all connections have ended.
func (s *Server) Run(ctx context.Context) error {
	library := gortmp.NewServer(&gortmp.ServerConfig{OnConnect: s.onConnect})
	served := make(chan struct{})
	go func() {
		defer close(served)
		library.Serve(&s.handshaken) // returns when library is closed, always with an error
	}()
	stop := context.AfterFunc(ctx, func() { s.listener.Close() })
	defer stop()
	err := s.accept(ctx)
	s.listener.Close()
	s.endAll()
	s.all.Wait()
	library.Close()
	s.handshaken.Close() // go-rtmp does not close a listener that Serve has not registered yet
	<-served
	return err
}

// accept accepts connections until ctx is done.
func (s *Server) accept(ctx context.Context) error {
	wait := retry.Backoff{Min: 5 * time.Millisecond, Max: time.Second}
	for {
		nc, err := s.listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // most likely out of file descriptors, which is temporary
			s.opts.Log.Warn("can't accept connections", "proto", "rtmp", "err", err)
			if retry.Sleep(ctx, wait.Next()) != nil {
				return nil
			}
		default:
			wait.Reset()
			s.admit(ctx, nc)
		}
	}
}

// admit takes in a connection. When there are too many, it replaces the oldest one that
// neither publishes nor plays: a client that only opens connections displaces its own
// and cannot shut out others.
func (s *Server) admit(ctx context.Context, nc net.Conn) {
	c := newConn(s, nc)
	c.ctx, c.cancel = context.WithCancel(ctx)
	s.mu.Lock()
	old := s.toEvict(c.host)
	full := old == nil && s.full(c.host)
	if !full && !s.ending {
		if old != nil {
			delete(s.conns, old)
		}
		s.conns[c] = struct{}{}
		s.all.Add(1)
	} else {
		full = true
	}
	s.mu.Unlock()
	if old != nil {
		old.raw.Close()
	}
	if full {
		c.cancel()
		nc.Close()
		return
	}
	go c.awaitHandshake()
}

// full reports whether a limit on connections is reached; the caller holds s.mu.
func (s *Server) full(host string) bool {
	return len(s.conns) >= maxConns || s.countFrom(host) >= maxPerHost
}

func (s *Server) countFrom(host string) (n int) {
	for c := range s.conns {
		if c.host == host {
			n++
		}
	}
	return n
}

// toEvict is the connection to close for one more from host, nil when there is none.
func (s *Server) toEvict(host string) *conn {
	total := len(s.conns) >= maxConns
	if !total && s.countFrom(host) < maxPerHost {
		return nil
	}
	var oldest *conn
	for c := range s.conns {
		if c.busy.Load() || !total && c.host != host {
			continue
		}
		if oldest == nil || c.since.Before(oldest.since) {
			oldest = c
		}
	}
	return oldest
}

// endAll closes publishers and idle connections at once; players get their last message.
func (s *Server) endAll() {
	s.mu.Lock()
	s.ending = true
	all := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		c.cancel()
		if c.playing.Load() {
			c.raw.SetWriteDeadline(time.Now().Add(lingerTime)) // it may be blocked in a write
		} else {
			c.raw.Close()
		}
	}
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.all.Done()
}

// onConnect is go-rtmp's hook; it decides what go-rtmp uses as its connection.
func (s *Server) onConnect(nc net.Conn) (io.ReadWriteCloser, *gortmp.ConnConfig) {
	c := nc.(*conn)
	return c, &gortmp.ConnConfig{
		Handler:                   &handler{c: c},
		SkipHandshakeVerification: true,
		Logger:                    s.quiet,
		ControlState: gortmp.StreamControlStateConfig{
			DefaultChunkSize: rtmp.ChunkSize, MaxChunkStreams: 8, MaxMessageStreams: maxStreams + 2,
		},
	}
}

// connListener is the listener that go-rtmp accepts from.
type connListener struct {
	conns  chan *conn
	once   sync.Once
	closed chan struct{}
}

// Accept returns the next connection that has begun a handshake.
func (d *connListener) Accept() (net.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (d *connListener) Close() error {
	d.once.Do(func() { close(d.closed) })
	return nil
}

// Addr is never called.
func (d *connListener) Addr() net.Addr { return &net.TCPAddr{} }
