package whep

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"obvan/internal/netaddr"
)

// A viewer that doesn't respond for disconnectedAfter counts as disconnected. It often recovers;
// if not, its session ends failAfter later.
const (
	disconnectedAfter = 5 * time.Second
	failAfter         = 10 * time.Second
	keepAlive         = 2 * time.Second
)

// settings returns the pion settings for peer connections whose media all uses the two ports.
func settings(udp *udpPort, tcp *net.TCPListener) (set webrtc.SettingEngine, closePorts func() error, err error) {
	quiet := &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
	segments := &tcpPort{TCPListener: tcp, open: map[*tcpConn]struct{}{}}
	udpMux := ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: udp, Logger: quiet.NewLogger("ice")})
	tcpMux := ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: segments, Logger: quiet.NewLogger("ice"), ReadBufferSize: 64,
		FirstStunBindTimeout: 5 * time.Second, AliveDurationForConnFromStun: 5 * time.Second,
	})
	closePorts = func() error { return errors.Join(udpMux.Close(), tcpMux.Close()) }

	set.LoggerFactory = quiet
	set.SetICEUDPMux(udpMux)
	set.SetICETCPMux(tcpMux)
	set.SetIncludeLoopbackCandidate(true)
	set.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	set.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6})
	set.SetICETimeouts(disconnectedAfter, failAfter, keepAlive)
	// The DTLS server chooses the cipher; a browser would choose the more expensive one.
	// ICE has verified the address already, so a DTLS cookie would only cost a round trip.
	set.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	set.SetDTLSInsecureSkipHelloVerify(true)
	if err := set.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return set, nil, errors.Join(err, closePorts())
	}
	if at := udp.LocalAddr().(*net.UDPAddr).IP; !at.IsUnspecified() {
		set.SetIPFilter(at.Equal) // otherwise the TCP mux offers the addresses of all interfaces
	}
	return set, closePorts, nil
}

// newAPI makes the viewers' pion API.
func newAPI(set webrtc.SettingEngine) (*webrtc.API, error) {
	engine, err := codecs()
	if err != nil {
		return nil, err
	}
	// No interceptors: the sender itself retransmits and reports, at a tenth of the cost.
	none := &interceptor.Registry{}
	return webrtc.NewAPI(webrtc.WithSettingEngine(set), webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(none)), nil
}

// codecs returns the codecs that the server can send. High profile is sent with the payload type of whichever H.264 was
// negotiated: browsers decode it even if they don't list it.
func codecs() (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	feedback := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}}
	for i, profile := range []string{"42e01f", "42001f", "4d001f", "4de01f", "640c1f", "64001f"} {
		err := m.RegisterCodec(webrtc.RTPCodecParameters{
			PayloadType: webrtc.PayloadType(96 + i),
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: webrtc.MimeTypeH264, ClockRate: videoRate, RTCPFeedback: feedback,
				SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=" + profile,
			},
		}, webrtc.RTPCodecTypeVideo)
		if err != nil {
			return nil, err
		}
	}
	err := m.RegisterCodec(webrtc.RTPCodecParameters{
		PayloadType: 111,
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: audioRate, Channels: 2,
			SDPFmtpLine: "minptime=10;useinbandfec=1;stereo=1;sprop-stereo=1",
		},
	}, webrtc.RTPCodecTypeAudio)
	if err != nil {
		return nil, err
	}
	return m, m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: playoutDelayURI}, webrtc.RTPCodecTypeVideo)
}

// Limits of the TCP port. A client can connect to it without having posted an offer, so one
// host gets no more connections without a session than it may have viewers.
const (
	maxTCP             = 1024
	maxTCPIdle         = maxByRemote
	tcpStall           = 3 * time.Second
	tcpReconnectWindow = 6 * time.Second // browsers try for 5 s to connect again
	tcpSendBytes       = 256 << 10       // more would only be delay
)

// tcpPort is the TCP listener that pion's mux uses. It limits the connections, and no write to
// one blocks for longer than tcpStall.
type tcpPort struct {
	*net.TCPListener
	mu     sync.Mutex
	open   map[*tcpConn]struct{}
	closed bool
}

// Accept waits for a connection that is within the limit.
func (p *tcpPort) Accept() (net.Conn, error) {
	for {
		conn, err := p.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil { // out of file descriptors, or the peer has disconnected: the mux would stop
			time.Sleep(10 * time.Millisecond)
			continue
		}
		_ = conn.SetWriteBuffer(tcpSendBytes)
		if c := p.add(conn); c != nil {
			return c, nil
		}
		_ = conn.Close()
	}
}

func (p *tcpPort) add(conn *net.TCPConn) *tcpConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	from := netaddr.Host(conn.RemoteAddr().String())
	if p.closed || !p.makeRoom(from) {
		return nil
	}
	c := &tcpConn{TCPConn: conn, port: p, host: from, since: time.Now(), closed: make(chan struct{})}
	p.open[c] = struct{}{}
	return c
}

// makeRoom makes room for a host's connection. At a limit it closes the oldest connection
// without a session: the host's own if the host has too many of them, otherwise any. The
// caller has locked p.mu.
func (p *tcpPort) makeRoom(from string) bool {
	var oldest, hostOldest *tcpConn
	idle := 0
	for c := range p.open {
		if c.inSession.Load() {
			continue
		}
		oldest = older(oldest, c)
		if c.host == from {
			hostOldest = older(hostOldest, c)
			idle++
		}
	}
	switch {
	case idle >= maxTCPIdle:
		oldest = hostOldest
	case len(p.open) < maxTCP:
		return true
	case oldest == nil:
		return false
	}
	delete(p.open, oldest)
	_ = oldest.shut()
	return true
}

func older(a, b *tcpConn) *tcpConn {
	if a != nil && a.since.Before(b.since) {
		return a
	}
	return b
}

// Close also closes connections that have sent nothing yet: otherwise the mux waits for them.
func (p *tcpPort) Close() error {
	p.mu.Lock()
	p.closed = true
	for c := range p.open {
		_ = c.shut()
	}
	clear(p.open)
	p.mu.Unlock()
	return p.TCPListener.Close()
}

// tcpConn disconnects a viewer that reads nothing for tcpStall: a blocked write blocks the
// viewer's goroutine, and its ICE agent's. And it hides a broken connection from pion for
// tcpReconnectWindow: a browser reconnects and continues if its session still exists, but pion
// ends a session with its last connection.
type tcpConn struct {
	*net.TCPConn
	port      *tcpPort
	host      string // the peer's
	since     time.Time
	inSession atomic.Bool // it belongs to a session: ICE has answered its peer's connectivity check
	once      sync.Once
	closed    chan struct{}
}

func (c *tcpConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	if err != nil && c.inSession.Load() && !errors.Is(err, os.ErrDeadlineExceeded) {
		_ = c.TCPConn.Close()
		select {
		case <-c.closed:
		case <-time.After(tcpReconnectWindow):
		}
		err = net.ErrClosed // which a session that has another connection ignores
	}
	return n, err
}

func (c *tcpConn) Write(b []byte) (int, error) {
	c.inSession.Store(true)
	_ = c.SetWriteDeadline(time.Now().Add(tcpStall))
	n, err := c.TCPConn.Write(b)
	if err != nil {
		_ = c.TCPConn.Close() // part of a packet may have been sent: the framing is lost
	}
	return n, err
}

// Close also removes the connection from the port's count.
func (c *tcpConn) Close() error {
	c.port.mu.Lock()
	delete(c.port.open, c)
	c.port.mu.Unlock()
	return c.shut()
}

func (c *tcpConn) shut() error {
	c.once.Do(func() { close(c.closed) })
	return c.TCPConn.Close()
}
