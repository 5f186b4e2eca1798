package whep

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/monitor/rendition"
)

// smalls are the small pictures of streams that browsers can't show as they are.
// Each is made once, whoever watches, and only while somebody does.
type smalls struct {
	feeds  *hub.Hub
	ffmpeg string // its path, or "": there are none
	log    *slog.Logger

	mu      sync.Mutex
	playing map[string]*smallPicture
	ended   sync.WaitGroup
}

// smallPicture is one stream's. It has a hub of its own, with the stream's name in it.
type smallPicture struct {
	hub     *hub.Hub
	source  *source
	viewers int
	stop    context.CancelFunc
}

const smallKeep = 4 * time.Second

// can says whether err, a reason for not showing the stream, goes with a small picture.
func (s *smalls) can(tracks *media.Tracks, err error) bool {
	return s.ffmpeg != "" && (errors.Is(err, errBPictures) || errors.Is(err, errH265) || errors.Is(err, errAV1)) && rendition.Check(tracks) == nil
}

// watch joins a stream's small picture. The function it returns leaves it.
func (s *smalls) watch(stream string) (*smallPicture, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.playing[stream]
	if p != nil {
		if _, live := p.hub.Stream(stream); !live { // ffmpeg failed, or the stream has left
			p = nil
		}
	}
	if p == nil {
		fresh, err := s.start(stream)
		if err != nil {
			return nil, nil, err
		}
		p = fresh
		s.playing[stream] = p
	}
	p.viewers++
	return p, sync.OnceFunc(func() { s.leave(stream, p) }), nil
}

func (s *smalls) leave(stream string, p *smallPicture) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.viewers--; p.viewers > 0 {
		return
	}
	p.stop()
	if s.playing[stream] == p {
		delete(s.playing, stream)
	}
}

func (s *smalls) start(stream string) (*smallPicture, error) {
	from, err := s.feeds.Subscribe(stream)
	if err != nil {
		return nil, err
	}
	p := &smallPicture{hub: hub.New(), source: newSource(time.Now())}
	p.source.made = true
	to, err := p.hub.Publish(stream, hub.Origin{Proto: "small", Keep: smallKeep})
	if err != nil {
		from.Close()
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	s.ended.Go(func() {
		defer from.Close()
		defer to.Close()
		if err := rendition.Run(ctx, s.ffmpeg, from, to); err != nil {
			s.log.Warn("small picture for browsers failed", "stream", stream, "err", err)
		}
	})
	return p, nil
}

// clock is the newest picture's, while somebody watches it.
func (s *smalls) clock(stream string) (rtp uint32, arrived time.Time, ok bool) {
	s.mu.Lock()
	p := s.playing[stream]
	s.mu.Unlock()
	if p == nil {
		return 0, time.Time{}, false
	}
	return p.source.clock()
}
