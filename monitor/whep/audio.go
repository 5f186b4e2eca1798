package whep

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"time"

	"obvan/hub"
	"obvan/internal/retry"
	"obvan/media"
	"obvan/media/sound"
)

// sounds are the streams' sounds as Opus.
type sounds struct {
	workshop
	ffmpeg string // its path, or ""
	log    *slog.Logger
}

func newSounds(feeds *hub.Hub, ffmpeg string, log *slog.Logger) *sounds {
	s := &sounds{ffmpeg: ffmpeg, log: log}
	s.feeds, s.what, s.work, s.made = feeds, hub.Origin{Proto: "sound", Keep: time.Second}, s.turn, map[string]*made{}
	return s
}

// listen joins a stream's sound from now on. The function it returns leaves it.
func (s *sounds) listen(stream string) (*hub.Subscriber, func(), error) {
	m, leave, err := s.join(stream)
	if err != nil {
		return nil, nil, err
	}
	sub, err := m.hub.Subscribe(stream)
	if err != nil {
		leave()
		return nil, nil, err
	}
	return sub, func() { sub.Close(); leave() }, nil
}

// turn transcodes a stream's sound.
func (s *sounds) turn(ctx context.Context, stream string, from *hub.Subscriber, to *hub.Publisher) {
	from.SkipToLive()
	to.SetTracks(media.Tracks{sound.Track()})
	t := turner{sounds: s, to: to, log: s.log.With("stream", stream), wait: retry.Backoff{Min: time.Second, Max: 30 * time.Second}}
	defer t.end()
	t.run(ctx, from)
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
		if errors.Is(err, sound.ErrCodec) {
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
