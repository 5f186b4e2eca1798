package rtsp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v4"
	"github.com/bluenviron/gortsplib/v4/pkg/base"
	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/headers"
	"github.com/pion/rtcp"
	pion "github.com/pion/rtp"

	"obvan/ingest"
	"obvan/internal/listen"
	"obvan/media"
	"obvan/media/rtp"
)

const (
	readTimeout     = 5 * time.Second
	setupTimeout    = 15 * time.Second // all requests until the media flows
	teardownTimeout = time.Second      // for TEARDOWN
)

var (
	errSilent   = errors.New("the camera stopped sending")
	errNoMedia  = errors.New("the camera has no H.264, H.265 or AV1 video")
	errControl  = errors.New("the camera's track addresses are invalid")
	errRedirect = errors.New("the camera redirects to another host")
	errSlow     = errors.New("the camera answers too slowly")
)

// Pull connects to the camera at u (rtsp or rtsps, with user and password) and writes
// to feed until ctx is done or the camera fails. Media arrives over the connection;
// over UDP when the camera does not support that, or with ?transport=udp in u.
// ?insecure=1 accepts a certificate that is not trusted. Errors are sentences for the
// operator; they wrap ingest.ErrCredentials and hub.ErrPublishing.
func Pull(ctx context.Context, u *url.URL, env ingest.Env, feed string, live func()) error {
	target, options := splitOptions(u)
	p := &puller{env: env, target: target, live: live, request: ingest.Request{Stream: feed, Proto: "rtsp", Remote: u.Host}}
	p.tls = &tls.Config{InsecureSkipVerify: options.Get("insecure") == "1"}
	transport := gortsplib.TransportTCP
	if options.Get("transport") == "udp" && u.Scheme == "rtsp" {
		transport = gortsplib.TransportUDP
	}
	err := p.pull(ctx, transport)
	if transport == gortsplib.TransportTCP && u.Scheme == "rtsp" && requiresUDP(err) && ctx.Err() == nil {
		err = p.pull(ctx, gortsplib.TransportUDP)
	}
	if ctx.Err() != nil || err == nil {
		return nil
	}
	return errorText(err, target) // for the operator
}

// splitOptions takes our own parameters out of the address that the camera gets.
func splitOptions(u *url.URL) (target *url.URL, options url.Values) {
	clean := *u
	clean.Fragment, clean.RawFragment = "", ""
	query := u.Query()
	options = url.Values{"transport": query["transport"], "insecure": query["insecure"]}
	if query.Has("transport") || query.Has("insecure") {
		query.Del("transport")
		query.Del("insecure")
		clean.RawQuery = query.Encode()
	}
	return &clean, options
}

// puller is one attempt, or two over different transports.
type puller struct {
	env     ingest.Env
	target  *url.URL
	tls     *tls.Config
	request ingest.Request
	live    func()

	mu    sync.Mutex
	conns []net.Conn

	feed         *ingest.Feed
	liveReported bool
	packetStats
}

// packetStats is the packets of an attempt.
type packetStats struct {
	lastVideo     atomic.Int64  // when the last video packet arrived, UnixNano
	lost, invalid atomic.Uint64 // since the last log line
	panicked      atomic.Bool
}

func (p *puller) SetTracks(tracks media.Tracks) { p.feed.SetTracks(tracks) }
func (p *puller) Aligned()                      { p.feed.Aligned() }

func (p *puller) Write(au media.AccessUnit) {
	p.feed.Write(au)
	if !p.liveReported {
		p.liveReported = true
		p.live()
	}
}

func (p *puller) pull(ctx context.Context, transport gortsplib.Transport) error {
	client := &gortsplib.Client{
		Scheme: p.target.Scheme, Host: p.target.Host, Transport: &transport, TLSConfig: p.tls.Clone(),
		ReadTimeout: readTimeout, WriteTimeout: writeTimeout, UserAgent: "obvan",
		DialContext:       p.dial,
		ListenPacket:      listen.ListenUDP,
		OnResponse:        p.onResponse,
		OnPacketsLost:     p.packetsLost,
		OnDecodeError:     func(error) { p.invalid.Add(1) },
		OnTransportSwitch: func(error) {},
	}
	if err := client.Start2(); err != nil {
		return err
	}
	leave := func() { // TEARDOWN, and a camera that does not respond is disconnected
		cut := time.AfterFunc(teardownTimeout, p.closeConns)
		client.Close()
		cut.Stop()
	}
	defer leave()
	defer context.AfterFunc(ctx, leave)()

	late := time.AfterFunc(setupTimeout, p.closeConns)
	err := p.setup(client)
	if !late.Stop() && err != nil {
		err = errSlow
	}
	if p.feed != nil {
		defer func() {
			leave() // first, so that no more packets arrive
			p.feed.Close()
			p.feed = nil
		}()
	}
	if err != nil {
		return err
	}
	return p.watch(ctx, client)
}

// dial refuses redirects to another host: it would be sent the password.
func (p *puller) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if host, _, err := net.SplitHostPort(addr); err != nil || host != p.target.Hostname() {
		return nil, errRedirect
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Now().Add(readTimeout)) // the library has none for the TLS handshake
	p.mu.Lock()
	p.conns = append(p.conns, conn)
	p.mu.Unlock()
	return conn, nil
}

// onResponse leaves deadlines to the library from the first RTSP response on.
func (p *puller) onResponse(res *base.Response) {
	dropUnreadableTracks(res)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.SetReadDeadline(time.Time{})
	}
}

func (p *puller) closeConns() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
}

// setup requests the video and audio tracks.
func (p *puller) setup(client *gortsplib.Client) error {
	at := base.URL(*p.target)
	desc, _, err := client.Describe(&at)
	if err != nil {
		return err
	}
	if err := validate(desc); err != nil {
		return err
	}
	reader, err := rtp.NewReader(desc, p)
	if err != nil || !reader.Video() {
		return errNoMedia
	}
	for _, f := range reader.Formats() {
		if err := setupTrack(client, desc, f.Media); err != nil {
			return err
		}
	}
	p.request.UnsupportedAudioCodec = reader.UnsupportedAudioCodec(desc)
	if p.feed, err = p.env.Publish(p.request); err != nil {
		return err
	}
	reader.AnnounceTracks()
	for i, f := range reader.Formats() {
		client.OnPacketRTP(f.Media, f.Format, func(pkt *pion.Packet) { p.packet(reader, i, pkt) })
		client.OnPacketRTCP(f.Media, func(pkt rtcp.Packet) {
			if sr, ok := pkt.(*rtcp.SenderReport); ok {
				reader.SenderReport(i, sr, time.Now())
			}
		})
	}
	p.lastVideo.Store(time.Now().UnixNano())
	playing, err := client.Play(nil)
	if err == nil {
		applyRTPInfo(reader, desc, playing.Header["RTP-Info"])
	}
	return err
}

// applyRTPInfo passes on which timestamps are simultaneous, when the camera tells.
func applyRTPInfo(reader *rtp.Reader, desc *description.Session, header base.HeaderValue) {
	var info headers.RTPInfo
	if info.Unmarshal(header) != nil {
		return // many cameras send none, or an invalid one
	}
	for i, f := range reader.Formats() {
		for _, entry := range info {
			// 0 means that the camera does not know.
			if entry.Timestamp != nil && *entry.Timestamp != 0 && matchesTrack(entry.URL, f.Media, desc.BaseURL) {
				reader.RTPInfo(i, *entry.Timestamp)
			}
		}
	}
}

// matchesTrack reports whether an RTP-Info entry is about a track. Our address of the
// track contains the password, and perhaps another port.
func matchesTrack(entry string, m *description.Media, at *base.URL) bool {
	if m.Control != "" && entry == m.Control {
		return true
	}
	ours, err := m.URL(at)
	theirs, err2 := base.ParseURL(entry)
	return err == nil && err2 == nil && ours != nil && ours.Path == theirs.Path && ours.RawQuery == theirs.RawQuery
}

func setupTrack(client *gortsplib.Client, desc *description.Session, m *description.Media) error {
	// Without an address, the library would crash.
	if at, err := m.URL(desc.BaseURL); err != nil || at == nil {
		return errControl
	}
	_, err := client.Setup(desc.BaseURL, m, 0, 0)
	return err
}

func (p *puller) packet(reader *rtp.Reader, i int, pkt *pion.Packet) {
	defer func() {
		if recover() != nil { // a faulty camera costs only its own feed
			p.panicked.Store(true)
			p.closeConns()
		}
	}()
	now := time.Now()
	if i == 0 {
		// Audio does not count: a camera that was reconfigured may go on sending it, with
		// video that the library takes for another sender's and drops.
		p.lastVideo.Store(now.UnixNano())
	}
	if err := reader.Packet(i, pkt, now); err != nil {
		p.invalid.Add(1)
	}
}

// packetsLost is called with the media, that is only while there is a feed.
func (p *puller) packetsLost(n uint64) {
	p.lost.Add(n)
	p.feed.Lost.Add(n)
}

// watch waits until the camera fails, falls silent, or ctx is done.
func (p *puller) watch(ctx context.Context, client *gortsplib.Client) error {
	ended := make(chan error, 1)
	go func() { ended <- client.Wait() }()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case err := <-ended:
			if p.panicked.Load() {
				return errors.New("the camera sends invalid packets")
			}
			return err
		case now := <-second.C:
			if lost, invalid := p.lost.Swap(0), p.invalid.Swap(0); lost+invalid > 0 {
				p.env.Log.Debug("rtp packets", "feed", p.request.Stream, "lost", lost, "broken", invalid)
			}
			if now.Sub(time.Unix(0, p.lastVideo.Load())) > readTimeout {
				client.Close()
				<-ended
				return errSilent
			}
		case <-ctx.Done():
			<-ended
			return nil
		}
	}
}
