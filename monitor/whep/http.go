package whep

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"obvan/hub"
	"obvan/internal/netaddr"
	"obvan/internal/signalling"
)

const path = "/whep/"

var (
	errFull           = errors.New("the server has reached its viewer limit")
	errFullToken      = errors.New("this token has reached its viewer limit")
	errFullRemote     = errors.New("this address has reached its viewer limit")
	errVideoParameter = errors.New(`video must be "keyframes", or omitted to get every frame`)
	errNotRunning     = errors.New("the server is not accepting viewers now")
)

// ServeHTTP is WHEP: POST /whep/<stream>, DELETE and PATCH on its Location.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.ServeViewer(w, r, "") }

// ServeViewer is ServeHTTP for a client whose name the caller knows, see End.
func (s *Server) ServeViewer(w http.ResponseWriter, r *http.Request, who string) {
	name, ok := strings.CutPrefix(r.URL.Path, path)
	if !ok || name == "" {
		refuse(w, http.StatusNotFound, hub.ErrNoStream)
		return
	}
	switch r.Method {
	case http.MethodPost:
		s.post(w, r, name, who)
	case http.MethodDelete:
		s.delete(w, name)
	case http.MethodOptions:
		signalling.Options(w)
	default:
		signalling.Allow(w)
		refuse(w, http.StatusMethodNotAllowed, fmt.Errorf("%s is not supported here", r.Method))
	}
}

func (s *Server) post(w http.ResponseWriter, r *http.Request, stream, who string) {
	body, code, err := signalling.Read(w, r)
	if err != nil {
		refuse(w, code, err)
		return
	}
	keyframes, err := keyframesOnly(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	v, reply, err := s.admit(request{stream: stream, remote: netaddr.Host(r.RemoteAddr), who: who, keyframesOnly: keyframes}, body)
	if err != nil {
		s.log.Debug("viewer refused", "stream", stream, "remote", r.RemoteAddr, "err", err)
		refuse(w, status(err), err)
		return
	}
	signalling.Created(w, path+stream+"/"+v.id, reply)
}

// keyframesOnly reports whether only keyframes are requested.
func keyframesOnly(r *http.Request) (bool, error) {
	switch r.URL.Query().Get("video") {
	case "":
		return false, nil
	case "keyframes":
		return true, nil
	}
	return false, errVideoParameter
}

func (s *Server) delete(w http.ResponseWriter, name string) {
	slash := strings.LastIndexByte(name, '/')
	if slash < 0 {
		w.Header().Set("Allow", "POST, OPTIONS")
		refuse(w, http.StatusMethodNotAllowed, errors.New("DELETE is for a session, not for a stream"))
		return
	}
	s.mu.Lock()
	v := s.viewers[name[slash+1:]]
	s.mu.Unlock()
	if v == nil || v.stream != name[:slash] {
		refuse(w, http.StatusNotFound, errors.New("there is no such session"))
		return
	}
	v.end(errViewerLeft)
	w.WriteHeader(http.StatusOK)
}

// admit creates the viewer of an offer and returns the SDP answer. A stream that browsers
// can't play is replaced by its low-resolution version where there is one.
func (s *Server) admit(req request, offer string) (*viewer, string, error) {
	src, err := s.source(req.stream)
	if err != nil {
		return nil, "", err
	}
	stats, _ := s.hub.Stream(req.stream)
	unplayable := watchable(stats.Tracks)
	if unplayable == nil {
		unplayable = src.refused(stats.Tracks)
	}
	if unplayable != nil && !s.lowRes.available(stats.Tracks, unplayable) {
		return nil, "", unplayable
	}
	audio, err := checkOffer(offer)
	if err != nil {
		return nil, "", err
	}
	v := &viewer{
		id: rand.Text(), request: req, content: content{hub: s.hub, source: src, transcoders: s.transcoders}, udp: s.udp,
		video:     newSender(webrtc.RTPCodecTypeVideo, req.stream),
		feedback:  feedback{nacks: make(chan []rtcp.NackPair, 16), keyframeRequests: make(chan struct{}, 1), wake: make(chan struct{}, 1)},
		lifecycle: lifecycle{connected: make(chan struct{})},
	}
	if audio {
		v.audio = newSender(webrtc.RTPCodecTypeAudio, req.stream)
	}
	if unplayable != nil {
		if err := v.useLowRes(s.lowRes); err != nil {
			return nil, "", err
		}
	}
	reply, err := s.begin(v, offer)
	return v, reply, err
}

// begin answers the offer and serves the viewer.
func (s *Server) begin(v *viewer, offer string) (reply string, err error) {
	ctx, end := context.WithCancelCause(context.Background())
	v.end, v.done = end, ctx.Done()
	api, err := s.enter(v)
	if err != nil {
		end(err)
		v.release()
		return "", err
	}
	reply, err = v.negotiate(api, offer)
	if err != nil {
		end(err)
		if v.pc != nil {
			_ = v.pc.GracefulClose()
		}
		s.leave(v)
		return "", err
	}
	go func() {
		defer s.leave(v)
		s.log.Debug("viewer connected", v.attrs()...)
		err := v.serve(ctx)
		end(err)
		s.log.Debug("viewer disconnected", append(v.attrs(), "err", err)...)
	}()
	return reply, nil
}

// enter registers a viewer, within the limits.
func (s *Server) enter(v *viewer) (*webrtc.API, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.api == nil {
		return nil, errNotRunning
	}
	if len(s.viewers) >= s.limits.viewers {
		return nil, errFull
	}
	token, remote := 0, 0
	for _, other := range s.viewers {
		if v.who != "" && other.who == v.who {
			token++
		}
		if other.remote == v.remote {
			remote++
		}
	}
	if token >= s.limits.byToken {
		return nil, errFullToken
	}
	if remote >= s.limits.byRemote {
		return nil, errFullRemote
	}
	s.viewers[v.id], v.connectTimeout = v, s.limits.connect
	s.sessions.Add(1)
	return s.api, nil
}

func (s *Server) leave(v *viewer) {
	s.mu.Lock()
	delete(s.viewers, v.id)
	s.mu.Unlock()
	v.release()
	s.sessions.Done()
}

// negotiate makes the peer connection and answers the offer.
func (v *viewer) negotiate(api *webrtc.API, offer string) (string, error) {
	pc, err := api.NewPeerConnection(webrtc.Configuration{BundlePolicy: webrtc.BundlePolicyMaxBundle})
	if err != nil {
		return "", fmt.Errorf("%w: %w", signalling.ErrAnswer, err)
	}
	v.pc = pc
	pc.OnConnectionStateChange(v.connectionChanged)
	only := webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}
	if _, err := pc.AddTransceiverFromTrack(v.video, only); err != nil {
		return "", fmt.Errorf("%w: %w", signalling.ErrAnswer, err)
	}
	pc.GetSenders()[0].Transport().ICETransport().OnSelectedCandidatePairChange(v.pathSelected)
	if v.audio != nil {
		if _, err := pc.AddTransceiverFromTrack(v.audio, only); err != nil {
			return "", fmt.Errorf("%w: %w", signalling.ErrAnswer, err)
		}
	}
	return answer(pc, offer)
}

func status(err error) int {
	switch {
	case errors.Is(err, hub.ErrNoStream):
		return http.StatusNotFound
	case errors.Is(err, errFullToken), errors.Is(err, errFullRemote):
		return http.StatusTooManyRequests
	case errors.Is(err, errFull), errors.Is(err, errNotRunning), errors.Is(err, errNoTracks):
		return http.StatusServiceUnavailable
	case errors.Is(err, errNoH264), errors.Is(err, errUnusable):
		return http.StatusNotAcceptable
	case errors.Is(err, signalling.ErrOffer), errors.Is(err, signalling.ErrAnswer):
		return http.StatusBadRequest
	}
	return http.StatusConflict // browsers can't show the stream
}

// refuse responds with the error as a sentence, which the panel shows.
func refuse(w http.ResponseWriter, code int, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if code == http.StatusServiceUnavailable || code == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	text := err
	if errors.Is(err, hub.ErrNoStream) {
		text = errNotLive
	}
	if errors.Is(err, signalling.ErrAnswer) {
		text = signalling.ErrAnswer
	}
	w.WriteHeader(code)
	_, _ = io.WriteString(w, sentence(text)+"\n")
}

var errNotLive = errors.New("the stream is not live")
