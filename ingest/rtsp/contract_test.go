package rtsp_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"

	"obvan/ingest/ingesttest"
	"obvan/ingest/rtsp"
	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/rtp"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// certificate is a self-signed one for 127.0.0.1, as cameras have.
func certificate(t *testing.T) *tls.Config {
	t.Helper()
	server, _ := testkit.Certificate(t, "127.0.0.1")
	return server
}

func TestContractOverTCP(t *testing.T) {
	t.Parallel()
	ingesttest.Test(t, ingesttest.Protocol{Scheme: "rtsp", Listen: rtsp.Listen, Publish: publisher("rtsp", gortsplib.TransportTCP)})
}

func TestContractOverUDP(t *testing.T) {
	t.Parallel()
	ingesttest.Test(t, ingesttest.Protocol{Scheme: "rtsp", Listen: rtsp.Listen, Publish: publisher("rtsp", gortsplib.TransportUDP)})
}

func TestContractOverTLS(t *testing.T) {
	t.Parallel()
	ingesttest.Test(t, ingesttest.Protocol{Scheme: "rtsps", Listen: rtsp.Listen, Publish: publisher("rtsps", gortsplib.TransportTCP), TLS: certificate(t)})
}

// camera is a device built on gortsplib's client.
type camera struct {
	client *gortsplib.Client
	writer *rtp.Writer
	conn   net.Conn
	tracks media.Tracks
}

func publisher(scheme string, transport gortsplib.Transport) func(context.Context, ingesttest.Publication) (ingesttest.Camera, error) {
	return func(_ context.Context, p ingesttest.Publication) (ingesttest.Camera, error) {
		u := &url.URL{Scheme: scheme, Host: p.Addr, Path: "/live/" + p.Stream}
		if p.Key != "" {
			u.RawQuery = url.Values{"key": {p.Key}}.Encode()
		}
		return record(u, p.Tracks, transport)
	}
}

// record publishes to u.
func record(u *url.URL, tracks media.Tracks, transport gortsplib.Transport) (*camera, error) {
	c := &camera{tracks: tracks}
	var err error
	if c.writer, err = rtp.NewWriter(&c.tracks); err != nil {
		return nil, err
	}
	c.client = &gortsplib.Client{
		Scheme: u.Scheme, Host: u.Host, Transport: &transport, ReadTimeout: 5 * time.Second, TLSConfig: &tls.Config{InsecureSkipVerify: true},
		OnPacketsLost: func(uint64) {}, OnDecodeError: func(error) {}, OnTransportSwitch: func(error) {},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			c.conn = conn
			return conn, err
		},
	}
	if err := c.client.Start2(); err != nil {
		return nil, err
	}
	bu := base.URL(*u)
	if _, err = c.client.Announce(&bu, c.writer.Description()); err == nil {
		if err = c.client.SetupAll(&bu, c.writer.Description().Medias); err == nil {
			_, err = c.client.Record()
		}
	}
	if err != nil {
		c.client.Close()
		return nil, err
	}
	return c, nil
}

func (c *camera) Send(au media.AccessUnit) error {
	au.Tracks = &c.tracks
	pkts, err := c.writer.Track(au.Track).Packets(&au)
	if err != nil {
		return err
	}
	for _, pkt := range pkts {
		if err := c.client.WritePacketRTP(c.writer.Media(au.Track), pkt); err != nil {
			return err
		}
	}
	return nil
}

func (c *camera) Leave() { c.client.Close() }

func (c *camera) Cut() {
	c.conn.Close()
	c.client.Close()
}
