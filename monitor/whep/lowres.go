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

// smalls are the small pictures of streams that browsers can't show as they are.
type smalls struct {
	workshop
	ffmpeg string // its path, or "": there are none
	log    *slog.Logger
}

func newSmalls(feeds *hub.Hub, ffmpeg string, log *slog.Logger) *smalls {
	s := &smalls{ffmpeg: ffmpeg, log: log}
	s.feeds, s.what, s.work, s.made = feeds, hub.Origin{Proto: "small", Keep: 4 * time.Second}, s.draw, map[string]*made{}
	return s
}

// can says whether err, a reason for not showing the stream, goes with a small picture.
func (s *smalls) can(tracks *media.Tracks, err error) bool {
	return s.ffmpeg != "" && (errors.Is(err, errBPictures) || errors.Is(err, errH265) || errors.Is(err, errAV1)) && preview.Check(tracks) == nil
}

// draw makes a stream's small picture.
func (s *smalls) draw(ctx context.Context, stream string, from *hub.Subscriber, to *hub.Publisher) {
	if err := preview.Run(ctx, s.ffmpeg, from, to); err != nil {
		s.log.Warn("small picture for browsers failed", "stream", stream, "err", err)
	}
}

// clock is the newest picture's, while somebody watches it.
func (s *smalls) clock(stream string) (rtp uint32, arrived time.Time, ok bool) {
	s.mu.Lock()
	p := s.made[stream]
	s.mu.Unlock()
	if p == nil {
		return 0, time.Time{}, false
	}
	return p.source.clock()
}
