package whep

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/monitor/preview"
)

// lowResStreams are low-resolution versions of streams that browsers can't play as they are.
type lowResStreams struct {
	onDemand
	ffmpeg string // its path; without it there are no low-resolution streams
	log    *slog.Logger
}

func newLowResStreams(feeds *hub.Hub, ffmpeg string, log *slog.Logger) *lowResStreams {
	s := &lowResStreams{ffmpeg: ffmpeg, log: log}
	s.feeds, s.origin, s.produce, s.streams = feeds, hub.Origin{Proto: "lowres", Keep: 4 * time.Second}, s.transcode, map[string]*derived{}
	return s
}

// available reports whether a stream that can't be played because of err can be sent in low
// resolution instead.
func (s *lowResStreams) available(tracks *media.Tracks, err error) bool {
	return s.ffmpeg != "" && (errors.Is(err, errBFrames) || errors.Is(err, errH265) || errors.Is(err, errAV1)) && preview.Check(tracks) == nil
}

// transcode makes the low-resolution version of a stream.
func (s *lowResStreams) transcode(ctx context.Context, stream string, from *hub.Subscriber, to *hub.Publisher) {
	if err := preview.Run(ctx, s.ffmpeg, from, to); err != nil {
		s.log.Warn("low-resolution stream for browsers failed", "stream", stream, "err", err)
	}
}

// clock is the newest frame's RTP and arrival time; ok is false without viewers.
func (s *lowResStreams) clock(stream string) (rtp uint32, arrived time.Time, ok bool) {
	s.mu.Lock()
	p := s.streams[stream]
	s.mu.Unlock()
	if p == nil {
		return 0, time.Time{}, false
	}
	return p.source.clock()
}
