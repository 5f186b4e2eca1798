// Package whip takes feeds from browsers and encoders that publish by WHIP (RFC
// 9725): one POST of an offer to /whip/<feed>, one answer, media over the server's
// WebRTC port. The picture is H.264, the sound Opus.
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

// How many may publish. A crew of phones may sit behind one address.
const (
	maxSessions = 64
	maxByRemote = 24
)

// Ports is where media comes in: the one WebRTC port, which WHEP uses too.
type Ports interface {
	API(engine *webrtc.MediaEngine, interceptors *interceptor.Registry, tune func(*webrtc.SettingEngine)) (*webrtc.API, error)
}

// Server answers WHIP requests. It is an http.Handler for /whip/; who may publish is
// asked of the studio's authoriser.
type Server struct {
	env   ingest.Env
	ports Ports
	log   *slog.Logger

	mu       sync.Mutex
	running  bool
	sessions map[string]*session // by id
	active   sync.WaitGroup      // one for each session
}

// New makes a server whose media comes in at ports.
func New(env ingest.Env, ports Ports) *Server {
	return &Server{env: env, ports: ports, log: env.Log.With("proto", "whip"), sessions: map[string]*session{}}
}

// Run lets cameras in until ctx is done and all of them have left.
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
	errFull     = errors.New("the server has as many cameras as it can take")
	errNotNow   = errors.New("the server takes no cameras now")
)

// enter counts a session in, if there is room. leave takes it out.
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

// A phone that lost its network comes back before its old connection is known to be
// dead. Whoever may publish the feed may take it over from a session that has been
// silent for staleAfter.
const (
	staleAfter   = 2 * time.Second
	evictTimeout = 2 * time.Second
)

// evict ends a session that publishes feed and is silent, and waits until it has
// left. It reports whether there was one.
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
