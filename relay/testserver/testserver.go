// Package sink is a far end: a small RTMP server that takes what is published to
// it, keeps it or only counts it, and behaves as well or as badly as it is told.
// Tests and drills send to it.
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

// Behaviour is how the sink treats a publisher. The zero value is a good server.
type Behaviour struct {
	Refuse     string        // answers publish with an error and these words
	NoAnswer   bool          // never answers publish
	CloseFirst bool          // closes instead of answering publish
	CloseAfter time.Duration // closes so long after it accepted; 0 does not
	Reset      bool          // and does so with a reset
	StallAfter time.Duration // stops reading so long after it accepted; 0 does not
	Rate       int           // reads no faster than so many bytes a second; 0 is at will
	NoAcks     bool          // does not acknowledge
	OnPing     PingBehaviour // what it does at a ping
	Buffer     int           // the socket's receive buffer; 0 is the system's
	CountOnly  bool          // keeps no units
	TimesOnly  bool          // keeps the units' times, and the data of the first
	Discard    bool          // does not even look at what comes: for measuring the sender
}

// Pinged is what a server does when a publisher pings it.
type PingBehaviour uint8

// All of these exist.
const (
	AnswerPings PingBehaviour = iota
	IgnorePings
	CloseOnPing
)

// Now is a CloseAfter or StallAfter of no time at all.
const Now = time.Nanosecond

// Server is a far end. Its methods are safe for concurrent use.
type Server struct {
	ln     net.Listener
	secure bool

	SessionLog
}

// Listen binds addr ("127.0.0.1:0"); with a config it speaks TLS.
func Listen(addr string, config *tls.Config) (*Server, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("sink: %w", err)
	}
	s := &Server{ln: ln, secure: config != nil}
	if config != nil {
		s.ln = tls.NewListener(ln, config)
	}
	return s, nil
}

// Narrow has the system keep no more than about so many bytes for who reads slowly. It
// is for the time before the first connection.
func (s *Server) LimitReceiveBuffer(bytes int) {
	if ln, ok := s.ln.(*net.TCPListener); ok {
		sock.LimitReceiveBuffer(ln, bytes)
	}
}

// Segment has what comes arrive in pieces of so many bytes at most, as it does over a
// network. On one machine they have 64 kB, and the window of who reads slowly opens in
// lumps of seconds. It is for the time before the first connection.
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
			return fmt.Errorf("sink: %w", err)
		}
		open.Go(func() {
			defer conn.Close()
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			s.serve(ctx, conn)
		})
	}
}
