package transcode

// This is the one file that touches go-aac, which is LGPL-2.1 (see NOTICE).

import (
	"encoding/binary"
	"fmt"
	"io"

	aac "github.com/tphakala/go-aac"
	"github.com/tphakala/go-aac/pcm"
)

// maxFrame is the longest AAC frame taken: 6144 bits for each of two channels
// (ISO/IEC 14496-3, 4.5.3.1), with room for padding.
const maxFrame = 4096

// aacDecoder decodes raw AAC-LC frames. It is its own source: go-aac reads from a stream,
// and here gets one frame at a time, after its length.
type aacDecoder struct {
	dec      *pcm.Decoder
	config   []byte
	next     []byte // the unread rest of the frame
	framed   [maxFrame + 2]byte
	raw      [2 * 2048 * 2]byte
	out      []float32
	rate     int
	channels int
}

// newAACDecoder fails for all but AAC-LC in mono or stereo.
func newAACDecoder(config []byte) (*aacDecoder, error) {
	d := &aacDecoder{config: config}
	dec, err := pcm.NewDecoder(d, pcm.WithRawStream(config))
	if err != nil {
		return nil, fmt.Errorf("create an AAC decoder: %w", err)
	}
	d.dec, d.rate, d.channels = dec, dec.Info().SampleRate, dec.Info().Channels
	if d.rate <= 0 || d.channels < 1 || d.channels > 2 {
		return nil, fmt.Errorf("create an AAC decoder: %d Hz, %d channels", d.rate, d.channels)
	}
	return d, nil
}

// Read returns the frame to the decoder. A decoder that reads past it has lost
// synchronization.
func (d *aacDecoder) Read(p []byte) (int, error) {
	if len(d.next) == 0 {
		return 0, io.ErrNoProgress
	}
	n := copy(p, d.next)
	d.next = d.next[n:]
	return n, nil
}

// decode returns the interleaved samples of one frame, valid until the next call. After a
// malformed frame the decoder is reset.
func (d *aacDecoder) decode(frame []byte) (samples []float32, err error) {
	defer func() {
		if p := recover(); p != nil {
			samples, err = nil, fmt.Errorf("decode AAC: %v", p)
		}
		if err != nil {
			d.next = nil
			_ = d.dec.Reset(d, pcm.WithRawStream(d.config)) // it took this configuration before
		}
	}()
	if len(frame) == 0 || len(frame) > maxFrame {
		return nil, fmt.Errorf("decode AAC: a frame of %d bytes", len(frame))
	}
	binary.BigEndian.PutUint16(d.framed[:], uint16(len(frame)))
	d.next = d.framed[:2+copy(d.framed[2:], frame)]
	n, err := d.dec.Read(d.raw[:])
	if err != nil {
		return nil, fmt.Errorf("decode AAC: %w", err)
	}
	d.out = d.out[:0]
	for i := 0; i+1 < n; i += 2 {
		d.out = append(d.out, float32(int16(binary.LittleEndian.Uint16(d.raw[i:])))/32768)
	}
	return d.out, nil
}

// aacEncoder encodes stereo at 48 kHz as raw AAC-LC frames.
type aacEncoder struct{ enc *aac.Encoder }

const (
	aacFrame   = aac.FrameSize    // samples per frame
	aacDelay   = aac.EncoderDelay // samples by which the decoded audio is late
	aacBitrate = 128_000
)

// reset begins a new stream.
func (e *aacEncoder) reset() (err error) {
	config := aac.EncoderConfig{SampleRate: Rate, Channels: 2, Bitrate: aacBitrate}
	if e.enc != nil {
		return e.enc.Reset(config)
	}
	e.enc, err = aac.NewEncoder(config)
	return err
}

// encode encodes a frame of samples and returns an earlier frame; nil at first. After an
// error the encoder must be reset.
func (e *aacEncoder) encode(left, right []float32) (frame []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			frame, err = nil, fmt.Errorf("encode AAC: %v", p)
		}
	}()
	if frame, err = e.enc.EncodeFrame(nil, [][]float32{left, right}); err != nil {
		return nil, fmt.Errorf("encode AAC: %w", err)
	}
	return frame, nil
}
