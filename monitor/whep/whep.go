// Package whep shows any stream to browsers by WHEP (draft-ietf-wish-whep): one
// POST with an offer, one answer, media over one UDP port with TCP as fallback.
package whep

import (
	"context"
	"log/slog"
	"net/http"

	"obvan/hub"
	"obvan/media"
)

// Server answers WHEP requests. It is an http.Handler for /whep/<stream>; the
// caller has checked who asks.
type Server struct{}

// New binds addr for UDP and TCP, same port ("127.0.0.1:0" picks one).
func New(h *hub.Hub, addr string, log *slog.Logger) (*Server, error) { panic("not built yet") }

// Addr is where media goes.
func (s *Server) Addr() string { panic("not built yet") }

// Run serves viewers until ctx is done and all are gone.
func (s *Server) Run(ctx context.Context) error { panic("not built yet") }

// ServeHTTP is WHEP: POST /whep/<stream>, DELETE and PATCH on its Location.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { panic("not built yet") }

// Watchable says whether browsers can show a stream with these tracks, and if
// not, why, in words.
func Watchable(tracks *media.Tracks) (ok bool, why string) { panic("not built yet") }
