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
	// A stream waits this long, by its own timestamps, for its other track before it is
	// published without it.
	otherTrackWait = time.Second
	// Units and bytes that are buffered meanwhile.
	maxPending      = 256
	maxPendingBytes = 16 << 20
)

// camera is a device that publishes: RTMP messages in, access units out.
type camera struct {
	feed   *ingest.Feed
	log    *slog.Logger
	reader flv.Reader
	clock  rtmp.Unwrap

	video, audio *media.Track  // the latest configuration
	firstConfig  time.Duration // when the first configuration arrived
	live         bool          // the feed has its tracks
	pending      []pendingUnit // units that arrived before that
	pendingBytes int
	logged       map[string]bool
}

type pendingUnit struct {
	video bool
	unit  media.AccessUnit
}

func newCamera(feed *ingest.Feed, log *slog.Logger) *camera {
	return &camera{feed: feed, log: log, logged: map[string]bool{}}
}

// Message handles a message from the device.
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
		return // metadata: the codec configuration is more reliable
	}
	if err != nil {
		c.logInvalid(err)
		return
	}
	video := m.Type == rtmp.TypeVideo
	if p.Config != nil {
		c.setTrack(at, video, p.Config)
	}
	if len(p.Unit.Data) == 0 {
		return
	}
	p.Unit.Arrived = time.Now()
	if c.live {
		c.write(video, p.Unit)
	} else {
		c.enqueue(at, video, p.Unit)
	}
}

// logInvalid logs invalid messages once per kind: a faulty device sends thousands.
func (c *camera) logInvalid(err error) {
	message := flv.ErrBad.Error()
	if errors.Is(err, flv.ErrCodec) {
		message = err.Error()
	}
	if !c.logged[message] && len(c.logged) < 8 {
		c.logged[message] = true
		c.log.Warn("invalid messages dropped", "err", err)
	}
}

// setTrack notes a new codec configuration. The first ones are published together.
func (c *camera) setTrack(at time.Duration, video bool, t *media.Track) {
	if c.video == nil && c.audio == nil {
		c.firstConfig = at
	}
	if video {
		c.video = t
	} else {
		c.audio = t
	}
	if c.live || c.video != nil && c.audio != nil {
		c.setTracks()
	}
}

// enqueue buffers a unit until the tracks are known.
func (c *camera) enqueue(at time.Duration, video bool, au media.AccessUnit) {
	c.pending = append(c.pending, pendingUnit{video, au})
	c.pendingBytes += len(au.Data)
	// A timestamp that jumps back also ends the wait.
	if d := at - c.firstConfig; d >= otherTrackWait || d < -otherTrackWait || len(c.pending) >= maxPending || c.pendingBytes >= maxPendingBytes {
		c.setTracks()
	}
}

// setTracks publishes the tracks, and the units that were buffered.
func (c *camera) setTracks() {
	var tracks media.Tracks
	for _, t := range []*media.Track{c.video, c.audio} {
		if t != nil {
			tracks = append(tracks, *t)
		}
	}
	c.feed.SetTracks(tracks)
	c.live = true
	for _, w := range c.pending {
		c.write(w.video, w.unit)
	}
	c.pending = nil
	for _, t := range tracks {
		c.log.Info("codec", "codec", t.Codec, "width", t.Width, "height", t.Height, "fps", t.FrameRate, "rate", t.SampleRate)
	}
}

func (c *camera) write(video bool, au media.AccessUnit) {
	if !video && c.video != nil {
		au.Track = 1
	}
	c.feed.Write(au)
}

// Close is called when the device has disconnected.
func (c *camera) Close() {
	c.feed.Close()
	c.log.Info("publisher disconnected")
}
