// Package whip takes feeds from browsers and encoders that publish by WHIP (RFC
// 9725): one POST of an offer to /whip/<feed>, one answer, media over the server's
// WebRTC port. The video is H.264, the audio Opus.
package whip

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"obvan/ingest"
)

// How many may publish. Many phones may share one public address.
const (
	maxSessions = 64
	maxByRemote = 24
)

// Ports is where media arrives: the one WebRTC port, shared with WHEP.
type Ports interface {
	API(engine *webrtc.MediaEngine, interceptors *interceptor.Registry, tune func(*webrtc.SettingEngine)) (*webrtc.API, error)
}

// Server answers WHIP requests. It is an http.Handler for /whip/; env.Authorise decides
// who may publish.
type Server struct {
	env   ingest.Env
	ports Ports
	log   *slog.Logger

	mu       sync.Mutex
	running  bool
	sessions map[string]*session // by id
	active   sync.WaitGroup      // one per session
}

// New makes a server whose media arrives at ports.
func New(env ingest.Env, ports Ports) *Server {
	return &Server{env: env, ports: ports, log: env.Log.With("proto", "whip"), sessions: map[string]*session{}}
}

// Run admits cameras until ctx is done and all sessions have ended.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	s.running = true
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.running = false
	for _, se := range s.sessions {
		se.end(errStopping)
	}
	s.mu.Unlock()
	s.active.Wait()
	return nil
}

var (
	errStopping = errors.New("the server is stopping")
	errFull     = errors.New("the server has reached its limit of cameras")
	errNotNow   = errors.New("the server does not accept cameras at the moment")
)

// add registers a session within the limits. remove takes it out.
func (s *Server) add(se *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	same := 0
	for _, other := range s.sessions {
		if other.host == se.host {
			same++
		}
	}
	switch {
	case !s.running:
		return errNotNow
	case len(s.sessions) >= maxSessions || same >= maxByRemote:
		return errFull
	}
	s.sessions[se.id] = se
	s.active.Add(1)
	return nil
}

func (s *Server) remove(se *session) {
	s.mu.Lock()
	delete(s.sessions, se.id)
	s.mu.Unlock()
	s.active.Done()
}

func (s *Server) session(feed, id string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if se := s.sessions[id]; se != nil && se.feed == feed {
		return se
	}
	return nil
}

// A phone that lost its network reconnects before its old connection is known to be
// dead. A client that may publish the feed may take it over from a session that has
// been silent for staleAfter.
const (
	staleAfter   = 2 * time.Second
	evictTimeout = 2 * time.Second
)

// evict ends a silent session that publishes feed, and waits until it has ended. It
// reports whether there was one.
func (s *Server) evict(ctx context.Context, feed string) bool {
	var stale *session
	s.mu.Lock()
	for _, se := range s.sessions {
		if se.feed == feed && se.silentFor(time.Now()) > staleAfter {
			stale = se
		}
	}
	s.mu.Unlock()
	if stale == nil {
		return false
	}
	stale.end(errTakenOver)
	select {
	case <-stale.closed:
	case <-time.After(evictTimeout):
	case <-ctx.Done():
	}
	return true
}
