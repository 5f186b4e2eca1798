package whep

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"obvan/hub"
	"obvan/internal/retry"
	"obvan/media"
	"obvan/media/sound"
)

// sounds are the streams' sounds as Opus. Each is made once, whoever listens, and
// only while somebody does.
type sounds struct {
	feeds  *hub.Hub
	ffmpeg string // its path, or ""
	log    *slog.Logger

	mu      sync.Mutex
	playing map[string]*playing
	ended   sync.WaitGroup
}

// playing is one stream's sound. It has a hub of its own: one writer, many readers,
// none of whom waits for another, is just what a hub is.
type playing struct {
	hub       *hub.Hub
	listeners int
	stop      context.CancelFunc
}

const (
	soundName = "sound"
	soundKeep = time.Second
)

// listen joins a stream's sound from now on. The function it returns leaves it.
func (s *sounds) listen(stream string) (*hub.Subscriber, func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.playing[stream]
	var sub *hub.Subscriber
	if p != nil {
		if had, err := p.hub.Subscribe(soundName); err == nil {
			sub = had
		}
	}
	if sub == nil { // nobody listens, or the stream that was listened to has left
		fresh, err := s.start(stream)
		if err != nil {
			return nil, nil, err
		}
		p = fresh
		if sub, err = p.hub.Subscribe(soundName); err != nil {
			p.stop()
			return nil, nil, err
		}
		s.playing[stream] = p
	}
	p.listeners++
	return sub, func() { sub.Close(); s.leave(stream, p) }, nil
}

func (s *sounds) leave(stream string, p *playing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.listeners--; p.listeners > 0 {
		return
	}
	p.stop()
	if s.playing[stream] == p {
		delete(s.playing, stream)
	}
}

// start begins to transcode a stream's sound.
func (s *sounds) start(stream string) (*playing, error) {
	from, err := s.feeds.Subscribe(stream)
	if err != nil {
		return nil, err
	}
	from.SkipToLive()
	p := &playing{hub: hub.New()}
	to, err := p.hub.Publish(soundName, hub.Origin{Proto: "sound", Keep: soundKeep})
	if err != nil {
		from.Close()
		return nil, err
	}
	to.SetTracks(media.Tracks{sound.Track()})
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	s.ended.Go(func() {
		defer from.Close()
		defer to.Close()
		t := turner{sounds: s, to: to, log: s.log.With("stream", stream), wait: retry.Backoff{Min: time.Second, Max: 30 * time.Second}}
		defer t.end()
		t.run(ctx, from)
	})
	return p, nil
}

// turner keeps the transcoder of one stream, through changes of its coding and
// through failures.
type turner struct {
	sounds *sounds
	to     *hub.Publisher
	log    *slog.Logger

	transcoder sound.Transcoder
	track      *media.Track // it was made for, also when that failed
	wait       retry.Backoff
	again      time.Time // when to try once more after a failure
}

func (t *turner) run(ctx context.Context, from *hub.Subscriber) {
	for {
		au, err := from.Next(ctx)
		if err != nil {
			return
		}
		if au.Tracks == nil || !au.Info().Codec.Audio() {
			continue
		}
		if !t.ready(au.Info()) {
			continue
		}
		if err := t.transcoder.Write(&au); err != nil {
			t.log.Warn("sound for browsers failed", "err", err)
			t.end()
			t.again = time.Now().Add(t.wait.Next())
		}
	}
}

// ready makes sure that there is a transcoder for track. A new generation of
// tracks often has the same sound, which must not click then.
func (t *turner) ready(track *media.Track) bool {
	same := t.track == track || t.track != nil && t.track.Codec == track.Codec && bytes.Equal(t.track.Config, track.Config)
	if same && (t.transcoder != nil || time.Now().Before(t.again)) {
		return t.transcoder != nil
	}
	t.end()
	t.track = track
	made, err := sound.New(track, t.sounds.ffmpeg, t.to.Write)
	if err != nil {
		t.log.Info("no sound for browsers", "err", err)
		t.again = time.Now().Add(t.wait.Next())
		if errors.Is(err, sound.ErrCoding) {
			t.again = t.again.Add(time.Hour) // it is the coding: until there is another
		}
		return false
	}
	t.transcoder = made
	return true
}

func (t *turner) end() {
	if t.transcoder != nil {
		_ = t.transcoder.Close() // ffmpeg was killed: its complaint is no news
		t.transcoder = nil
	}
}
