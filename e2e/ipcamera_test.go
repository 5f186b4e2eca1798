package e2e

import (
	"net/url"
	"sync"
	"testing"
	"time"

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
	cam.server = &gortsplib.Server{Handler: cam, RTSPAddress: addr}
	if err := cam.server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cam.server.Close)
	c.send(t, "rtsp", "rtsp://"+addr+"/wall")
	testkit.Eventually(t, 15e9, func() bool {
		cam.mu.Lock()
		defer cam.mu.Unlock()
		return cam.stream != nil
	}, "the IP camera has a picture")
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
	// The camera's clock is the one ffmpeg reports: gortsplib's own would be the time
	// of arrival, which is not the same for sound and picture.
	reports := map[*description.Media]*rtcp.SenderReport{}
	ctx.Session.OnPacketRTCPAny(func(m *description.Media, pkt rtcp.Packet) {
		if report, ok := pkt.(*rtcp.SenderReport); ok {
			reports[m] = report
		}
	})
	ctx.Session.OnPacketRTPAny(func(m *description.Media, f format.Format, pkt *rtp.Packet) {
		if report := reports[m]; report != nil {
			since := time.Duration(int32(pkt.Timestamp-report.RTPTime)) * time.Second / time.Duration(f.ClockRate())
			c.stream.WritePacketRTPWithNTP(m, pkt, ntpTime(report.NTPTime).Add(since))
		}
	})
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

// ntpTime is an NTP timestamp of RTP as time (RFC 3550, 4): seconds since 1900 and
// a fraction in units of 2^-32 s.
func ntpTime(ntp uint64) time.Time {
	const sinceUnix = 2208988800
	return time.Unix(int64(ntp>>32)-sinceUnix, int64((ntp&0xffffffff)*1e9>>32))
}
