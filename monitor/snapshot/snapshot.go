// Package snapshot makes JPEG images of streams, for scripts, chat bots and pages that can't
// play video. An ffmpeg process decodes: it is started at the first request, and stopped when
// there was none for ten seconds.
package snapshot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"sync"
	"time"

	"obvan/hub"
)

// Errors that a caller can act on.
var (
	ErrNoDecoder = errors.New("snapshots need ffmpeg, which is not installed on the server")
	ErrFull      = errors.New("the server is already making snapshots of as many streams as it can")
	ErrNoVideo   = errors.New("the stream has no video that can be decoded at the moment")
)

const (
	maxDecoders    = 4
	idleTimeout    = 10 * time.Second
	firstTimeout   = 4 * time.Second
	jpegsPerSecond = 2 // of each decoder
)

// Server makes snapshots. Its methods are safe for concurrent use.
type Server struct {
	hub    *hub.Hub
	ffmpeg string // its path, or ""
	log    *slog.Logger

	mu       sync.Mutex
	running  bool
	decoders map[string]*decoder // by stream
	active   sync.WaitGroup
}

// New looks for ffmpeg.
func New(h *hub.Hub, log *slog.Logger) *Server {
	ffmpeg, _ := exec.LookPath("ffmpeg") // without it JPEG returns ErrNoDecoder
	return &Server{hub: h, ffmpeg: ffmpeg, log: log, decoders: map[string]*decoder{}}
}

// Run allows decoders to be started until ctx is done; it returns when all have ended.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	s.running = true
	s.mu.Unlock()
	<-ctx.Done()
	s.mu.Lock()
	s.running = false
	for _, c := range s.decoders {
		c.stop()
	}
	s.mu.Unlock()
	s.active.Wait()
	return nil
}

// JPEG is the stream's newest frame, at most about a second old. It fails with ErrNoDecoder,
// ErrFull, ErrNoVideo, hub.ErrNoStream or ctx's error.
func (s *Server) JPEG(ctx context.Context, stream string) ([]byte, error) {
	if s.ffmpeg == "" {
		return nil, ErrNoDecoder
	}
	c, err := s.decoderFor(stream)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, firstTimeout)
	defer cancel()
	jpeg, err := c.newest(ctx)
	if err != nil {
		return nil, fmt.Errorf("snapshot of %s: %w", stream, err)
	}
	return jpeg, nil
}

// decoderFor is the decoder of a stream; it is started when there is none.
func (s *Server) decoderFor(stream string) (*decoder, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.decoders[stream]; c != nil && c.touch(time.Now()) {
		return c, nil
	}
	if !s.running || len(s.decoders) >= maxDecoders {
		return nil, ErrFull
	}
	sub, err := s.hub.Subscribe(stream)
	if err != nil {
		return nil, err
	}
	tracks := sub.Tracks()
	i := tracks.Video()
	if i < 0 {
		sub.Close()
		return nil, ErrNoVideo
	}
	track := &(*tracks)[i]
	c, err := startDecoder(s.ffmpeg, sub, track)
	if err != nil {
		sub.Close()
		return nil, err
	}
	s.decoders[stream] = c
	s.active.Go(func() {
		err := c.run()
		s.log.Debug("snapshots ended", "stream", stream, "err", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.decoders[stream] == c {
			delete(s.decoders, stream)
		}
	})
	return c, nil
}
