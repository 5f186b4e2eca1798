package rtmp

import (
	"errors"
	"log/slog"
	"time"

	"obvan/ingest"
	"obvan/media"
	"obvan/media/flv"
	"obvan/media/rtmp"
)

const (
	// A stream waits this long, in its own time, for its other track to show up before
	// it goes on air without.
	waitForOther = time.Second
	// And keeps at most this many units and bytes meanwhile.
	maxWaiting      = 256
	maxWaitingBytes = 16 << 20
)

// camera is a device that publishes: messages in, units out.
type camera struct {
	feed   *ingest.Feed
	log    *slog.Logger
	reader flv.Reader
	clock  rtmp.Unwrap

	video, audio *media.Track  // as last configured
	since        time.Duration // of the first configuration
	live         bool          // the feed has its tracks
	waiting      []waiting     // units that came before it had
	waitingBytes int
	said         map[string]bool
}

type waiting struct {
	video bool
	unit  media.AccessUnit
}

func newCamera(feed *ingest.Feed, log *slog.Logger) *camera {
	return &camera{feed: feed, log: log, said: map[string]bool{}}
}

// Message takes a message of the device.
func (c *camera) Message(m *rtmp.Message) {
	var p flv.Packet
	var err error
	at := c.clock.Time(m.Timestamp)
	switch m.Type {
	case rtmp.TypeVideo:
		p, err = c.reader.Video(at, m.Payload)
	case rtmp.TypeAudio:
		p, err = c.reader.Audio(at, m.Payload)
	default:
		return // metadata: the coding says it better
	}
	if err != nil {
		c.complain(err)
		return
	}
	video := m.Type == rtmp.TypeVideo
	if p.Config != nil {
		c.configured(at, video, p.Config)
	}
	if len(p.Unit.Data) == 0 {
		return
	}
	p.Unit.Arrived = time.Now()
	if c.live {
		c.write(video, p.Unit)
	} else {
		c.hold(at, video, p.Unit)
	}
}

// complain logs what is wrong with a device's messages, once for each kind: they
// come by the thousand.
func (c *camera) complain(err error) {
	words := flv.ErrBad.Error()
	if errors.Is(err, flv.ErrCodec) {
		words = err.Error()
	}
	if !c.said[words] && len(c.said) < 8 {
		c.said[words] = true
		c.log.Warn("messages left out", "err", err)
	}
}

// configured notes a new coding. The first ones are announced together.
func (c *camera) configured(at time.Duration, video bool, t *media.Track) {
	if c.video == nil && c.audio == nil {
		c.since = at
	}
	if video {
		c.video = t
	} else {
		c.audio = t
	}
	if c.live || c.video != nil && c.audio != nil {
		c.announce()
	}
}

// hold keeps a unit until the tracks are known.
func (c *camera) hold(at time.Duration, video bool, au media.AccessUnit) {
	c.waiting = append(c.waiting, waiting{video, au})
	c.waitingBytes += len(au.Data)
	// A clock that steps back has waited long enough too.
	if d := at - c.since; d >= waitForOther || d < -waitForOther || len(c.waiting) >= maxWaiting || c.waitingBytes >= maxWaitingBytes {
		c.announce()
	}
}

// announce tells the hub the tracks, and what waited for that.
func (c *camera) announce() {
	var tracks media.Tracks
	for _, t := range []*media.Track{c.video, c.audio} {
		if t != nil {
			tracks = append(tracks, *t)
		}
	}
	c.feed.SetTracks(tracks)
	c.live = true
	for _, w := range c.waiting {
		c.write(w.video, w.unit)
	}
	c.waiting = nil
	for _, t := range tracks {
		c.log.Info("coding", "codec", t.Codec, "width", t.Width, "height", t.Height, "fps", t.FrameRate, "rate", t.SampleRate)
	}
}

func (c *camera) write(video bool, au media.AccessUnit) {
	if !video && c.video != nil {
		au.Track = 1
	}
	c.feed.Write(au)
}

// Close is called when the device is gone.
func (c *camera) Close() {
	c.feed.Close()
	c.log.Info("publisher left")
}
