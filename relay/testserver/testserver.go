// Package testserver is a small RTMP server that takes what is published to it, stores it
// or only counts it, and behaves as well or as badly as it is told. Tests and self-tests
// send to it.
package testserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"obvan/internal/sock"
)

// Behaviour is how the server treats a publisher. The zero value is a good server.
type Behaviour struct {
	Refuse     string        // answers publish with an error and this text
	NoAnswer   bool          // never answers publish
	CloseFirst bool          // closes instead of answering publish
	CloseAfter time.Duration // closes this long after it accepted; 0 does not
	Reset      bool          // and does so with a reset
	StallAfter time.Duration // stops reading this long after it accepted; 0 does not
	Rate       int           // reads no more than this many bytes a second; 0 has no limit
	NoAcks     bool          // does not acknowledge
	OnPing     PingBehaviour // what it does when pinged
	Buffer     int           // the socket's receive buffer; 0 is the system's
	CountOnly  bool          // stores no units
	TimesOnly  bool          // stores the units' times, and the data of the first
	Discard    bool          // does not parse what arrives: for measuring the sender
}

// PingBehaviour is what a server does when a publisher pings it.
type PingBehaviour uint8

// Real servers do each of these.
const (
	AnswerPings PingBehaviour = iota
	IgnorePings
	CloseOnPing
)

// Now is a CloseAfter or StallAfter of no time at all.
const Now = time.Nanosecond

// Server is the server. Its methods are safe for concurrent use.
type Server struct {
	ln     net.Listener
	secure bool

	SessionLog
}

// Listen binds addr ("127.0.0.1:0"); with a config it speaks TLS.
func Listen(addr string, config *tls.Config) (*Server, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("test server: %w", err)
	}
	s := &Server{ln: ln, secure: config != nil}
	if config != nil {
		s.ln = tls.NewListener(ln, config)
	}
	return s, nil
}

// LimitReceiveBuffer has the system buffer no more than about this many bytes for a slow
// reader. Call it before the first connection.
func (s *Server) LimitReceiveBuffer(bytes int) {
	if ln, ok := s.ln.(*net.TCPListener); ok {
		sock.LimitReceiveBuffer(ln, bytes)
	}
}

// LimitSegmentSize has data arrive in segments of at most this many bytes, as it does over
// a network. On one machine segments have 64 kB, and the TCP window of a slow reader opens
// in steps of seconds. Call it before the first connection.
func (s *Server) LimitSegmentSize(bytes int) {
	if ln, ok := s.ln.(*net.TCPListener); ok {
		sock.LimitSegmentSize(ln, bytes)
	}
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// URL is its address without a key.
func (s *Server) URL() string {
	if s.secure {
		return "rtmps://" + s.Addr() + "/live"
	}
	return "rtmp://" + s.Addr() + "/live"
}

// Run serves until ctx is done and every session has ended.
func (s *Server) Run(ctx context.Context) error {
	var open sync.WaitGroup
	defer open.Wait()
	stop := context.AfterFunc(ctx, func() { s.ln.Close() })
	defer stop()
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("test server: %w", err)
		}
		open.Go(func() {
			defer conn.Close()
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			s.serve(ctx, conn)
		})
	}
}
