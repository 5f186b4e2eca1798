// Package whep plays any stream in browsers over WHEP (draft-ietf-wish-whep): one POST with
// an offer, one answer, media over one UDP port with TCP as the fallback.
//
// A stream's frames are packetized once for all viewers. Each viewer has its own cursor into
// the hub and a goroutine that only stamps, encrypts and sends. A viewer starts with
// everything since the newest keyframe, immediately and with the true timestamps, so that
// video shows within a few frames.
//
// # For the panel
//
// Post the offer immediately, without gathering: the answer has the server's addresses, and
// the server learns the browser's from its first connectivity check. Request video as
// recvonly, and audio only where it is played: AAC is transcoded while a viewer requests it,
// and video with audio is delayed to stay in sync with it, by 100 ms, or more when a camera
// sends its audio late. Put stereo=1 into the offer's Opus fmtp. A response other than 201 is
// a sentence to display: 404 the stream is not live, 409 browsers can't play it, 429 too many
// viewers of this token or address, 503 not now (see Retry-After for these two).
//
// Streams that browsers can't play as they are (B-frames that are references, H.265) are
// transcoded to low resolution where ffmpeg is installed. B-frames are found only when they
// arrive: the first viewer's session ends then, and the next offer gets the low-resolution
// stream.
//
// POST /whep/<stream>?video=keyframes requests keyframes only, with all of the audio: for a
// small tile that is updated about once a second and costs almost nothing to decode.
//
// When the stream ends, or can no longer be played, the server closes the session.
// Chromium's connectionState reports it 6 s later, but the DTLS transport immediately: watch
// receiver.transport.onstatechange for "closed", and post again; the response says what
// happened to the stream.
//
// Latency of the video: a frame's RTP timestamp is its PTS at 90 kHz, the same for all
// viewers, and requestVideoFrameCallback reports it (rtpTimestamp). Clock returns the newest
// frame's timestamp and the time at which the server received it. So with {rtp, arrivedMs,
// nowMs} from the server, and skew the difference of the clocks (the browser's now minus
// nowMs, less half the round trip),
//
//	latency = shown - skew - (arrivedMs - int32(rtp - frame.rtpTimestamp)/90)
//
// where shown is performance.timeOrigin + frame.expectedDisplayTime. In frames that are sent
// again after a loss, the timestamp is off by a few ticks of 1/90000 s.
package whep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os/exec"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"obvan/hub"
	"obvan/media"
)

// Limits on viewers. A panel with sixteen tiles, preview and program has 18 connections, and
// several panels may share an address or a token. Neither may take all of the capacity.
const (
	maxViewers     = 256
	maxByToken     = maxViewers / 2
	maxByRemote    = 96
	connectTimeout = 15 * time.Second
)

type limits struct {
	viewers, byToken, byRemote int

	connect time.Duration // from the answer to the first frame
}

// Server answers WHEP requests. It is an http.Handler for /whep/<stream>; the caller has
// authorized the client.
type Server struct {
	hub *hub.Hub
	log *slog.Logger
	sockets

	mu          sync.Mutex
	api         *webrtc.API // nil while Run is not running
	ice         iceSettings
	viewers     map[string]*viewer
	sources     map[string]*source // by stream, while it is live
	sessions    sync.WaitGroup     // one for each viewer
	transcoders *audioTranscoders
	lowRes      *lowResStreams
	limits      limits
}

// sockets is the WebRTC port.
type sockets struct {
	udp *udpPort
	tcp *net.TCPListener
}

// New binds addr for UDP and TCP, same port ("127.0.0.1:0" picks one).
func New(h *hub.Hub, addr string, log *slog.Logger) (*Server, error) {
	udp, tcp, err := bind(addr)
	if err != nil {
		return nil, fmt.Errorf("bind the WebRTC port: %w", err)
	}
	ffmpeg, _ := exec.LookPath("ffmpeg") // without it, some streams have no video or no audio
	return &Server{
		hub: h, log: log, sockets: sockets{&udpPort{UDPConn: udp}, tcp},
		transcoders: newAudioTranscoders(h, ffmpeg, log),
		lowRes:      newLowResStreams(h, ffmpeg, log),
		viewers:     map[string]*viewer{}, sources: map[string]*source{},
		limits: limits{maxViewers, maxByToken, maxByRemote, connectTimeout},
	}, nil
}

// bind binds the same port number for UDP and TCP. A port that the system chose for UDP may be
// in use for TCP, so it tries a few times.
func bind(addr string) (*net.UDPConn, *net.TCPListener, error) {
	at, err := net.ResolveUDPAddr("udp", addr)
	if err != nil {
		return nil, nil, err
	}
	for tries := 0; ; tries++ {
		udp, err := net.ListenUDP("udp", at)
		if err != nil {
			return nil, nil, err
		}
		tcp, err := net.ListenTCP("tcp", &net.TCPAddr{IP: at.IP, Port: udp.LocalAddr().(*net.UDPAddr).Port, Zone: at.Zone})
		if err == nil {
			// Whole GOPs are sent at once, to many viewers. The kernel limits both sizes.
			_ = udp.SetWriteBuffer(4 << 20)
			_ = udp.SetReadBuffer(1 << 20)
			return udp, tcp, nil
		}
		_ = udp.Close()
		if at.Port != 0 || tries == 10 {
			return nil, nil, err
		}
	}
}

// Addr is the address of the WebRTC port.
func (s *Server) Addr() string { return s.udp.LocalAddr().String() }

// Run serves viewers until ctx is done and all have left.
func (s *Server) Run(ctx context.Context) error {
	set, closePorts, err := settings(s.udp, s.tcp)
	if err != nil {
		return fmt.Errorf("set WebRTC up: %w", err)
	}
	if err := s.ice.addPublic(&set); err != nil {
		return errors.Join(fmt.Errorf("set WebRTC up: %w", err), closePorts())
	}
	api, err := newAPI(set)
	if err != nil {
		return errors.Join(fmt.Errorf("set WebRTC up: %w", err), closePorts())
	}
	s.mu.Lock()
	s.api, s.ice.engine = api, set
	s.mu.Unlock()
	for ctx.Err() == nil {
		changed := s.hub.Changed()
		s.prune()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	s.mu.Lock()
	s.api = nil
	for _, v := range s.viewers {
		v.end(errStopping)
	}
	s.mu.Unlock()
	s.sessions.Wait()
	s.transcoders.ended.Wait()
	s.lowRes.ended.Wait()
	return closePorts()
}

// prune drops the sources of streams that ended.
func (s *Server) prune() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, src := range s.sources {
		if stats, live := s.hub.Stream(name); !live || !stats.Since.Equal(src.since) {
			delete(s.sources, name)
		}
	}
}

// source is what all viewers of a stream share. It fails with hub.ErrNoStream.
func (s *Server) source(name string) (*source, error) {
	stats, live := s.hub.Stream(name)
	if !live {
		return nil, hub.ErrNoStream
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.sources[name]
	if src == nil || !src.since.Equal(stats.Since) {
		src = newSource(stats.Since)
		s.sources[name] = src
	}
	return src, nil
}

// Clock is the newest frame that was sent of a stream: its RTP timestamp, and when the server
// received it. ok is false while the stream has no viewer.
func (s *Server) Clock(stream string) (rtp uint32, arrived time.Time, ok bool) {
	s.mu.Lock()
	src := s.sources[stream]
	s.mu.Unlock()
	if src != nil {
		if rtp, arrived, ok = src.clock(); ok {
			return rtp, arrived, ok
		}
	}
	return s.lowRes.clock(stream)
}

// Viewers is the number of viewers of all streams.
func (s *Server) Viewers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.viewers)
}

// Watching is the number of viewers of one stream.
func (s *Server) Watching(stream string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.viewers {
		if v.stream == stream {
			n++
		}
	}
	return n
}

// End closes the sessions of a client whose access was revoked.
func (s *Server) End(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.viewers {
		if v.who == who {
			v.end(errRevoked)
		}
	}
}

// Watch is Watchable for a live stream, including what its frames have shown so far, such as
// B-frames. When the low-resolution stream is sent instead, ok is true and reason says so.
func (s *Server) Watch(stream string) (ok bool, reason string) {
	stats, live := s.hub.Stream(stream)
	if !live {
		return false, "The stream is not live."
	}
	s.mu.Lock()
	src := s.sources[stream]
	s.mu.Unlock()
	err := watchable(stats.Tracks)
	if err == nil && src != nil && src.since.Equal(stats.Since) {
		err = src.refused(stats.Tracks)
	}
	switch {
	case err == nil:
		return true, ""
	case s.lowRes.available(stats.Tracks, err):
		return true, "Shown here in low resolution, converted for browsers: " + err.Error() + "."
	}
	return false, sentence(err)
}

// Watchable reports whether browsers can play a stream with these tracks, and if not, the
// reason as a sentence.
func Watchable(tracks *media.Tracks) (ok bool, reason string) {
	if err := watchable(tracks); err != nil {
		return false, sentence(err)
	}
	return true, ""
}

// Reasons why a stream can't be played. The panel shows them.
var (
	errStopping = errors.New("the server is stopping")
	errNoTracks = errors.New("the stream has sent no video yet")
	errNoVideo  = errors.New("the stream has no video")
	errH265     = errors.New("browsers can't show H.265 here yet: send H.264")
	errAV1      = errors.New("browsers can't show AV1 here yet: send H.264")
	errBFrames  = errors.New("the stream uses B-frames as references, which browsers can't show: set B-frames to 0 in the encoder")
	errNoConfig = errors.New("the stream's H.264 parameter sets are missing or broken")
	errCodec    = errors.New("browsers can't play this codec: send H.264")
)

func watchable(tracks *media.Tracks) error {
	if tracks == nil {
		return errNoTracks
	}
	i := tracks.Video()
	if i < 0 {
		return errNoVideo
	}
	switch (*tracks)[i].Codec {
	case media.H264:
		if _, _, err := media.H264ParameterSets((*tracks)[i].Config); err != nil {
			return errNoConfig
		}
		return nil
	case media.H265:
		return errH265
	case media.AV1:
		return errAV1
	}
	return errCodec
}

// sentence turns an error's text into a sentence.
func sentence(err error) string {
	text := err.Error()
	if text == "" {
		return ""
	}
	first := text[0]
	if first >= 'a' && first <= 'z' {
		first -= 'a' - 'A'
	}
	return string(first) + text[1:] + "."
}
