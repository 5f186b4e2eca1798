package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"path"
	"regexp"
	"strings"
	"time"

	"obvan/control"
	"obvan/control/auth"
	"obvan/ingest"
	"obvan/internal/text"
)

// handler answers every request.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", s.serveSocket)
	mux.HandleFunc("GET /watch/{stream}", s.serveFrames)
	mux.HandleFunc("POST /api/v1/login", s.login)
	mux.HandleFunc("POST /api/v1/logout", s.logout)
	mux.HandleFunc("GET /api/v1/me", s.atLeast(control.Viewer, s.me))
	mux.HandleFunc("GET /api/v1/state", s.atLeast(control.Viewer, s.state))
	mux.HandleFunc("GET /api/v1/commands", s.atLeast(control.Viewer, s.commands))
	mux.HandleFunc("GET /api/v1/platforms", s.atLeast(control.Viewer, s.platforms))
	mux.HandleFunc("PUT /api/v1/clips/{name}", s.atLeast(control.Director, s.putClip))
	mux.HandleFunc("PUT /api/v1/logos/{name}", s.atLeast(control.Operator, s.putLogo))
	mux.HandleFunc("GET /api/v1/logos/{file}", s.atLeast(control.Viewer, s.getLogo))
	mux.HandleFunc("GET /api/v1/clock/{stream}", s.atLeast(control.Viewer, s.clock))
	mux.HandleFunc("GET /api/v1/addresses", s.atLeast(control.Viewer, s.addresses))
	mux.HandleFunc("GET /api/v1/camera/{feed}", s.camera)
	mux.HandleFunc("GET /api/v1/snapshot/{file}", s.atLeast(control.Viewer, s.snapshot))
	mux.HandleFunc("GET /api/v1/qr", s.atLeast(control.Operator, s.qrCode))
	mux.HandleFunc("POST /api/v1/qr", s.atLeast(control.Operator, s.qrCode))
	mux.HandleFunc("POST /api/v1/{command}", s.atLeast(control.Viewer, s.command))
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, fmt.Errorf("%s %s: %w", r.Method, text.Quote(r.URL.Path), control.ErrNotFound))
	})
	mux.HandleFunc("/whep/", s.atLeast(control.Viewer, s.whep))
	mux.HandleFunc("/whip/", s.whip)
	mux.Handle("GET /metrics", s.metrics())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("/debug/pprof/", s.atLeast(control.Admin, pprof.Index))
	mux.HandleFunc("/debug/pprof/profile", s.atLeast(control.Admin, pprof.Profile))
	mux.HandleFunc("/debug/pprof/trace", s.atLeast(control.Admin, pprof.Trace))
	mux.HandleFunc("/debug/pprof/symbol", s.atLeast(control.Admin, pprof.Symbol))
	mux.HandleFunc("/debug/pprof/cmdline", func(w http.ResponseWriter, r *http.Request) {
		http.NotFound(w, r) // it would show the -token flag
	})
	mux.Handle("/", s.panel())
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.fail(w, fmt.Errorf("a page of another site may not do this: %w", control.ErrForbidden))
	}))
	return securityHeaders(sameOrigin.Handler(mux))
}

var hostPattern = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]{1,255}$`)

// securityHeaders sets the headers that tell browsers what pages of ours may do.
func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A client that does not read its answer does not hold it forever. A deadline that
		// can't be set is no reason to refuse; a websocket clears it.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout))
		connect := "'self'"
		if hostPattern.MatchString(r.Host) { // not every browser counts ws: as 'self'
			connect += " ws://" + r.Host + " wss://" + r.Host
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; connect-src "+connect+
			"; media-src 'self' blob: mediastream:; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:"+
			"; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(self), microphone=(self), geolocation=()")
		if strings.HasPrefix(r.URL.Path, "/api/") {
			h.Set("Cache-Control", "no-store")
		}
		next.ServeHTTP(w, r)
	})
}

// body reads a request's body, bounded in bytes and time.
func body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return nil, control.Invalidf("the body is too long: %d bytes at most", maxBody)
	case err != nil:
		return nil, control.Invalidf("the body is incomplete")
	}
	return b, nil
}

// command is POST /api/v1/{command}.
func (s *Server) command(w http.ResponseWriter, r *http.Request) {
	if !s.cfg.Access.CommandLimit(control.CallerOf(r.Context()).Name).Allow() {
		s.fail(w, auth.TooFast())
		return
	}
	args, err := body(w, r)
	if err != nil {
		s.fail(w, err)
		return
	}
	result, err := s.cfg.Studio.Execute(r.Context(), control.CallerOf(r.Context()), r.PathValue("command"), args)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.answer(w, map[string]any{"result": result})
}

func (s *Server) answer(w http.ResponseWriter, v any) { s.write(w, http.StatusOK, v) }

// fail answers with an error and its HTTP status.
func (s *Server) fail(w http.ResponseWriter, err error) {
	code, status := control.Code(err)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="obvan"`)
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	}
	s.write(w, status, map[string]any{"error": map[string]any{"code": code, "message": s.cfg.Studio.Redact(control.Message(err))}})
}

func (s *Server) write(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		s.log.Error("an answer can't be marshalled", "err", err)
		http.Error(w, `{"error":{"code":"internal","message":"the answer can't be written"}}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that has disconnected misses nothing
}

func (s *Server) me(w http.ResponseWriter, r *http.Request) {
	s.answer(w, control.CallerOf(r.Context()).You)
}

func (s *Server) state(w http.ResponseWriter, r *http.Request) {
	sections, rev, _ := s.cfg.Store.Since(0)
	s.answer(w, map[string]any{"rev": rev, "sections": sections, "you": control.CallerOf(r.Context()).You})
}

func (s *Server) commands(w http.ResponseWriter, _ *http.Request) { s.answer(w, s.cfg.Commands) }

func (s *Server) platforms(w http.ResponseWriter, _ *http.Request) {
	if s.cfg.Platforms == nil {
		s.answer(w, []any{})
		return
	}
	s.answer(w, s.cfg.Platforms)
}

// clock lets a player measure the latency of the video it shows.
func (s *Server) clock(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Monitor != nil {
		if rtp, arrived, ok := s.cfg.Monitor.Clock(r.PathValue("stream")); ok {
			ms := func(t time.Time) float64 { return float64(t.UnixMicro()) / 1000 }
			s.answer(w, map[string]any{"rtp": rtp, "arrivedMs": ms(arrived), "nowMs": ms(time.Now())})
			return
		}
	}
	s.fail(w, fmt.Errorf("no viewer of %s: %w", text.Quote(r.PathValue("stream")), control.ErrNotFound))
}

func (s *Server) whep(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Monitor == nil {
		s.fail(w, fmt.Errorf("monitoring is not available on this server: %w", control.ErrNotFound))
		return
	}
	s.addICELinks(w)
	s.cfg.Monitor.ServeViewer(w, withClientAddr(r), control.CallerOf(r.Context()).Name)
}

// withClientAddr is r with the address of its client, where a proxy passed it on.
func withClientAddr(r *http.Request) *http.Request {
	from := clientAddr(r)
	if from == r.RemoteAddr {
		return r
	}
	r = r.Clone(r.Context())
	r.RemoteAddr = from
	return r
}

// whip lets cameras in. Who may publish is decided there, by Authorise; an operator's
// page shows its cookie, which the WHIP server can't read.
func (s *Server) whip(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Whip == nil {
		s.fail(w, fmt.Errorf("WHIP is not available on this server: %w", control.ErrNotFound))
		return
	}
	r = withClientAddr(r)
	if r.Header.Get("Authorization") == "" && !r.URL.Query().Has("key") {
		if token := tokenIn(r, false); token != "" {
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", "Bearer "+token)
		}
	}
	// A TURN server's password is for whoever may publish.
	ask := ingest.Request{Stream: path.Base(path.Clean(r.URL.Path)), Key: tokenIn(r, false), Proto: "whip", Remote: r.RemoteAddr}
	if servers := s.cfg.ICE; servers != nil && len(servers()) > 0 && r.Method != http.MethodDelete && s.cfg.Studio.Authorise(ask) == nil {
		s.addICELinks(w)
	}
	s.cfg.Whip.ServeHTTP(w, r)
}

// addICELinks names the STUN and TURN servers for browsers (RFC 9725, 4.6).
func (s *Server) addICELinks(w http.ResponseWriter) {
	if s.cfg.ICE == nil {
		return
	}
	for _, link := range s.cfg.ICE() {
		w.Header().Add("Link", link)
	}
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if !s.cfg.Studio.Ready() {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	io.WriteString(w, "ok\n")
}
