package control

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

	"obvan/ingest"
)

// Bounds of a request.
const (
	mostBody      = 64 << 10
	mostHeaders   = 32 << 10
	headerTimeout = 5 * time.Second
	bodyTimeout   = 10 * time.Second
	answerTimeout = time.Minute
	idleTimeout   = 2 * time.Minute
)

// Server is an http.Server for the studio with its timeouts set; the caller listens,
// adds its certificate, and shuts it down.
func (s *Studio) Server() *http.Server {
	return &http.Server{Handler: s.Handler(), ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: mostHeaders}
}

// Handler is every door of the studio that speaks HTTP.
func (s *Studio) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", s.serveSocket)
	mux.HandleFunc("GET /watch/{stream}", s.serveFrames)
	mux.HandleFunc("POST /api/v1/login", s.login)
	mux.HandleFunc("POST /api/v1/logout", s.logout)
	mux.HandleFunc("GET /api/v1/me", s.atLeast(Viewer, s.me))
	mux.HandleFunc("GET /api/v1/state", s.atLeast(Viewer, s.state))
	mux.HandleFunc("GET /api/v1/commands", s.atLeast(Viewer, s.commands))
	mux.HandleFunc("GET /api/v1/platforms", s.atLeast(Viewer, s.platforms))
	mux.HandleFunc("PUT /api/v1/clips/{name}", s.atLeast(Director, s.putClip))
	mux.HandleFunc("PUT /api/v1/logos/{name}", s.atLeast(Operator, s.putLogo))
	mux.HandleFunc("GET /api/v1/logos/{file}", s.atLeast(Viewer, s.getLogo))
	mux.HandleFunc("GET /api/v1/clock/{stream}", s.atLeast(Viewer, s.clock))
	mux.HandleFunc("GET /api/v1/addresses", s.atLeast(Viewer, s.addresses))
	mux.HandleFunc("GET /api/v1/camera/{feed}", s.camera)
	mux.HandleFunc("GET /api/v1/snapshot/{file}", s.atLeast(Viewer, s.snapshot))
	mux.HandleFunc("GET /api/v1/qr", s.atLeast(Operator, s.qrCode))
	mux.HandleFunc("POST /api/v1/qr", s.atLeast(Operator, s.qrCode))
	mux.HandleFunc("POST /api/v1/{command}", s.atLeast(Viewer, s.command))
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, fmt.Errorf("there is no %s %s: %w", r.Method, quote(r.URL.Path), ErrNotFound))
	})
	mux.HandleFunc("/whep/", s.atLeast(Viewer, s.whep))
	mux.HandleFunc("/whip/", s.whip)
	mux.Handle("GET /metrics", s.metrics())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("/debug/pprof/", s.atLeast(Admin, pprof.Index))
	mux.HandleFunc("/debug/pprof/profile", s.atLeast(Admin, pprof.Profile))
	mux.HandleFunc("/debug/pprof/trace", s.atLeast(Admin, pprof.Trace))
	mux.HandleFunc("/debug/pprof/symbol", s.atLeast(Admin, pprof.Symbol))
	mux.HandleFunc("/debug/pprof/cmdline", func(w http.ResponseWriter, r *http.Request) {
		http.NotFound(w, r) // it would show the -token flag
	})
	mux.Handle("/", s.panel())
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.fail(w, fmt.Errorf("a page of another site may not do this: %w", ErrForbidden))
	}))
	return guard(sameOrigin.Handler(mux))
}

var hostPattern = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]{1,255}$`)

// guard sets what browsers must know before they trust a page of ours.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Who does not take an answer does not hold it for ever. A deadline that can't
		// be set (a recorder in tests) is no reason to refuse; a websocket clears it.
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
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return nil, badf("the body is too long: %d bytes at most", mostBody)
	case err != nil:
		return nil, badf("the body did not arrive whole")
	}
	return b, nil
}

// command is POST /api/v1/{command}.
func (s *Studio) command(w http.ResponseWriter, r *http.Request) {
	if !s.access.floods.of(callerOf(r.Context()).Name).Allow() {
		s.fail(w, tooFast())
		return
	}
	args, err := body(w, r)
	if err != nil {
		s.fail(w, err)
		return
	}
	result, err := s.run(r.Context(), callerOf(r.Context()), r.PathValue("command"), args)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.answer(w, map[string]any{"result": result})
}

func (s *Studio) answer(w http.ResponseWriter, v any) { s.write(w, http.StatusOK, v) }

// fail answers with an error, in words and with its status.
func (s *Studio) fail(w http.ResponseWriter, err error) {
	word, status := Code(err)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="obvan"`)
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	}
	s.write(w, status, map[string]any{"error": map[string]any{"code": word, "message": s.scrub(sentence(err))}})
}

func (s *Studio) write(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		s.log.Error("an answer can't be marshalled", "err", err)
		http.Error(w, `{"error":{"code":"internal","message":"the answer can't be written"}}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // who does not listen any more misses nothing
}

// login gives a browser a cookie for a token.
func (s *Studio) login(w http.ResponseWriter, r *http.Request) {
	var args struct {
		Token string `json:"token"`
	}
	b, err := body(w, r)
	if err == nil {
		err = decode(b, &args)
	}
	var you You
	if err == nil {
		you, err = s.access.who(args.Token, r.RemoteAddr)
	}
	if err != nil {
		s.refused(r, err)
		s.fail(w, err)
		return
	}
	http.SetCookie(w, s.cookie(r, args.Token, int(cookieAge.Seconds())))
	s.answer(w, map[string]any{"result": you})
}

func (s *Studio) logout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, s.cookie(r, "", -1))
	s.answer(w, map[string]any{"result": nil})
}

func (s *Studio) cookie(r *http.Request, token string, age int) *http.Cookie {
	return &http.Cookie{
		Name: cookie, Value: token, Path: "/", MaxAge: age, HttpOnly: true,
		SameSite: http.SameSiteStrictMode, Secure: s.opts.Secure || r.TLS != nil,
	}
}

func (s *Studio) me(w http.ResponseWriter, r *http.Request) { s.answer(w, callerOf(r.Context()).You) }

func (s *Studio) state(w http.ResponseWriter, r *http.Request) {
	sections, rev, _ := s.store.Since(0)
	s.answer(w, map[string]any{"rev": rev, "sections": sections, "you": callerOf(r.Context()).You})
}

func (s *Studio) commands(w http.ResponseWriter, _ *http.Request) { s.answer(w, describe(Commands())) }

func (s *Studio) platforms(w http.ResponseWriter, _ *http.Request) {
	if s.opts.Platforms == nil {
		s.answer(w, []any{})
		return
	}
	s.answer(w, s.opts.Platforms)
}

// clock lets a player measure how old the picture it shows is.
func (s *Studio) clock(w http.ResponseWriter, r *http.Request) {
	if s.rooms.Monitor != nil {
		if rtp, arrived, ok := s.rooms.Monitor.Clock(r.PathValue("stream")); ok {
			ms := func(t time.Time) float64 { return float64(t.UnixMicro()) / 1000 }
			s.answer(w, map[string]any{"rtp": rtp, "arrivedMs": ms(arrived), "nowMs": ms(time.Now())})
			return
		}
	}
	s.fail(w, fmt.Errorf("nobody watches %s: %w", quote(r.PathValue("stream")), ErrNotFound))
}

func (s *Studio) whep(w http.ResponseWriter, r *http.Request) {
	if s.rooms.Monitor == nil {
		s.fail(w, fmt.Errorf("this server has no monitor: %w", ErrNotFound))
		return
	}
	s.linkICE(w)
	s.rooms.Monitor.ServeViewer(w, fromAfar(r), callerOf(r.Context()).Name)
}

// fromAfar is r with the address it comes from, where a proxy passed it on.
func fromAfar(r *http.Request) *http.Request {
	from := remote(r)
	if from == r.RemoteAddr {
		return r
	}
	r = r.Clone(r.Context())
	r.RemoteAddr = from
	return r
}

// whip lets cameras in. Who may publish is decided there, by Authorise; an operator's
// page shows its cookie, which only we know how to read.
func (s *Studio) whip(w http.ResponseWriter, r *http.Request) {
	if s.rooms.Whip == nil {
		s.fail(w, fmt.Errorf("this server takes no cameras by WHIP: %w", ErrNotFound))
		return
	}
	r = fromAfar(r)
	if r.Header.Get("Authorization") == "" && !r.URL.Query().Has("key") {
		if token := tokenIn(r, false); token != "" {
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", "Bearer "+token)
		}
	}
	// A TURN server's password is for whoever may publish.
	ask := ingest.Request{Stream: path.Base(path.Clean(r.URL.Path)), Key: tokenIn(r, false), Proto: "whip", Remote: r.RemoteAddr}
	if servers := s.opts.ICE; servers != nil && len(servers()) > 0 && r.Method != http.MethodDelete && s.Authorise(ask) == nil {
		s.linkICE(w)
	}
	s.rooms.Whip.ServeHTTP(w, r)
}

// linkICE names the servers that help a browser to get through to us (RFC 9725, 4.6).
func (s *Studio) linkICE(w http.ResponseWriter) {
	if s.opts.ICE == nil {
		return
	}
	for _, link := range s.opts.ICE() {
		w.Header().Add("Link", link)
	}
}

func (s *Studio) ready(w http.ResponseWriter, _ *http.Request) {
	if !s.doors.serving.Load() {
		http.Error(w, "not yet, or not any more", http.StatusServiceUnavailable)
		return
	}
	io.WriteString(w, "ok\n")
}
