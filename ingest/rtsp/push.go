package rtsp

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/headers"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
	"github.com/pion/rtcp"
	pion "github.com/pion/rtp"

	"obvan/hub"
	"obvan/ingest"
	"obvan/internal/listen"
	"obvan/internal/netaddr"
	"obvan/media"
	"obvan/media/rtp"
)

// Limits of what a device may announce.
const (
	maxMedias  = 8
	maxFormats = 16
)

var (
	errAnnounce = errors.New("the session description can't be accepted")
	errPorts    = errors.New("these UDP ports can't be used")
	errNoPlay   = errors.New("this port does not play streams")
)

// session is a device that announced a feed. The library calls it from one goroutine at
// a time, except for the atomic fields.
type session struct {
	lib        *gortsplib.ServerSession
	request    ingest.Request
	conn       *listen.Conn
	reader     *rtp.Reader
	feed       *ingest.Feed // from RECORD on
	ports      []int        // the device's UDP ports; guarded by server.mu
	lastPacket atomic.Int64 // when the last packet arrived, UnixNano; 0 before RECORD
}

func (se *session) SetTracks(tracks media.Tracks) { se.feed.SetTracks(tracks) }
func (se *session) Aligned()                      { se.feed.Aligned() }
func (se *session) Write(au media.AccessUnit)     { se.feed.Write(au) }

func (se *session) silent(now time.Time) bool {
	lastPacket := se.lastPacket.Load()
	return lastPacket != 0 && now.Sub(time.Unix(0, lastPacket)) > maxSilence
}

func answer(code base.StatusCode, message string) *base.Response {
	return &base.Response{StatusCode: code, StatusMessage: message}
}

// OnAnnounce checks that a device may publish, and what.
func (s *server) OnAnnounce(ctx *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	se := &session{lib: ctx.Session, conn: listen.ConnOf(ctx.Conn.NetConn()), request: ingest.Request{
		Stream: feedName(ctx.Path), Key: key(ctx.Query, ctx.Request), Proto: "rtsp", Remote: ctx.Conn.NetConn().RemoteAddr().String(),
		Proves: digest(ctx.Conn, ctx.Request),
	}}
	if err := s.admissible(se.request); err != nil {
		return s.refuse(se.request, err)
	}
	if err := validate(ctx.Description); err != nil {
		return s.refuse(se.request, err)
	}
	reader, err := rtp.NewReader(ctx.Description, se)
	if err != nil {
		return s.refuse(se.request, err)
	}
	se.reader, se.request.UnsupportedAudioCodec = reader, reader.UnsupportedAudioCodec(ctx.Description)
	s.mu.Lock()
	s.sessions[ctx.Session] = se
	s.mu.Unlock()
	return answer(base.StatusOK, "OK"), nil
}

// admissible checks in advance what RECORD checks, before a device sets up its channels.
func (s *server) admissible(r ingest.Request) error {
	if err := ingest.CheckName(r.Stream); err != nil && r.Stream != ingest.Mixer {
		return err
	}
	if err := s.env.Authorise(r); err != nil {
		return err
	}
	if _, taken := s.env.Hub.Stream(r.Stream); taken {
		return hub.ErrPublishing
	}
	return nil
}

// refuse turns an error into an RTSP response.
func (s *server) refuse(r ingest.Request, err error) (*base.Response, error) {
	s.env.Log.Info("publisher refused", "feed", r.Stream, "proto", "rtsp", "remote", r.Remote, "err", err)
	switch {
	case errors.Is(err, ingest.ErrUnauthorised):
		// The library asks for a password when there was none, otherwise it disconnects.
		return answer(base.StatusUnauthorized, "Unauthorized"), liberrors.ErrServerAuth{}
	case errors.Is(err, hub.ErrPublishing):
		return answer(base.StatusForbidden, "The feed already has a publisher"), err
	case errors.Is(err, ingest.ErrBadName), errors.Is(err, ingest.ErrReserved):
		return answer(base.StatusNotFound, "Invalid feed name"), err
	case errors.Is(err, rtp.ErrNoTracks):
		return answer(base.StatusUnsupportedMediaType, "No H.264, H.265, AV1, AAC or Opus track"), err
	}
	return answer(base.StatusBadRequest, "Bad Request"), err
}

// feedName is the feed named in a path: /live/cam1 or /cam1.
func feedName(path string) string {
	name := strings.Trim(path, "/")
	return strings.TrimPrefix(name, "live/")
}

// key is the key that the device sent: ?key= or a password (RFC 7617).
func key(query string, req *base.Request) string {
	if q, err := url.ParseQuery(query); err == nil && q.Get("key") != "" {
		return q.Get("key")
	}
	var h headers.Authorization
	if h.Unmarshal(req.Header["Authorization"]) == nil && h.Method == headers.AuthMethodBasic {
		return h.BasicPass
	}
	return ""
}

// digest verifies a key that the device did not send but hashed; nil when it sent one or
// none. The challenge belongs to the connection, and the library creates it at the first
// call of VerifyCredentials.
func digest(conn *gortsplib.ServerConn, req *base.Request) func(key string) bool {
	var h headers.Authorization
	if h.Unmarshal(req.Header["Authorization"]) != nil || h.Method != headers.AuthMethodDigest {
		conn.VerifyCredentials(req, "nobody", "")
		return nil
	}
	return func(key string) bool { return conn.VerifyCredentials(req, h.Username, key) }
}

// validate refuses session descriptions that the library does not handle.
func validate(d *description.Session) (err error) {
	defer func() {
		if recover() != nil { // a format without parameters that its methods need
			err = errAnnounce
		}
	}()
	if len(d.Medias) == 0 || len(d.Medias) > maxMedias {
		return fmt.Errorf("%w: %d tracks", errAnnounce, len(d.Medias))
	}
	for _, m := range d.Medias {
		types := map[uint8]bool{}
		for _, f := range m.Formats {
			types[f.PayloadType()] = true
			if f.ClockRate() < 0 {
				return fmt.Errorf("%w: a clock of %d Hz", errAnnounce, f.ClockRate())
			}
			f.PTSEqualsDTS(&pion.Packet{})
		}
		if len(m.Formats) > maxFormats || len(types) != len(m.Formats) {
			return fmt.Errorf("%w: %d formats, %d payload types", errAnnounce, len(m.Formats), len(types))
		}
	}
	return nil
}

// OnSetup lets a device set up the tracks it announced. The library does not check UDP
// ports: an invalid one can leave the session half started, and with the port of another
// session from the same address it would receive that session's packets.
func (s *server) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	se := s.session(ctx.Session)
	if se == nil {
		return answer(base.StatusNotFound, "This port does not play streams"), nil, errNoPlay
	}
	if ctx.Transport == gortsplib.TransportUDP {
		var ths headers.Transports
		if err := ths.Unmarshal(ctx.Request.Header["Transport"]); err != nil {
			return answer(base.StatusBadRequest, "Bad Request"), nil, err
		}
		if err := s.claim(se, ths); err != nil {
			return answer(base.StatusUnsupportedTransport, "These ports can't be used"), nil, err
		}
	}
	return answer(base.StatusOK, "OK"), nil, nil
}

// claim reserves the device's UDP ports, of all transports it offers: the library
// chooses among them.
func (s *server) claim(se *session, offered headers.Transports) error {
	host := netaddr.Host(se.request.Remote)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, th := range offered {
		if th.Protocol != headers.TransportProtocolUDP || th.ClientPorts == nil {
			continue
		}
		for _, port := range th.ClientPorts {
			if port < 1 || port > 65535 {
				return fmt.Errorf("%w: %d", errPorts, port)
			}
			for _, other := range s.sessions {
				if host == netaddr.Host(other.request.Remote) && slices.Contains(other.ports, port) {
					return fmt.Errorf("%w: %d is in use by another session", errPorts, port)
				}
			}
		}
		se.ports = append(se.ports, th.ClientPorts[:]...)
	}
	return nil
}

// OnRecord claims the feed's name: media may follow.
func (s *server) OnRecord(ctx *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	se := s.session(ctx.Session)
	if se == nil {
		return answer(base.StatusBadRequest, "Bad Request"), errNoPlay
	}
	feed, err := s.env.Publish(se.request)
	if err != nil {
		return s.refuse(se.request, err)
	}
	se.feed = feed
	se.lastPacket.Store(time.Now().UnixNano())
	se.reader.AnnounceTracks()
	for i, f := range se.reader.Formats() {
		ctx.Session.OnPacketRTP(f.Media, f.Format, func(pkt *pion.Packet) { s.packet(se, i, pkt) })
		ctx.Session.OnPacketRTCP(f.Media, func(pkt rtcp.Packet) {
			if sr, ok := pkt.(*rtcp.SenderReport); ok {
				se.reader.SenderReport(i, sr, time.Now())
			}
		})
	}
	if se.conn != nil {
		se.conn.Admit()
	}
	s.env.Log.Info("publisher connected", "feed", se.request.Stream, "proto", "rtsp", "remote", se.request.Remote, "transport", ctx.Session.SetuppedTransport().String())
	return answer(base.StatusOK, "OK"), nil
}

func (s *server) packet(se *session, i int, pkt *pion.Packet) {
	defer func() {
		if r := recover(); r != nil { // a faulty device costs only its own session
			s.env.Log.Error("rtp packet", "feed", se.request.Stream, "remote", se.request.Remote, "err", r)
			se.lib.Close()
		}
	}()
	now := time.Now()
	se.lastPacket.Store(now.UnixNano())
	if err := se.reader.Packet(i, pkt, now); err != nil {
		s.invalid.Add(1)
	}
}

// OnSessionClose frees the feed's name. No packets follow.
func (s *server) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	s.mu.Lock()
	se := s.sessions[ctx.Session]
	delete(s.sessions, ctx.Session)
	s.mu.Unlock()
	if se == nil {
		return
	}
	if se.conn != nil {
		se.conn.Unadmit()
	}
	if se.feed != nil {
		se.feed.Close()
		s.env.Log.Info("publisher disconnected", "feed", se.request.Stream, "proto", "rtsp", "remote", se.request.Remote, "err", ctx.Error)
	}
}

// OnConnClose ends the session with its connection. The standard lets media over UDP
// continue without it, but a device that lost its connection is either off or will
// announce again.
func (s *server) OnConnClose(ctx *gortsplib.ServerHandlerOnConnCloseCtx) {
	if lib := ctx.Conn.Session(); lib != nil {
		lib.Close()
	}
}

// OnPacketsLost counts lost packets; without it, the library writes to the standard log.
func (s *server) OnPacketsLost(ctx *gortsplib.ServerHandlerOnPacketsLostCtx) {
	s.lost.Add(ctx.Lost)
	if se := s.session(ctx.Session); se != nil && se.feed != nil {
		se.feed.Lost.Add(ctx.Lost)
	}
}

// OnDecodeError counts invalid packets; without it, the library writes to the standard log.
func (s *server) OnDecodeError(*gortsplib.ServerHandlerOnDecodeErrorCtx) { s.invalid.Add(1) }

// OnStreamWriteError is never called, since nothing is played from here; without it, the
// library writes to the standard log.
func (s *server) OnStreamWriteError(*gortsplib.ServerHandlerOnStreamWriteErrorCtx) {}
