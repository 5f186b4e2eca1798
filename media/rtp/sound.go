package rtp

import (
	"errors"
	"fmt"

	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtpmpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"
	pion "github.com/pion/rtp"

	"obvan/media"
)

type aacInput struct {
	decoder  *rtpmpeg4audio.Decoder
	track    media.Track
	step     uint32 // a frame on the RTP clock
	held     int
	newStart func() (*rtpmpeg4audio.Decoder, error)
}

func newAAC(f *format.MPEG4Audio) (*aacInput, error) {
	// RFC 3640, 3.3.6 has 13, 3 and 3; the decoder panics on lengths of 64 bits.
	if f.SizeLength < 1 || f.SizeLength > 16 || f.IndexLength > 8 || f.IndexDeltaLength > 8 || f.Config.SampleRate <= 0 {
		return nil, fmt.Errorf("AAC with AU headers of %d, %d and %d bits", f.SizeLength, f.IndexLength, f.IndexDeltaLength)
	}
	config, err := f.Config.Marshal()
	if err != nil {
		return nil, fmt.Errorf("AAC: %w", err)
	}
	in := &aacInput{newStart: f.CreateDecoder}
	in.track = media.Track{Codec: media.AAC, Config: config, SampleRate: f.Config.SampleRate, Channels: channels(f.Config.ChannelConfig)}
	in.step = uint32(int64(in.track.SamplesPerFrame()) * clockRate(f) / int64(f.Config.SampleRate))
	in.decoder, err = f.CreateDecoder()
	return in, err
}

// clockRate is how fast a format's timestamps count. For HE-AAC that says so they count
// the samples that are heard, as the description has it (RFC 3640, 3.2.1), not those
// that are coded.
func clockRate(f format.Format) int64 {
	if aac, ok := f.(*format.MPEG4Audio); ok && aac.Config.ExtensionSampleRate > 0 {
		return int64(aac.Config.ExtensionSampleRate)
	}
	return int64(f.ClockRate())
}

// channels is how many a channel configuration has (ISO/IEC 14496-3, table 1.19);
// 0 is defined in the stream, which in practice is stereo.
func channels(config uint8) int {
	switch {
	case config == 0:
		return 2
	case config == 7:
		return 8
	}
	return int(config)
}

func (in *aacInput) current() (media.Track, int, bool) { return in.track, 0, true }

func (in *aacInput) frames(pkt *pion.Packet) (frames []frame, err error) {
	if in.held++; in.held > 64 { // a frame is at most 6144 bits a channel
		in.held = 0
		if in.decoder, err = in.newStart(); err != nil {
			return nil, err
		}
		return nil, errPackets
	}
	units, err := in.decoder.Decode(pkt)
	if errors.Is(err, rtpmpeg4audio.ErrMorePacketsNeeded) {
		return nil, nil
	}
	in.held = 0
	if err != nil {
		return nil, err
	}
	for i, u := range units {
		frames = append(frames, frame{ts: pkt.Timestamp + uint32(i)*in.step, data: append([]byte(nil), u...), key: true})
	}
	return frames, nil
}

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
