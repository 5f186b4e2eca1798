package whip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"obvan/hub"
	"obvan/ingest"
	"obvan/internal/signalling"
)

const path = "/whip/"

// ServeHTTP is WHIP: POST /whip/<feed>, and DELETE on the Location of its response.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	feed, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, path), "/")
	switch {
	case r.Method == http.MethodPost && id == "":
		s.post(w, r, feed)
	case r.Method == http.MethodDelete && id != "":
		s.delete(w, feed, id)
	case r.Method == http.MethodOptions:
		signalling.Options(w)
	default:
		signalling.Allow(w)
		refuse(w, http.StatusMethodNotAllowed, fmt.Errorf("WHIP does not use %s", r.Method))
	}
}

func (s *Server) post(w http.ResponseWriter, r *http.Request, feed string) {
	request := ingest.Request{Stream: feed, Key: key(r), Proto: "whip", Remote: r.RemoteAddr}
	// Before the body is read: an unauthorised client costs no memory.
	if err := s.admissible(request); err != nil {
		s.reject(w, request, err)
		return
	}
	body, status, err := signalling.Read(w, r)
	if err != nil {
		refuse(w, status, err)
		return
	}
	se, answer, err := s.admit(r.Context(), request, body)
	if err != nil {
		s.reject(w, request, err)
		return
	}
	signalling.Created(w, path+feed+"/"+se.id, answer)
}

// admissible checks in advance what Publish checks.
func (s *Server) admissible(request ingest.Request) error {
	if err := ingest.CheckName(request.Stream); err != nil && request.Stream != ingest.Mixer {
		return err
	}
	return s.env.Authorise(request)
}

// admit makes a session from an offer, and the answer to it.
func (s *Server) admit(ctx context.Context, request ingest.Request, body string) (*session, string, error) {
	offer, err := readOffer(body)
	if err != nil {
		return nil, "", err
	}
	feed, err := s.env.Publish(request)
	if errors.Is(err, hub.ErrPublishing) && s.evict(ctx, request.Stream) {
		feed, err = s.env.Publish(request)
	}
	if err != nil {
		return nil, "", err
	}
	se := newSession(rand.Text(), request, feed, s.log)
	if err := s.add(se); err != nil {
		feed.Close()
		return nil, "", err
	}
	answer, err := se.negotiate(s.ports, offer)
	if err != nil {
		se.end(err)
		se.close()
		s.remove(se)
		return nil, "", err
	}
	go func() {
		defer s.remove(se)
		se.log.Info("publisher connected")
		err := se.run()
		se.close()
		se.log.Info("publisher disconnected", "reason", err)
	}()
	return se, answer, nil
}

func (s *Server) delete(w http.ResponseWriter, feed, id string) {
	se := s.session(feed, id)
	if se == nil {
		refuse(w, http.StatusNotFound, errors.New("there is no such session"))
		return
	}
	se.end(errDisconnected)
	<-se.closed // so that the camera may reconnect at once under the same name
	w.WriteHeader(http.StatusOK)
}

// key is the feed's key, or an operator's token, that the client sent.
func key(r *http.Request) string {
	if kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(kind, "Bearer") {
		return strings.TrimSpace(token)
	}
	if k := r.URL.Query().Get("key"); k != "" {
		return k
	}
	return r.URL.Query().Get("token")
}

// reject refuses a request, with the reason.
func (s *Server) reject(w http.ResponseWriter, request ingest.Request, err error) {
	s.log.Info("publisher refused", "feed", request.Stream, "remote", request.Remote, "err", err)
	for _, known := range []struct {
		is     error
		status int
	}{
		{ingest.ErrUnauthorised, http.StatusUnauthorized},
		{ingest.ErrBadName, http.StatusNotFound},
		{ingest.ErrReserved, http.StatusNotFound},
		{hub.ErrPublishing, http.StatusConflict},
		{errFull, http.StatusServiceUnavailable},
		{errNotNow, http.StatusServiceUnavailable},
		{errNoH264, http.StatusNotAcceptable},
		{errNoCodec, http.StatusNotAcceptable},
		{signalling.ErrAnswer, http.StatusBadRequest},
	} {
		if errors.Is(err, known.is) {
			refuse(w, known.status, known.is)
			return
		}
	}
	if errors.Is(err, signalling.ErrOffer) {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	s.log.Error("publish", "feed", request.Stream, "remote", request.Remote, "err", err)
	refuse(w, http.StatusInternalServerError, errors.New("internal error; see the server's log"))
}

// refuse responds with a sentence for people to read.
func refuse(w http.ResponseWriter, code int, err error) {
	switch code {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="obvan"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "2")
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	message := err.Error()
	_, _ = io.WriteString(w, strings.ToUpper(message[:1])+message[1:]+".\n")
}
