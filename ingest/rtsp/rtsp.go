// Package rtsp takes feeds over RTSP 1.0 (RFC 2326): devices push to us (ANNOUNCE and
// RECORD, media over the same connection or over UDP), or we pull from them.
//
// A device pushes to rtsp://HOST/live/<feed> or rtsp://HOST/<feed>, with its key as
// ?key= or as the password of any user, by Basic or Digest (RFC 2617). A feed's key is
// stored in the clear and can be checked by Digest; of an operator's token only the hash
// is stored, so Digest can't be used with it.
package rtsp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/auth"

	"obvan/ingest"
	"obvan/internal/listen"
)

const (
	maxConns     = 256
	admitTimeout = 10 * time.Second // from the first byte to RECORD
	writeTimeout = 5 * time.Second
	defaultPort  = "8554"
	maxSilence   = ingest.PeerTimeout - time.Second // checked once a second
)

// server is a bound listener.
type server struct {
	env ingest.Env
	lib *gortsplib.Server
	ln  *listen.Listener

	mu       sync.Mutex
	sessions map[*gortsplib.ServerSession]*session

	lost, invalid atomic.Uint64 // packets since the last log line
}

// Listen binds u for devices that push to us. Media over UDP arrives on the pair of
// ports two above the RTSP port, or on any pair when that is 0. rtsps needs env.TLS, and
// carries media over the connection only.
func Listen(u *url.URL, env ingest.Env) (ingest.Server, error) {
	s := &server{env: env, sessions: map[*gortsplib.ServerSession]*session{}}
	secure := u.Scheme == "rtsps"
	if secure && env.TLS == nil {
		return nil, errors.New("listen rtsps: no certificate")
	}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("listen rtsp: %w", err)
	}
	s.ln = &listen.Listener{Listener: ln, Max: maxConns, AdmitTimeout: admitTimeout}
	s.lib = &gortsplib.Server{
		Handler: s, RTSPAddress: ln.Addr().String(),
		ReadTimeout: maxSilence, WriteTimeout: writeTimeout,
		AuthMethods: []auth.VerifyMethod{auth.VerifyMethodBasic, auth.VerifyMethodDigestMD5}, // ffmpeg fails where SHA-256 is offered
		Listen:      func(string, string) (net.Listener, error) { return s.ln, nil },
	}
	if secure {
		s.lib.TLSConfig = env.TLS
		return s, nil
	}
	if s.lib.UDPRTPAddress, s.lib.UDPRTCPAddress, s.lib.ListenPacket, err = listen.UDPPairAbove(u.Hostname(), port); err != nil {
		ln.Close()
		return nil, fmt.Errorf("listen rtsp: %w", err)
	}
	return s, nil
}

// Addr is where devices push to.
func (s *server) Addr() string { return s.ln.Addr().String() }

// Run serves until ctx is done and all sessions have ended.
func (s *server) Run(ctx context.Context) error {
	if err := listen.Run(ctx, s.lib, s.checkSessions); err != nil {
		return fmt.Errorf("rtsp: %w", err)
	}
	return nil
}

// checkSessions closes silent sessions, and logs the packets lost since the last check.
func (s *server) checkSessions(now time.Time) {
	var silent []*session
	s.mu.Lock()
	for _, se := range s.sessions {
		if se.silent(now) {
			silent = append(silent, se)
		}
	}
	s.mu.Unlock()
	for _, se := range silent {
		s.env.Log.Warn("feed is silent", "feed", se.request.Stream, "proto", "rtsp", "remote", se.request.Remote)
		se.lib.Close()
	}
	lost, invalid := s.lost.Swap(0), s.invalid.Swap(0)
	if lost+invalid > 0 && s.env.Log.Enabled(context.Background(), slog.LevelDebug) {
		s.env.Log.Debug("rtp packets", "lost", lost, "broken", invalid)
	}
}

func (s *server) session(lib *gortsplib.ServerSession) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[lib]
}
