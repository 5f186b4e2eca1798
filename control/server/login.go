package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"obvan/control"
	"obvan/control/args"
	"obvan/internal/netaddr"
	"obvan/internal/text"
)

// cookie is the name of the login cookie.
const cookie = "obvan"

const cookieAge = 30 * 24 * time.Hour

// tokenIn is the token of a request. Only pages that can't send it otherwise may have it in
// their address, which ends up in histories and logs.
func tokenIn(r *http.Request, inQuery bool) string {
	if h := r.Header.Get("Authorization"); h != "" {
		kind, token, _ := strings.Cut(h, " ")
		if !strings.EqualFold(kind, "Bearer") {
			return ""
		}
		return strings.TrimSpace(token)
	}
	if inQuery && r.URL.Query().Has("token") {
		return r.URL.Query().Get("token")
	}
	if c, err := r.Cookie(cookie); err == nil {
		return c.Value
	}
	return ""
}

// callerIn is who sends a request. ErrUnauthorised, ErrTooMany.
func (s *Server) callerIn(r *http.Request, inQuery bool) (control.Caller, error) {
	token := tokenIn(r, inQuery)
	you, err := s.cfg.Access.Who(token, r.RemoteAddr)
	if err != nil && token != "" {
		s.refused(r, err)
	}
	return control.Caller{You: you, Remote: r.RemoteAddr, Kind: control.Script}, err
}

// refused logs a token that was refused, but not as often as someone can try.
func (s *Server) refused(r *http.Request, err error) {
	if s.cfg.Access.LogRefusal() {
		s.log.Warn("token refused", "remote", r.RemoteAddr, "path", text.Quote(r.URL.Path), "err", err)
	}
}

// atLeast passes requests to next from a role, or those above it, only.
func (s *Server) atLeast(least control.Role, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := s.callerIn(r, false)
		if err == nil && c.Role < least {
			err = fmt.Errorf("this needs the role %s, yours is %s: %w", least, c.Role, control.ErrForbidden)
		}
		if err != nil {
			s.fail(w, err)
			return
		}
		next(w, r.WithContext(control.WithCaller(r.Context(), c)))
	}
}

// LoginLink is the panel's address at host:port. A token goes in its fragment, which
// browsers keep to themselves.
func (s *Server) LoginLink(addr, token string) string {
	u := url.URL{Scheme: "http", Host: addr, Path: "/"}
	if s.cfg.Secure {
		u.Scheme = "https"
	}
	if token != "" {
		u.Fragment = "token=" + token
	}
	return u.String()
}

// login gives a browser a cookie for a token.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	var given struct {
		Token string `json:"token"`
	}
	b, err := body(w, r)
	if err == nil {
		err = args.Decode(b, &given)
	}
	var you control.You
	if err == nil {
		you, err = s.cfg.Access.Who(given.Token, r.RemoteAddr)
	}
	if err != nil {
		s.refused(r, err)
		s.fail(w, err)
		return
	}
	http.SetCookie(w, s.cookie(r, given.Token, int(cookieAge.Seconds())))
	s.answer(w, map[string]any{"result": you})
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, s.cookie(r, "", -1))
	s.answer(w, map[string]any{"result": nil})
}

func (s *Server) cookie(r *http.Request, token string, age int) *http.Cookie {
	return &http.Cookie{
		Name: cookie, Value: token, Path: "/", MaxAge: age, HttpOnly: true,
		SameSite: http.SameSiteStrictMode, Secure: s.cfg.Secure || r.TLS != nil,
	}
}

// unknownAddr is an address that is not this machine's.
const unknownAddr = "0.0.0.0:0"

// clientAddr is the host:port a request comes from. A proxy on this machine passes on
// requests of others, who do not have the rights of this machine: their address is the last
// one in its header (RFC 7239, 5.2, for the header "Forwarded"). Nor does a page whose name
// was made to resolve to this machine (DNS rebinding): its browser sends that name as Host.
func clientAddr(r *http.Request) string {
	passed := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
	if !netaddr.Loopback(r.RemoteAddr) || passed == "" && r.Header.Get("Forwarded") == "" && netaddr.Loopback(r.Host) {
		return r.RemoteAddr
	}
	last := netaddr.IP(strings.TrimSpace(passed[strings.LastIndexByte(passed, ',')+1:]))
	if !last.IsValid() || last.IsLoopback() {
		return unknownAddr
	}
	return netip.AddrPortFrom(last, 0).String()
}
