package rtp

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/format/rtpmpeg4audio"
	pion "github.com/pion/rtp"

	"obvan/media"
)

// aacInput takes AAC in packets (RFC 3640).
type aacInput struct {
	decoder *rtpmpeg4audio.Decoder
	track   media.Track
	step    uint32 // a frame on the RTP clock
	usual   bool   // the AU headers have the usual form
	partial
}

// partial is a frame of which more fragments may follow.
type partial struct {
	*pion.Packet        // the first packet, with the later ones appended; nil for none
	size         int    // of the whole frame, as the first packet states
	next         uint16 // sequence number
}

const (
	// In the usual form, mode AAC-hbr, the header of a frame has 13 bits of size and 3 of
	// index; the length of the headers in bits precedes them (RFC 3640, 3.2.1 and 3.3.6).
	auHeader    = 16
	auStart     = 4
	maxAAC      = 1<<13 - 1
	auIndexBits = 3
)

func newAAC(f *format.MPEG4Audio) (*aacInput, error) {
	// Our limits: the library does not check these lengths, and fails on large ones.
	if f.SizeLength < 1 || f.SizeLength > 16 || f.IndexLength > 8 || f.IndexDeltaLength > 8 || f.Config.SampleRate <= 0 {
		return nil, fmt.Errorf("AAC with AU headers of %d, %d and %d bits", f.SizeLength, f.IndexLength, f.IndexDeltaLength)
	}
	config, err := f.Config.Marshal()
	if err != nil {
		return nil, fmt.Errorf("AAC: %w", err)
	}
	in := &aacInput{usual: f.SizeLength == auHeader-auIndexBits && f.IndexLength == auIndexBits}
	in.track = media.Track{Codec: media.AAC, Config: config, SampleRate: f.Config.SampleRate, Channels: channels(f.Config.ChannelConfig)}
	in.step = stepAAC(&in.track, clockRate(f))
	in.decoder, err = f.CreateDecoder()
	return in, err
}

// stepAAC is the length of a frame on a clock of rate.
func stepAAC(t *media.Track, rate int64) uint32 {
	return uint32(int64(t.SamplesPerFrame()) * rate / int64(t.SampleRate))
}

// clockRate is the rate of a format's timestamps. For explicitly signaled HE-AAC it is the
// sample rate of the output, as in the description (RFC 3640, 3.2.1), not that of the AAC
// core.
func clockRate(f format.Format) int64 {
	output := 0
	switch f := f.(type) {
	case *format.MPEG4Audio:
		output = f.Config.ExtensionSampleRate
	case *format.MPEG4AudioLATM:
		if layer, ok := layerOf(f); ok {
			output = layer.AudioSpecificConfig.ExtensionSampleRate
		}
	}
	return int64(cmp.Or(output, f.ClockRate()))
}

// channels is the number of channels of a channel configuration (ISO/IEC 14496-3, table
// 1.19); 0 means that the stream defines it, which in practice is stereo.
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
	for _, whole := range in.gather(pkt) {
		units, bad := in.decoder.Decode(whole)
		if bad != nil {
			err = bad
		}
		for i, u := range units {
			frames = append(frames, frame{ts: whole.Timestamp + uint32(i)*in.step, data: bytes.Clone(u), key: true})
		}
	}
	return frames, err
}

// gather joins the fragments of frames: the packets it returns contain complete frames.
// The library expects each fragment to state its own size, but it states that of its
// frame (RFC 3640, 3.2.1.1), and the library mistakes frames for fragments when a camera
// sets no markers.
func (in *aacInput) gather(pkt *pion.Packet) (whole []*pion.Packet) {
	p := *pkt
	p.Marker = true
	continues := in.Packet != nil && pkt.SequenceNumber == in.next && pkt.Timestamp == in.Timestamp
	if in.Packet != nil && !continues {
		if len(in.Payload)-auStart == in.size { // it was not a fragment
			whole = append(whole, in.Packet)
		}
		in.Packet = nil
	}
	if !in.usual || len(p.Payload) <= auStart || binary.BigEndian.Uint16(p.Payload) != auHeader {
		return append(whole, &p) // several frames, or invalid
	}
	size := int(binary.BigEndian.Uint16(p.Payload[2:]) >> auIndexBits)
	switch {
	case continues:
		in.Payload = append(in.Payload, p.Payload[auStart:]...)
	case !pkt.Marker:
		p.Payload = bytes.Clone(p.Payload)
		in.Packet, in.size = &p, size
	case len(p.Payload)-auStart < size: // the end of a frame whose first packet was lost
		return whole
	default:
		return append(whole, &p)
	}
	in.next = pkt.SequenceNumber + 1
	switch n := len(in.Payload) - auStart; {
	case n > maxAAC:
		in.Packet = nil
	case pkt.Marker:
		binary.BigEndian.PutUint16(in.Payload[2:], uint16(n)<<auIndexBits)
		whole = append(whole, in.Packet)
		in.Packet = nil
	}
	return whole
}

// encodeAAC makes fragments state the size of their frame; the library makes them state
// their own.
func encodeAAC(e *rtpmpeg4audio.Encoder) func(parts [][]byte) ([]*pion.Packet, error) {
	return func(parts [][]byte) ([]*pion.Packet, error) {
		pkts, err := e.Encode(parts)
		if len(pkts) > 1 && len(parts) == 1 && len(parts[0]) <= maxAAC {
			for _, p := range pkts {
				binary.BigEndian.PutUint16(p.Payload[2:], uint16(len(parts[0]))<<auIndexBits)
			}
		}
		return pkts, err
	}
}
