// Package rtmp takes feeds from devices that push by RTMP or RTMPS:
// rtmp://HOST/live/<feed>?key=<key>, and the vision mixer's output from
// rtmp://HOST/mixer/<key>.
package rtmp

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"obvan/hub"
	"obvan/ingest"
	"obvan/media/rtmp/edge"
)

// The applications: in RTMP, the first part of the path.
const (
	appLive  = "live"
	appMixer = "mixer"
)

// Codes of refusals (RTMP's onStatus). After rejected, OBS does not retry.
const (
	badName  = "NetStream.Publish.BadName"
	rejected = "NetStream.Publish.Rejected"
)

type server struct {
	env  ingest.Env
	edge *edge.Server
}

// Listen binds u, rtmp://host:port or rtmps://host:port; rtmps needs env.TLS.
func Listen(u *url.URL, env ingest.Env) (ingest.Server, error) {
	s := &server{env: env}
	opts := edge.Options{PeerTimeout: ingest.PeerTimeout, Log: env.Log}
	if u.Scheme == "rtmps" {
		if env.TLS == nil {
			return nil, errors.New("rtmps: there is no certificate")
		}
		opts.TLS = env.TLS
	}
	var err error
	if s.edge, err = edge.Listen(u.Host, edge.Handlers{Publish: s.publish}, opts); err != nil {
		return nil, fmt.Errorf("rtmp: %w", err)
	}
	return s, nil
}

// Run serves until ctx is done.
func (s *server) Run(ctx context.Context) error { return s.edge.Run(ctx) }

// Addr is where it listens.
func (s *server) Addr() string { return s.edge.Addr() }

// publish admits or refuses a device, for the edge.
func (s *server) publish(r edge.Request) (edge.Sink, error) {
	request := ingest.Request{Stream: r.Name, Key: key(r.Query), Proto: "rtmp", Remote: r.Remote}
	switch r.App {
	case appLive:
		if r.Name == ingest.Mixer { // it has its own application
			return nil, refusal(ingest.ErrReserved)
		}
	case appMixer:
		// The key is in the place of the feed's name: OBS has only one field for both.
		if request.Stream = ingest.Mixer; r.Name != "" {
			request.Key = r.Name
		}
	default:
		return nil, edge.Refusal{Code: badName, Message: "publish to rtmp://HOST/live with stream name FEED?key=KEY"}
	}
	feed, err := s.env.Publish(request)
	if err != nil {
		refused := refusal(err)
		// Log the refusal alone: an invalid name may be a key in the wrong field.
		s.env.Log.Info("publisher refused", "proto", "rtmp", "remote", r.Remote, "err", refused)
		return nil, refused
	}
	log := s.env.Log.With("feed", request.Stream, "proto", "rtmp", "remote", r.Remote)
	log.Info("publisher connected")
	return newCamera(feed, log), nil
}

func key(q url.Values) string {
	if k := q.Get("key"); k != "" {
		return k
	}
	return q.Get("token")
}

// refusal turns an error of ingest into an RTMP status.
func refusal(err error) error {
	for _, awaitTracks := range []struct {
		err  error
		code string
	}{
		{ingest.ErrUnauthorised, rejected},
		{ingest.ErrBadName, badName},
		{ingest.ErrReserved, badName},
		{hub.ErrPublishing, badName},
	} {
		if errors.Is(err, awaitTracks.err) {
			return edge.Refusal{Code: awaitTracks.code, Message: awaitTracks.err.Error()}
		}
	}
	return err
}
