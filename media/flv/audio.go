package flv

import (
	"bytes"
	"fmt"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"obvan/media"
)

// audioState is what is known of the publisher's audio.
type audioState struct {
	track *media.Track
}

func (s *audioState) configureAAC(asc []byte) (Packet, error) {
	var conf mpeg4audio.AudioSpecificConfig
	if err := conf.Unmarshal(asc); err != nil {
		return Packet{}, fmt.Errorf("%w: AudioSpecificConfig: %w", ErrBad, err)
	}
	// 7 means 7.1; with 0 the layout is in a PCE, which only multichannel encoders use.
	channels := int(conf.ChannelConfig)
	switch channels {
	case 7:
		channels = 8
	case 0:
		channels = 2
	}
	return s.set(media.Track{Codec: media.AAC, Config: asc, SampleRate: conf.SampleRate, Channels: channels}), nil
}

func (s *audioState) configureOpus(head []byte) (Packet, error) {
	dops, err := opusRecord(head)
	if err != nil {
		return Packet{}, fmt.Errorf("%w: %w", ErrBad, err)
	}
	return s.set(media.Track{Codec: media.Opus, Config: dops, SampleRate: 48000, Channels: int(dops[1])}), nil
}

func (s *audioState) set(t media.Track) Packet {
	if s.track != nil && s.track.Codec == t.Codec && bytes.Equal(s.track.Config, t.Config) {
		return Packet{} // some encoders repeat it
	}
	s.track = &t
	return Packet{Config: &t}
}

func (s *audioState) frame(c media.Codec, at time.Duration, frame []byte) Packet {
	if s.track == nil || s.track.Codec != c || len(frame) == 0 {
		return Packet{}
	}
	return Packet{Unit: media.AccessUnit{PTS: at, DTS: at, Key: true, Data: frame}}
}
