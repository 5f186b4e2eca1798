package e2e

import (
	"net/url"
	"sync"
	"testing"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/liberrors"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"obvan/internal/testkit"
)

// ipCamera is a camera with an RTSP server of its own, as cameras on a wall have:
// ffmpeg feeds it, the studio pulls from it.
type ipCamera struct {
	server     *gortsplib.Server
	user, pass string

	mu     sync.Mutex
	stream *gortsplib.ServerStream
}

func startIPCamera(t testing.TB, user, pass string, c camera) (address string) {
	t.Helper()
	cam := &ipCamera{user: user, pass: pass}
	addr := freePort(t)
	cam.server = &gortsplib.Server{Handler: cam, RTSPAddress: addr, DisableRTCPSenderReports: true}
	if err := cam.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cam.server.Close()
		if cam.stream != nil {
			cam.stream.Close() // the server does not close its streams
		}
	})
	c.send(t, "rtsp", "rtsp://"+addr+"/wall")
	testkit.Eventually(t, 15e9, func() bool {
		cam.mu.Lock()
		defer cam.mu.Unlock()
		return cam.stream != nil
	}, "the IP camera has video")
	u := url.URL{Scheme: "rtsp", User: url.UserPassword(user, pass), Host: addr, Path: "/wall"}
	return u.String()
}

func (c *ipCamera) OnAnnounce(ctx *gortsplib.ServerHandlerOnAnnounceCtx) (*base.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stream = &gortsplib.ServerStream{Server: c.server, Desc: ctx.Description}
	return &base.Response{StatusCode: base.StatusOK}, c.stream.Initialize()
}

func (c *ipCamera) OnRecord(ctx *gortsplib.ServerHandlerOnRecordCtx) (*base.Response, error) {
	// ffmpeg's own sender reports pass through: gortsplib's would carry the time of
	// arrival, which is not the same for audio and video.
	ctx.Session.OnPacketRTCPAny(func(m *description.Media, pkt rtcp.Packet) { c.stream.WritePacketRTCP(m, pkt) })
	ctx.Session.OnPacketRTPAny(func(m *description.Media, _ format.Format, pkt *rtp.Packet) { c.stream.WritePacketRTP(m, pkt) })
	return &base.Response{StatusCode: base.StatusOK}, nil
}

func (c *ipCamera) OnDescribe(ctx *gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if !ctx.Conn.VerifyCredentials(ctx.Request, c.user, c.pass) {
		return &base.Response{StatusCode: base.StatusUnauthorized}, nil, liberrors.ErrServerAuth{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return &base.Response{StatusCode: base.StatusOK}, c.stream, nil
}

func (c *ipCamera) OnSetup(ctx *gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if ctx.Session.State() == gortsplib.ServerSessionStatePreRecord {
		return &base.Response{StatusCode: base.StatusOK}, nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return &base.Response{StatusCode: base.StatusOK}, c.stream, nil
}

func (c *ipCamera) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}
