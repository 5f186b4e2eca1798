package rtp

import (
	"fmt"

	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"
	pion "github.com/pion/rtp"

	"obvan/media"
)

type opusInput struct{ track media.Track }

func newOpus(f *format.Opus) (*opusInput, error) {
	if f.ChannelCount < 1 || f.ChannelCount > 2 {
		return nil, fmt.Errorf("opus with %d channels", f.ChannelCount)
	}
	// dOps (Opus in ISOBMFF, 4.3.2): version, channels, pre-skip, sample rate, gain, family.
	config := []byte{0, byte(f.ChannelCount), 312 >> 8, 312 & 0xff, 0, 0, 0xbb, 0x80, 0, 0, 0}
	return &opusInput{media.Track{Codec: media.Opus, Config: config, SampleRate: 48000, Channels: f.ChannelCount}}, nil
}

func (in *opusInput) current() (media.Track, int, bool) { return in.track, 0, true }

func (in *opusInput) frames(pkt *pion.Packet) ([]frame, error) {
	if len(pkt.Payload) == 0 || opus.PacketDuration2(pkt.Payload) <= 0 {
		return nil, nil
	}
	return []frame{{ts: pkt.Timestamp, data: append([]byte(nil), pkt.Payload...), key: true}}, nil
}
