package rtsp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
	"github.com/pion/rtcp"
	pion "github.com/pion/rtp"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/rtp"
	"obvan/relay"
	"obvan/relay/relaytest"
	"obvan/relay/rtsp"
	"obvan/relay/testserver"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// server is the library's server behind a path that can be impaired.
type server struct {
	server *gortsplib.Server
	path   *relaytest.Path
	scheme string
	over   chan struct{}
	testserver.SessionLog

	mu   sync.Mutex
	open map[*gortsplib.ServerSession]*publisher
}

// publisher is one session of a server.
type publisher struct {
	session *testserver.Session
	how     testserver.Behaviour
	reader  *rtp.Reader
	tracks  media.Tracks
}

func (p *publisher) Aligned() {}

func (p *publisher) SetTracks(tracks media.Tracks) { p.tracks = tracks }

func (p *publisher) Write(au media.AccessUnit) {
	p.session.Record(testserver.Unit{
		Video: p.tracks[au.Track].Codec.Video(), Key: au.Key, PTS: au.PTS, DTS: au.DTS, Data: au.Data, Track: &p.tracks[au.Track], Arrived: au.Arrived,
	})
}

func startServer(t testing.TB) *server {
	f := &server{
		scheme: "rtsp", over: make(chan struct{}), open: map[*gortsplib.ServerSession]*publisher{},
	}
	var ln net.Listener
	f.server = &gortsplib.Server{Handler: f, RTSPAddress: "127.0.0.1:0", Listen: func(network, addr string) (_ net.Listener, err error) {
		ln, err = net.Listen(network, addr)
		return ln, err
	}}
	if err := f.server.Start(); err != nil {
		t.Fatal(err)
	}
	f.path = relaytest.NewPath(t, ln.Addr().String())
	t.Cleanup(func() { close(f.over); f.server.Close() })
	return f
}

func (f *server) URL() string { return f.scheme + "://" + f.path.Addr() + "/live/cam?key=" }

func (f *server) OnAnnounce(ctx *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	u := (*url.URL)(ctx.Request.URL)
	key := strings.TrimPrefix(u.RawQuery, "key=")
	if u.RawQuery == "" {
		key = strings.TrimPrefix(u.EscapedPath(), "/live/")
	}
	p := &publisher{session: f.Last(key), how: f.BehaviourFor(key)}
	if p.session != nil && p.session.Ended() {
		p.session.Reopen() // it reconnects for another codec
	} else {
		p.session = testserver.NewSession("live", key)
		f.Add(p.session)
	}
	if p.how.Refuse != "" {
		return &base.Response{StatusCode: base.StatusForbidden, StatusMessage: p.how.Refuse}, nil
	}
	var err error
	if p.reader, err = rtp.NewReader(ctx.Description, p); err != nil {
		return &base.Response{StatusCode: base.StatusBadRequest}, err
	}
	f.mu.Lock()
	f.open[ctx.Session] = p
	f.mu.Unlock()
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (f *server) OnSetup(*gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil, nil
}

func (f *server) OnRecord(ctx *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	f.mu.Lock()
	p := f.open[ctx.Session]
	f.mu.Unlock()
	if p.how.NoAnswer {
		<-f.over
	}
	p.reader.AnnounceTracks()
	for i, format := range p.reader.Formats() {
		ctx.Session.OnPacketRTP(format.Media, format.Format, func(pkt *pion.Packet) { _ = p.reader.Packet(i, pkt, time.Now()) })
		ctx.Session.OnPacketRTCP(format.Media, func(pkt rtcp.Packet) {
			if sr, ok := pkt.(*rtcp.SenderReport); ok {
				p.reader.SenderReport(i, sr, time.Now())
			}
		})
	}
	f.path.Accepted(p.how)
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (f *server) OnSessionClose(ctx *gortsplib.ServerHandlerOnSessionCloseCtx) {
	f.mu.Lock()
	p := f.open[ctx.Session]
	f.mu.Unlock()
	if p != nil {
		var torn liberrors.ErrServerSessionTornDown
		p.session.Leave(errors.As(ctx.Error, &torn))
	}
}

func (f *server) OnPacketsLost(*gortsplib.ServerHandlerOnPacketsLostCtx) {}
func (f *server) OnDecodeError(*gortsplib.ServerHandlerOnDecodeErrorCtx) {}

func TestContract(t *testing.T) {
	relaytest.Test(t, func(t *testing.T) relaytest.Output {
		out := rtsp.New(nil)
		out.Stall, out.Backlog = 2*time.Second, 2*time.Second
		return relaytest.Output{Push: out.Push, Server: startServer(t), Unsupported: relaytest.Unsupported{Metadata: true, DecodeTimes: true}}
	})
}

// push sends a program to address until live, and returns the server's last session with
// that key.
func push(t *testing.T, out *rtsp.Output, f *server, address, key string) (*testserver.Session, error) {
	t.Helper()
	p := relaytest.NewProgram(t, 3000)
	p.WriteFrames(5)
	sub, err := p.Hub.Subscribe("program")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	link, ended := relay.NewLink(nil), make(chan error, 1)
	go func() { defer sub.Close(); ended <- out.Push(ctx, u, sub, link) }()
	testkit.Eventually(t, 5*time.Second, func() bool { p.WriteFrame(); return link.IsLive() || len(ended) > 0 }, "live or over")
	cancel()
	return f.Last(key), <-ended
}

func TestTheKeyIsTheEndOfThePath(t *testing.T) {
	f := startServer(t)
	s, err := push(t, rtsp.New(nil), f, "rtsp://"+f.path.Addr()+"/live#camera-1", "camera-1")
	if err != nil || s == nil {
		t.Fatalf("session %v, err = %v", s, err)
	}
	testkit.Eventually(t, 5*time.Second, func() bool { return s.Counts().Frames > 0 && s.Unpublished() }, "frames and a TEARDOWN")
}

func TestTheCertificateOfAServerOverTLSIsChecked(t *testing.T) {
	f := startServer(t)
	server, roots := testkit.Certificate(t, "127.0.0.1")
	tlsAddr := wrapTLS(t, server, f.path.Addr())
	s, err := push(t, rtsp.New(&tls.Config{RootCAs: roots}), f, "rtsps://"+tlsAddr+"/live#secret", "secret")
	if err != nil || s == nil {
		t.Fatalf("session %v, err = %v", s, err)
	}
	testkit.Eventually(t, 5*time.Second, func() bool { return s.Counts().Frames > 0 }, "frames")
	var unknown *tls.CertificateVerificationError
	if _, err := push(t, rtsp.New(nil), f, "rtsps://"+tlsAddr+"/live#secret", "secret"); !errors.As(err, &unknown) {
		t.Fatalf("err = %v", err)
	}
}

func TestAddressesWithoutAPlaceForTheKeyAreRefused(t *testing.T) {
	f := startServer(t)
	for _, address := range []string{"rtsp://" + f.path.Addr(), "rtsp://" + f.path.Addr() + "/live?a=b#secret"} {
		if _, err := push(t, rtsp.New(nil), f, address, ""); !errors.Is(err, relay.ErrRefused) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: err = %v", address, err)
		}
	}
}

// wrapTLS puts TLS in front of addr.
func wrapTLS(t *testing.T, config *tls.Config, addr string) string {
	ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", addr)
			if err != nil {
				in.Close()
				continue
			}
			open.Go(func() { _, _ = io.Copy(in, out); in.Close() })
			open.Go(func() { _, _ = io.Copy(out, in); out.Close() })
		}
	})
	t.Cleanup(func() { ln.Close(); open.Wait() })
	return ln.Addr().String()
}
