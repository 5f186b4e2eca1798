package rtp

import (
	"errors"
	"fmt"

	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtpfragmented"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	pion "github.com/pion/rtp"

	"obvan/media"
)

// latmInput takes AAC in a LATM multiplex of one program, configured in the session
// description (RFC 6416): GStreamer's default.
type latmInput struct {
	decoder *rtpfragmented.Decoder
	config  *mpeg4audio.StreamMuxConfig
	track   media.Track
	step    uint32 // a frame on the RTP clock
}

var errLATM = errors.New("not a LATM multiplex of one AAC stream configured in the session description")

func newLATM(f *format.MPEG4AudioLATM) (*latmInput, error) {
	layer, ok := layerOf(f)
	if !ok {
		return nil, errLATM
	}
	asc := layer.AudioSpecificConfig
	config, err := asc.Marshal()
	if err != nil {
		return nil, fmt.Errorf("AAC: %w", err)
	}
	in := &latmInput{config: f.StreamMuxConfig}
	in.track = media.Track{Codec: media.AAC, Config: config, SampleRate: asc.SampleRate, Channels: channels(asc.ChannelConfig)}
	in.step = stepAAC(&in.track, clockRate(f))
	in.decoder, err = f.CreateDecoder()
	return in, err
}

// layerOf is the only layer of the only program.
func layerOf(f *format.MPEG4AudioLATM) (layer *mpeg4audio.StreamMuxConfigLayer, ok bool) {
	c := f.StreamMuxConfig
	if f.CPresent || c == nil || len(c.Programs) != 1 || len(c.Programs[0].Layers) != 1 {
		return nil, false
	}
	layer = c.Programs[0].Layers[0]
	return layer, layer.FrameLengthType == 0 && layer.AudioSpecificConfig != nil && layer.AudioSpecificConfig.SampleRate > 0
}

func (in *latmInput) current() (media.Track, int, bool) { return in.track, 0, true }

func (in *latmInput) frames(pkt *pion.Packet) (frames []frame, err error) {
	whole, err := in.decoder.Decode(pkt)
	if errors.Is(err, rtpfragmented.ErrMorePacketsNeeded) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(whole) > maxAAC { // before it is parsed: a length byte stands for up to 255 bytes
		return nil, errPackets
	}
	element := mpeg4audio.AudioMuxElement{StreamMuxConfig: in.config}
	if err := element.Unmarshal(whole); err != nil {
		return nil, err
	}
	for i, sub := range element.Payloads {
		frames = append(frames, frame{ts: pkt.Timestamp + uint32(i)*in.step, data: sub[0][0], key: true})
	}
	return frames, nil
}
