// Package rtsp plays any stream of the hub over RTSP 1.0 (RFC 2326), read-only:
// rtsp://HOST/<stream>. OBS pulls the cameras from here.
//
// A reader gets all frames since the newest keyframe at once, with their timestamps
// compressed into 100 ms, and then the live stream: it shows a frame as soon as it can
// decode one, and its delay does not grow by the age of that keyframe.
package rtsp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/auth"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/headers"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"

	"obvan/hub"
	"obvan/internal/listen"
	"obvan/media"
	"obvan/media/rtp"
)

const (
	maxConns      = 256
	admitTimeout  = 10 * time.Second // from the first byte to PLAY
	readTimeout   = 10 * time.Second
	writeTimeout  = 5 * time.Second // of a reader that receives nothing
	defaultPort   = "8554"
	tracksTimeout = 2 * time.Second // for a stream that is connected, but whose codecs are not known yet
	queueSize     = 1024            // packets to a reader; a power of two
)

var (
	errReadOnly = errors.New("this stream can't be played")
	errPorts    = errors.New("invalid UDP ports")
)

// Server is a bound listener.
type Server struct {
	hub       *hub.Hub
	authorise func(stream, token, remote string) error
	log       *slog.Logger
	lib       *gortsplib.Server
	ln        *listen.Listener

	mu      sync.Mutex
	players map[*gortsplib.ServerSession]*player

	skipped, overflowed, broken atomic.Uint64 // since the last log line
}

// Listen binds u. authorise decides whether a client may play a stream: the token is the
// one in ?token=, or the password of any user. With tls, media goes over the connection
// only; without, also over UDP.
func Listen(u *url.URL, h *hub.Hub, authorise func(stream, token, remote string) error, tls *tls.Config, log *slog.Logger) (*Server, error) {
	s := &Server{hub: h, authorise: authorise, log: log, players: map[*gortsplib.ServerSession]*player{}}
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
		Handler: s, RTSPAddress: ln.Addr().String(), TLSConfig: tls,
		ReadTimeout: readTimeout, WriteTimeout: writeTimeout, WriteQueueSize: queueSize,
		AuthMethods:              []auth.VerifyMethod{auth.VerifyMethodBasic}, // authorise needs the password itself
		DisableRTCPSenderReports: true,                                        // they are wrong by up to 0.8 s: see senderReports
		Listen:                   func(string, string) (net.Listener, error) { return s.ln, nil },
	}
	if tls != nil {
		return s, nil
	}
	if s.lib.UDPRTPAddress, s.lib.UDPRTCPAddress, s.lib.ListenPacket, err = listen.UDPPairAbove(u.Hostname(), port); err != nil {
		ln.Close()
		return nil, fmt.Errorf("listen rtsp: %w", err)
	}
	return s, nil
}

// Addr is where readers connect to.
func (s *Server) Addr() string { return s.ln.Addr().String() }

// Run serves until ctx is done and all readers are disconnected.
func (s *Server) Run(ctx context.Context) error {
	if err := listen.Run(ctx, s.lib, s.logSlowReaders); err != nil {
		return fmt.Errorf("rtsp: %w", err)
	}
	return nil
}

// logSlowReaders logs what readers missed since the last call.
func (s *Server) logSlowReaders(time.Time) {
	if skipped, overflowed, broken := s.skipped.Swap(0), s.overflowed.Swap(0), s.broken.Swap(0); skipped+overflowed+broken > 0 {
		s.log.Debug("slow readers", "proto", "rtsp", "skipped", skipped, "overflowed", overflowed, "broken", broken)
	}
}

func response(code base.StatusCode, reason string) *base.Response {
	return &base.Response{StatusCode: code, StatusMessage: reason}
}

// admit decides whether the client may play the stream, and finds its name and tracks. resp
// is nil when it may.
func (s *Server) admit(conn *gortsplib.ServerConn, req *base.Request, path, query string) (stream string, tracks *media.Tracks, resp *base.Response, err error) {
	stream = strings.TrimPrefix(strings.Trim(path, "/"), "live/") // the prefix that cameras publish with works here, too
	remote := conn.NetConn().RemoteAddr().String()
	if err := s.authorise(stream, token(query, req), remote); err != nil {
		s.log.Info("reader refused", "stream", stream, "proto", "rtsp", "remote", remote)
		return "", nil, response(base.StatusUnauthorized, "Unauthorized"), liberrors.ErrServerAuth{}
	}
	if tracks = s.tracks(stream); tracks == nil {
		return "", nil, response(base.StatusNotFound, "No such stream"), nil
	}
	return stream, tracks, nil, nil
}

// tracks is a stream's tracks; one that has just connected is given a moment to report them.
func (s *Server) tracks(stream string) *media.Tracks {
	late := time.NewTimer(tracksTimeout)
	defer late.Stop()
	for {
		changed := s.hub.Changed()
		st, ok := s.hub.Stream(stream)
		if !ok || st.Tracks != nil {
			return st.Tracks
		}
		select {
		case <-changed:
		case <-late.C:
			return nil
		}
	}
}

func token(query string, req *base.Request) string {
	if q, err := url.ParseQuery(query); err == nil && q.Get("token") != "" {
		return q.Get("token")
	}
	var h headers.Authorization
	if h.Unmarshal(req.Header["Authorization"]) == nil && h.Method == headers.AuthMethodBasic {
		return h.BasicPass
	}
	return ""
}

// OnDescribe describes a stream. It returns no library stream: each reader gets its own, at
// SETUP.
func (s *Server) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	_, tracks, resp, err := s.admit(ctx.Conn, ctx.Request, ctx.Path, ctx.Query)
	if resp != nil {
		return resp, nil, err
	}
	writer, err := rtp.NewWriter(tracks)
	if err != nil {
		return response(base.StatusUnsupportedMediaType, "This stream can't be sent over RTP"), nil, err
	}
	body, err := writer.Description().Marshal(false)
	if err != nil {
		return response(base.StatusInternalServerError, ""), nil, err
	}
	return &base.Response{StatusCode: base.StatusOK, Body: body}, nil, nil
}

// OnSetup makes the player at a reader's first track; for the others the library needs the
// same stream.
func (s *Server) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if ctx.Transport == gortsplib.TransportUDP && !portsUsable(ctx.Request) {
		return response(base.StatusUnsupportedTransport, "These ports can't be used"), nil, errPorts
	}
	p := s.player(ctx.Session)
	if p != nil {
		return response(base.StatusOK, "OK"), p.out, nil
	}
	stream, tracks, resp, err := s.admit(ctx.Conn, ctx.Request, ctx.Path, ctx.Query)
	if resp != nil {
		return resp, nil, err
	}
	if p, err = s.newPlayer(ctx, stream, tracks); err != nil {
		return response(base.StatusUnsupportedMediaType, "This stream can't be sent over RTP"), nil, err
	}
	s.mu.Lock()
	s.players[ctx.Session] = p
	s.mu.Unlock()
	return response(base.StatusOK, "OK"), p.out, nil
}

// portsUsable reports whether the client's UDP ports are from 1 to 65535; the library does
// not check that.
func portsUsable(req *base.Request) bool {
	var offered headers.Transports
	if offered.Unmarshal(req.Header["Transport"]) != nil {
		return false
	}
	for _, th := range offered {
		if th.ClientPorts != nil && (min(th.ClientPorts[0], th.ClientPorts[1]) < 1 || max(th.ClientPorts[0], th.ClientPorts[1]) > 65535) {
			return false
		}
	}
	return true
}

// OnPlay lifts the connection's admission timeout. Media starts after the response.
func (s *Server) OnPlay(ctx *gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	p := s.player(ctx.Session)
	if p == nil {
		return response(base.StatusBadRequest, "Bad Request"), errReadOnly
	}
	if p.conn != nil {
		p.conn.Admit()
	}
	p.playRequested = true
	return response(base.StatusOK, "OK"), nil
}

// OnResponse starts the media: the library accepts packets for a reader only once it has
// processed PLAY, and this is its first callback after that.
func (s *Server) OnResponse(conn *gortsplib.ServerConn, res *base.Response) {
	lib := conn.Session()
	if lib == nil || res.StatusCode != base.StatusOK {
		return
	}
	if p := s.player(lib); p != nil && p.playRequested && !p.started {
		p.started = true
		go p.run()
	}
}

func (s *Server) player(lib *gortsplib.ServerSession) *player {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.players[lib]
}

// OnSessionClose ends the reader.
func (s *Server) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	s.mu.Lock()
	p := s.players[ctx.Session]
	delete(s.players, ctx.Session)
	s.mu.Unlock()
	if p != nil {
		p.close()
	}
}

// OnConnClose ends the session with its connection, also when its media is sent over UDP.
func (s *Server) OnConnClose(ctx *gortsplib.ServerHandlerOnConnCloseCtx) {
	if lib := ctx.Conn.Session(); lib != nil {
		lib.Close()
	}
}

// OnPacketsLost counts; the library would write to the standard log.
func (s *Server) OnPacketsLost(ctx *gortsplib.ServerHandlerOnPacketsLostCtx) { s.broken.Add(ctx.Lost) }

// OnDecodeError counts; the library would write to the standard log.
func (s *Server) OnDecodeError(*gortsplib.ServerHandlerOnDecodeErrorCtx) { s.broken.Add(1) }

// OnStreamWriteError counts; the library would write to the standard log.
func (s *Server) OnStreamWriteError(*gortsplib.ServerHandlerOnStreamWriteErrorCtx) {
	s.overflowed.Add(1)
}
