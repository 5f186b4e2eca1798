package rtsp_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"

	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/ingesttest"
	"obvan/ingest/rtsp"
	"obvan/internal/listen"
	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/rtp"
)

// ipCamera is a camera that we pull from: it plays /live, with the faults in its fields.
type ipCamera struct {
	lib          *gortsplib.Server
	stream       *gortsplib.ServerStream
	writer       *rtp.Writer
	tracks       media.Tracks
	user         string // required, with the password "s3cr et"
	onlyUDP      bool
	sendsNothing bool // answers every request correctly and sends no media
	videoStops   bool // sends no video after the first second
	finished     bool // all units were sent
	describe     *base.Response

	mu             sync.Mutex
	sending        sync.WaitGroup
	stop           chan struct{}
	closedSessions int // sessions
	transport      gortsplib.Transport
}

func (c *ipCamera) start(t *testing.T, conf *tls.Config) *url.URL {
	t.Helper()
	c.stop = make(chan struct{})
	c.tracks = ingesttest.Tracks()
	var err error
	if c.writer, err = rtp.NewWriter(&c.tracks); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.lib = &gortsplib.Server{Handler: c, RTSPAddress: ln.Addr().String(), TLSConfig: conf, Listen: func(string, string) (net.Listener, error) { return ln, nil }}
	if conf == nil {
		a, b, err := listen.UDPPair("127.0.0.1", 0)
		if err != nil {
			t.Fatal(err)
		}
		c.lib.UDPRTPAddress, c.lib.UDPRTCPAddress = a.LocalAddr().String(), b.LocalAddr().String()
		c.lib.ListenPacket = func(_, addr string) (net.PacketConn, error) {
			if addr == a.LocalAddr().String() {
				return a, nil
			}
			return b, nil
		}
	}
	if err := c.lib.Start(); err != nil {
		t.Fatal(err)
	}
	c.stream = &gortsplib.ServerStream{Server: c.lib, Desc: c.writer.Description()}
	if err := c.stream.Initialize(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		close(c.stop)
		c.sending.Wait()
		c.stream.Close()
		c.lib.Close()
	})
	u := &url.URL{Scheme: "rtsp", Host: ln.Addr().String(), Path: "/live"}
	if conf != nil {
		u.Scheme = "rtsps"
	}
	return u
}

func (c *ipCamera) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	switch {
	case c.user != "" && !ctx.Conn.VerifyCredentials(ctx.Request, c.user, "s3cr et"):
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	case c.describe != nil:
		return c.describe, nil, nil
	case ctx.Path != "/live":
		return &base.Response{StatusCode: base.StatusNotFound}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, c.stream, nil
}

func (c *ipCamera) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if c.onlyUDP && ctx.Transport != gortsplib.TransportUDP {
		return &base.Response{StatusCode: base.StatusUnsupportedTransport}, nil, nil
	}
	c.mu.Lock()
	c.transport = ctx.Transport
	c.mu.Unlock()
	return &base.Response{StatusCode: base.StatusOK}, c.stream, nil
}

func (c *ipCamera) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	if !c.sendsNothing {
		c.sending.Go(c.send)
	}
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (c *ipCamera) OnSessionClose(*gortsplib.ServerHandlerOnSessionCloseCtx) {
	c.mu.Lock()
	c.closedSessions++
	c.mu.Unlock()
}
func (c *ipCamera) OnPacketsLost(*gortsplib.ServerHandlerOnPacketsLostCtx)           {}
func (c *ipCamera) OnDecodeError(*gortsplib.ServerHandlerOnDecodeErrorCtx)           {}
func (c *ipCamera) OnStreamWriteError(*gortsplib.ServerHandlerOnStreamWriteErrorCtx) {}

// send plays twenty seconds.
func (c *ipCamera) send() {
	from := time.Now()
	for _, au := range ingesttest.Units(c.tracks, 500) {
		select {
		case <-time.After(time.Until(from.Add(au.DTS))):
		case <-c.stop:
			return
		}
		if c.videoStops && au.Track == 0 && au.DTS > time.Second {
			continue
		}
		au.Tracks = &c.tracks
		pkts, err := c.writer.Track(au.Track).Packets(&au)
		if err != nil {
			return
		}
		for _, pkt := range pkts {
			_ = c.stream.WritePacketRTP(c.writer.Media(au.Track), pkt)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.finished = true
}

func pullEnv(t *testing.T) ingest.Env {
	return ingest.Env{Hub: hub.New(), Authorise: func(ingest.Request) error { return nil }, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

func TestACameraIsPulled(t *testing.T) {
	for _, tc := range []struct {
		name   string
		camera *ipCamera
		tls    *tls.Config
		user   *url.Userinfo
		query  string
		via    gortsplib.Transport
	}{
		{name: "over its connection", via: gortsplib.TransportTCP},
		{name: "over UDP on request", query: "transport=udp", via: gortsplib.TransportUDP},
		{name: "over UDP when the camera refuses TCP", camera: &ipCamera{onlyUDP: true}, via: gortsplib.TransportUDP},
		{name: "over TLS", tls: certificate(t), query: "insecure=1", via: gortsplib.TransportTCP},
		{name: "with a password", camera: &ipCamera{user: "root"}, user: url.UserPassword("root", "s3cr et"), via: gortsplib.TransportTCP},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			camera := cmp.Or(tc.camera, &ipCamera{})
			u := camera.start(t, tc.tls)
			u.User, u.RawQuery = tc.user, tc.query
			env := pullEnv(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			live := make(chan struct{})
			go func() { ended <- rtsp.Pull(ctx, u, env, "cam1", func() { close(live) }) }()
			select {
			case <-live:
			case err := <-ended:
				t.Fatal(err)
			case <-time.After(testkit.Allow(5 * time.Second)):
				t.Fatal("not live")
			}
			expectUnits(t, env.Hub, camera)
			camera.mu.Lock()
			via := camera.transport
			camera.mu.Unlock()
			if via != tc.via {
				t.Errorf("it came over %v", via)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("pull: %v", err)
			}
			if _, taken := env.Hub.Stream("cam1"); taken {
				t.Error("the name is still taken")
			}
			testkit.Eventually(t, 2*time.Second, func() bool {
				camera.mu.Lock()
				defer camera.mu.Unlock()
				return camera.closedSessions > 0
			}, "no TEARDOWN was sent to the camera")
		})
	}
}

// expectUnits checks that the camera's units arrive in the hub.
func expectUnits(t *testing.T, h *hub.Hub, camera *ipCamera) {
	t.Helper()
	sub, err := h.Subscribe("cam1")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	sent := ingesttest.Units(camera.tracks, 250) // all, since the subscription may start late
	for seen := 0; seen < 20; {
		au, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if au.Track == 0 {
			seen++
		}
		if !wasSent(sent, au) {
			t.Fatalf("a unit of %d bytes was never sent", len(au.Data))
		}
	}
}

func wasSent(sent []media.AccessUnit, au media.AccessUnit) bool {
	for _, s := range sent {
		if s.Track == au.Track && string(s.Data) == string(au.Data) {
			return true
		}
	}
	return false
}

func TestACameraWhoseVideoStopsHasFailedThoughItsAudioContinues(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for the camera to be silent for long enough")
	}
	camera := &ipCamera{videoStops: true}
	u := camera.start(t, nil)
	err := rtsp.Pull(t.Context(), u, pullEnv(t), "cam1", func() {})
	if err == nil || !strings.Contains(err.Error(), "stopped sending") {
		t.Fatalf("err = %v", err)
	}
	camera.mu.Lock()
	defer camera.mu.Unlock()
	if camera.finished {
		t.Fatal("its audio had ended, too")
	}
}

func sdpOf(t *testing.T, medias ...*description.Media) *base.Response {
	t.Helper()
	body, err := (&description.Session{Medias: medias}).Marshal(false)
	if err != nil {
		t.Fatal(err)
	}
	return &base.Response{StatusCode: base.StatusOK, Body: body}
}

func TestACameraFaultIsReportedAsASentence(t *testing.T) {
	audioSection := &description.Media{Type: description.MediaTypeAudio, Control: "trackID=0", Formats: []format.Format{&format.Opus{PayloadTyp: 96, ChannelCount: 2}}}
	badControl := &description.Media{Type: description.MediaTypeVideo, Control: "rtsp://camera:port/", Formats: []format.Format{&format.H264{PayloadTyp: 96, PacketizationMode: 1}}}
	strange := sdpOf(t, audioSection) // and a track that can't be parsed, which is dropped
	strange.Body = append(strange.Body, "m=audio 0 RTP/AVP 97\r\na=rtpmap:97 mpeg4-generic/16000/1\r\na=fmtp:97 mode=AAC-hbr;config=\r\n"...)
	for _, tc := range []struct {
		name   string
		camera *ipCamera
		tls    *tls.Config
		change func(u *url.URL)
		text   string
		is     error
	}{
		{name: "nothing listens", change: func(u *url.URL) { u.Host = "127.0.0.1:1" }, text: "connection refused by 127.0.0.1:1"},
		{name: "an unknown name", change: func(u *url.URL) { u.Host = "camera.invalid" }, text: "no host named camera.invalid"},
		{name: "no password given", camera: &ipCamera{user: "root"}, text: "requires a user name", is: ingest.ErrCredentials},
		{
			name: "a wrong password", camera: &ipCamera{user: "root"}, text: "refused the user name or the password", is: ingest.ErrCredentials,
			change: func(u *url.URL) { u.User = url.UserPassword("root", "hunter2") },
		},
		{name: "no such stream", change: func(u *url.URL) { u.Path = "/other" }, text: `has no stream "/other"`},
		{name: "audio only", camera: &ipCamera{describe: sdpOf(t, audioSection)}, text: "no H.264, H.265 or AV1 video"},
		{name: "audio in two formats", camera: &ipCamera{describe: strange}, text: "no H.264, H.265 or AV1 video"},
		{name: "a track with an invalid address", camera: &ipCamera{describe: sdpOf(t, badControl)}, text: "track addresses are invalid"},
		{name: "an invalid session description", camera: &ipCamera{describe: &base.Response{StatusCode: base.StatusOK, Body: []byte("rubbish")}}, text: "(SDP) is invalid"},
		{
			name: "a redirect to another host", text: "to another host",
			camera: &ipCamera{describe: &base.Response{StatusCode: base.StatusFound, Header: base.Header{"Location": {"rtsp://192.0.2.1/live"}}}},
		},
		{name: "too many viewers", camera: &ipCamera{describe: &base.Response{StatusCode: base.StatusNotEnoughBandwidth}}, text: "busy"},
		{name: "an untrusted certificate", tls: certificate(t), text: "not trusted; add ?insecure=1"},
		{name: "no TLS", change: func(u *url.URL) { u.Scheme = "rtsps" }, text: "may not support TLS"},
		{name: "nothing is sent", camera: &ipCamera{sendsNothing: true}, text: "stopped sending"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			u := cmp.Or(tc.camera, &ipCamera{}).start(t, tc.tls)
			if tc.change != nil {
				tc.change(u)
			}
			env := pullEnv(t)
			err := rtsp.Pull(t.Context(), u, env, "cam1", func() { t.Error("live") })
			if err == nil || !strings.Contains(err.Error(), tc.text) || (tc.is != nil && !errors.Is(err, tc.is)) {
				t.Errorf("err = %v, want %q", err, tc.text)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "s3cr")) {
				t.Errorf("the error contains the password: %v", err)
			}
			if _, taken := env.Hub.Stream("cam1"); taken {
				t.Error("the name is still taken")
			}
		})
	}
}

func TestAPullFromASilentHostEndsWithItsContext(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, conn); conn.Close() }()
		}
	}()
	for _, scheme := range []string{"rtsp", "rtsps"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				ended <- rtsp.Pull(ctx, &url.URL{Scheme: scheme, Host: ln.Addr().String(), Path: "/x"}, pullEnv(t), "cam1", func() {})
			}()
			select {
			case err := <-ended:
				t.Fatalf("too early: %v", err)
			case <-time.After(300 * time.Millisecond):
			}
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					t.Fatal(err)
				}
			case <-time.After(testkit.Allow(3 * time.Second)):
				t.Fatal("the pull does not end with its context")
			}
		})
	}
}

func TestANameThatIsTakenIsReported(t *testing.T) {
	u := new(ipCamera).start(t, nil)
	env := pullEnv(t)
	p, err := env.Hub.Publish("cam1", hub.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := rtsp.Pull(t.Context(), u, env, "cam1", func() {}); !errors.Is(err, hub.ErrPublishing) {
		t.Fatalf("err = %v", err)
	}
}
