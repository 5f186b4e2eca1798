package rtsp_test

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/pion/rtcp"
	pion "github.com/pion/rtp"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/rtp"
)

// viewer is a reader built on the library's client. It stores what it receives.
type viewer struct {
	client *gortsplib.Client
	mu     sync.Mutex
	units  []media.AccessUnit
	srs    map[int]rtcp.SenderReport
	gate   chan struct{} // nil, or closed to let packets be read
	ended  chan error
}

func (v *viewer) Aligned() {}

func (v *viewer) SetTracks(media.Tracks) {}
func (v *viewer) Write(au media.AccessUnit) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.units = append(v.units, au)
}

func (v *viewer) frames() (got []media.AccessUnit) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, au := range v.units {
		if au.Track == 0 {
			got = append(got, au)
		}
	}
	return got
}

// narrow connects with a small receive buffer, so that little waits in the kernel of a
// client that does not read.
func narrow(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(64 << 10)
	}
	return conn, err
}

func watch(t *testing.T, v *viewer, address string, transport gortsplib.Transport) error {
	t.Helper()
	u, err := base.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	v.srs, v.ended = map[int]rtcp.SenderReport{}, make(chan error, 1)
	v.client = &gortsplib.Client{
		Scheme: u.Scheme, Host: u.Host, Transport: &transport, TLSConfig: &tls.Config{},
		OnPacketsLost: func(uint64) {}, OnDecodeError: func(error) {}, OnTransportSwitch: func(error) {},
	}
	if v.gate != nil {
		v.client.DialContext = narrow
	}
	if err := v.client.Start2(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.client.Close)
	desc, _, err := v.client.Describe(u)
	if err != nil {
		return err
	}
	if err := v.client.SetupAll(desc.BaseURL, desc.Medias); err != nil {
		return err
	}
	reader, err := rtp.NewReader(desc, v)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range reader.Formats() {
		v.client.OnPacketRTP(f.Media, f.Format, func(pkt *pion.Packet) {
			if v.gate != nil {
				<-v.gate
			}
			if err := reader.Packet(i, pkt, time.Now()); err != nil {
				t.Log(err)
			}
		})
		v.client.OnPacketRTCP(f.Media, func(pkt rtcp.Packet) {
			if sr, ok := pkt.(*rtcp.SenderReport); ok {
				v.mu.Lock()
				v.srs[i] = *sr
				v.mu.Unlock()
				reader.SenderReport(i, sr, time.Now())
			}
		})
	}
	if _, err := v.client.Play(nil); err != nil {
		return err
	}
	go func() { v.ended <- v.client.Wait() }()
	return nil
}

func (r *rig) watch(t *testing.T, path string, transport gortsplib.Transport) *viewer {
	t.Helper()
	v := &viewer{}
	if err := watch(t, v, "rtsp://"+r.addr+path, transport); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *viewer) waitFor(t *testing.T, n int) {
	t.Helper()
	testkit.Eventually(t, 5*time.Second, func() bool { return len(v.frames()) >= n }, "%d frames arrived", len(v.frames()))
}
