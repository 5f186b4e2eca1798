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
	"obvan/media/transcode"
)

// audioTranscoders are the streams' audio transcoded to Opus.
type audioTranscoders struct {
	onDemand
	ffmpeg string // its path, or ""
	log    *slog.Logger
}

func newAudioTranscoders(feeds *hub.Hub, ffmpeg string, log *slog.Logger) *audioTranscoders {
	s := &audioTranscoders{ffmpeg: ffmpeg, log: log}
	s.feeds, s.origin, s.produce, s.streams = feeds, hub.Origin{Proto: "audio", Keep: time.Second}, s.transcode, map[string]*derived{}
	return s
}

// subscribe joins a stream's audio at the live position. The function it returns leaves it.
func (s *audioTranscoders) subscribe(stream string) (*hub.Subscriber, func(), error) {
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

// transcode runs the transcoder of one stream's audio.
func (s *audioTranscoders) transcode(ctx context.Context, stream string, from *hub.Subscriber, to *hub.Publisher) {
	from.SkipToLive()
	to.SetTracks(media.Tracks{transcode.Track()})
	t := transcoding{owner: s, to: to, log: s.log.With("stream", stream), backoff: retry.Backoff{Min: time.Second, Max: 30 * time.Second}}
	defer t.close()
	t.run(ctx, from)
}

// transcoding keeps the transcoder of one stream running, through changes of its codec and
// through failures.
type transcoding struct {
	owner *audioTranscoders
	to    *hub.Publisher
	log   *slog.Logger

	transcoder transcode.Transcoder
	track      *media.Track // that transcoder is for, even if making it failed
	backoff    retry.Backoff
	retryAt    time.Time // when to retry after a failure
}

func (t *transcoding) run(ctx context.Context, from *hub.Subscriber) {
	for {
		au, err := from.Next(ctx)
		if err != nil {
			return
		}
		if au.Tracks == nil || !au.Info().Codec.Audio() {
			continue
		}
		if !t.prepare(au.Info()) {
			continue
		}
		if err := t.transcoder.Write(&au); err != nil {
			t.log.Warn("audio for browsers failed", "err", err)
			t.close()
			t.retryAt = time.Now().Add(t.backoff.Next())
		}
	}
}

// prepare makes sure that there is a transcoder for track. A new generation of
// tracks often has the same audio, which must go on without a click.
func (t *transcoding) prepare(track *media.Track) bool {
	same := t.track == track || t.track != nil && t.track.Codec == track.Codec && bytes.Equal(t.track.Config, track.Config)
	if same && (t.transcoder != nil || time.Now().Before(t.retryAt)) {
		return t.transcoder != nil
	}
	t.close()
	t.track = track
	made, err := transcode.New(track, t.owner.ffmpeg, t.to.Write)
	if err != nil {
		t.log.Info("no audio for browsers", "err", err)
		t.retryAt = time.Now().Add(t.backoff.Next())
		if errors.Is(err, transcode.ErrCodec) {
			t.retryAt = t.retryAt.Add(time.Hour) // the codec is unsupported: wait for another one
		}
		return false
	}
	t.transcoder = made
	return true
}

func (t *transcoding) close() {
	if t.transcoder != nil {
		_ = t.transcoder.Close() // ffmpeg was killed: its error is expected
		t.transcoder = nil
	}
}
