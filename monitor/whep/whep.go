// Package whep shows any stream to browsers by WHEP (draft-ietf-wish-whep): one
// POST with an offer, one answer, media over one UDP port with TCP as fallback.
//
// A stream's frames are packetised once for all viewers; each viewer is a
// cursor of its own into the hub and a goroutine that only stamps, encrypts and
// sends. A viewer starts with everything since the newest keyframe, at once and
// with its true timestamps, so video shows within a few frames.
//
// # For the panel
//
// Post the offer at once, without gathering: the answer holds the server's
// addresses, and the server learns the browser's from its first check. Ask for
// video as recvonly, and for audio only where it is heard: AAC is transcoded while
// a viewer asks for it, and video with audio is delayed for it, for the two
// to be in sync: 100 ms, and more where a camera sends its audio late. Put stereo=1 into the offer's Opus fmtp. An answer other
// than 201 is a plain sentence to show: 404 the stream is not live, 409 browsers
// can't show it, 429 you watch too much already, 503 not now (see Retry-After for both).
//
// Streams that browsers can't show as they are (B-frames that are references, H.265)
// are shown as a low-resolution stream, where ffmpeg is installed to make it. B-frames only show
// in the frames: the first viewer's session ends, and the next offer gets the low-resolution stream.
//
// POST /whep/<stream>?video=keyframes asks for keyframes only, with all of the audio: a
// small tile that moves once a second or so costs its page next to nothing to decode.
//
// When the stream ends, or can't be shown any more, the server closes. Chromium's
// connectionState reports it 6 s later, but the DTLS transport at once: listen to
// receiver.transport.onstatechange for "closed", and ask again; the answer says
// what became of the stream.
//
// Latency of the video: a frame's RTP timestamp is its PTS in 90 kHz, the
// same for all viewers, and requestVideoFrameCallback reports it (rtpTimestamp).
// Clock gives the newest frame's timestamp with the instant when the server had
// it. So with {rtp, arrivedMs, nowMs} from the server, and skew the difference of
// the clocks (the browser's now minus nowMs, less half the round trip),
//
//	latency = shown - skew - (arrivedMs - int32(rtp - frame.rtpTimestamp)/90)
//
// where shown is performance.timeOrigin + frame.expectedDisplayTime. A timestamp
// is off by a few ticks of 1/90000 s in the frames sent again after a loss.
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

// How many may watch. A panel with sixteen tiles, preview and program is 18
// connections; several panels may sit behind one address, and share a token. Neither
// may take all of the capacity.
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

// Server answers WHEP requests. It is an http.Handler for /whep/<stream>; the
// caller has checked who asks.
type Server struct {
	hub *hub.Hub
	log *slog.Logger
	sockets

	mu          sync.Mutex
	api         *webrtc.API // nil while Run is not running
	ice         iceSettings
	viewers     map[string]*viewer
	sources     map[string]*source // by stream, as long as that is live
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
	ffmpeg, _ := exec.LookPath("ffmpeg") // without it, some streams are not shown, or not heard
	return &Server{
		hub: h, log: log, sockets: sockets{&udpPort{UDPConn: udp}, tcp},
		transcoders: newAudioTranscoders(h, ffmpeg, log),
		lowRes:      newLowResStreams(h, ffmpeg, log),
		viewers:     map[string]*viewer{}, sources: map[string]*source{},
		limits: limits{maxViewers, maxByToken, maxByRemote, connectTimeout},
	}, nil
}

// bind takes the same port for both. A port picked for UDP may be taken for TCP,
// so picking is tried a few times.
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
			// The kernel caps both; whole GOPs go out at once, to many.
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

// Addr is where media goes.
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

// prune forgets what is known of streams that left.
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

// Clock is the newest frame sent of a stream: its RTP timestamp and when the
// server received it. ok is false while the stream has no viewer.
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

// Viewers is how many watch, all streams together.
func (s *Server) Viewers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.viewers)
}

// Watching is how many watch a stream.
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

// End ends all that who watches, whose access was taken away.
func (s *Server) End(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.viewers {
		if v.who == who {
			v.end(errRevoked)
		}
	}
}

// Watch is Watchable for a live stream, with what was observed in its frames so
// far: B-frames only show there. When a low-resolution stream is shown instead of the
// stream's own, ok is true and reason says so.
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

// Watchable reports whether browsers can show a stream with these tracks, and if
// not, why, in words.
func Watchable(tracks *media.Tracks) (ok bool, reason string) {
	if err := watchable(tracks); err != nil {
		return false, sentence(err)
	}
	return true, ""
}

// Reasons for not showing a stream, in words an operator is shown.
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

// sentence makes an error's words one.
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
