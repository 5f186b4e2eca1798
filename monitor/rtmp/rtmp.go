// Package rtmp plays any stream of the hub to players and other studios over RTMP, read-only:
// rtmp://HOST/live/<stream>?token=<token>. Cameras publish to a port of their own.
package rtmp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"obvan/hub"
	"obvan/media/rtmp/edge"
)

// Authorise decides whether a client with this token may watch stream. Its error is sent to
// the player.
type Authorise = func(stream, token, remote string) error

// Server is a bound play-out port.
type Server struct {
	hub       *hub.Hub
	authorise Authorise
	log       *slog.Logger
	edge      *edge.Server
}

// Listen binds u, rtmp://host:port or rtmps://host:port; rtmps needs conf.
func Listen(u *url.URL, h *hub.Hub, authorise Authorise, conf *tls.Config, log *slog.Logger) (*Server, error) {
	s := &Server{hub: h, authorise: authorise, log: log}
	opts := edge.Options{Log: log}
	if u.Scheme == "rtmps" {
		if conf == nil {
			return nil, errors.New("rtmps: there is no certificate")
		}
		opts.TLS = conf
	}
	var err error
	if s.edge, err = edge.Listen(u.Host, edge.Handlers{Play: s.play}, opts); err != nil {
		return nil, fmt.Errorf("rtmp play-out: %w", err)
	}
	return s, nil
}

// Addr is where players connect to.
func (s *Server) Addr() string { return s.edge.Addr() }

// Run serves players until ctx is done and all are disconnected.
func (s *Server) Run(ctx context.Context) error { return s.edge.Run(ctx) }

// play accepts or refuses a player that the RTMP server (edge) has read a request of.
func (s *Server) play(r edge.Request) (edge.Player, error) {
	if r.App != "live" {
		return nil, edge.Refusal{Code: "NetStream.Play.StreamNotFound", Message: "play rtmp://HOST/live/STREAM"}
	}
	token := r.Query.Get("token")
	if token == "" {
		token = r.Query.Get("key")
	}
	if err := s.authorise(r.Name, token, r.Remote); err != nil {
		return nil, edge.Refusal{Code: "NetStream.Play.Failed", Message: err.Error()}
	}
	sub, err := s.hub.Subscribe(r.Name)
	if err != nil {
		return nil, edge.Refusal{Code: "NetStream.Play.StreamNotFound", Message: "nothing is live under this name"}
	}
	s.log.Info("player connected", "proto", "rtmp", "feed", r.Name, "remote", r.Remote)
	p := &player{sub: sub}
	return p.run, nil
}
