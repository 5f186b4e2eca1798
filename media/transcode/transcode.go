// Package transcode converts a stream's audio between AAC and Opus. Browsers don't play
// AAC over WebRTC: New makes Opus at 48 kHz, mono or stereo, 20 ms per packet, on the
// stream's clock. RTMP platforms don't play Opus: ToAAC makes AAC-LC.
//
// Plain AAC-LC is decoded in this process. Every other AAC that ffmpeg supports is decoded
// by a child process, if ffmpeg is installed. Opus passes through unchanged.
package transcode

import (
	"errors"
	"fmt"
	"time"

	"github.com/thesyncim/gopus"

	"obvan/media"
)

// Rate is the sample rate of all output.
const Rate = 48000

// ErrCodec is for audio that can't be converted to Opus here.
var ErrCodec = errors.New("this audio can't be played in a browser")

// Transcoder takes the audio of one track, in order. It passes its output to the function
// it was made with, from one goroutine at a time.
type Transcoder interface {
	// Write takes one frame. Malformed frames are skipped; an error is permanent.
	Write(au *media.AccessUnit) error
	// Close ends it; nothing is emitted after it has returned.
	Close() error
}

// New makes a transcoder for track. ffmpeg is the path of that program, or "". It fails
// with ErrCodec and the reason.
func New(track *media.Track, ffmpeg string, emit func(media.AccessUnit)) (Transcoder, error) {
	switch track.Codec {
	case media.Opus:
		if track.Channels > 2 {
			return nil, fmt.Errorf("%w: Opus with %d channels", ErrCodec, track.Channels)
		}
		return passthrough{emit}, nil
	case media.AAC:
		return newAAC(track, ffmpeg, emit)
	}
	return nil, fmt.Errorf("%w: %v", ErrCodec, track.Codec)
}

// Track describes the output of New.
func Track() media.Track {
	// OpusHead without its magic (Opus in ISOBMFF, 4.3.2): version, channels,
	// pre-skip, rate, gain, mapping family.
	return media.Track{Codec: media.Opus, SampleRate: Rate, Channels: 2, Config: []byte{0, 2, 0, 0, 0, 0, 0xbb, 0x80, 0, 0, 0}}
}

func newAAC(track *media.Track, ffmpeg string, emit func(media.AccessUnit)) (Transcoder, error) {
	inProcess, err := newInProcess(track, emit)
	if err == nil {
		return inProcess, nil
	}
	if ffmpeg == "" {
		return nil, fmt.Errorf("%w: it is not plain stereo AAC-LC, and ffmpeg is not installed", ErrCodec)
	}
	return newFFmpegDecoder(track, ffmpeg, emit)
}

// passthrough passes Opus on unchanged.
type passthrough struct{ emit func(media.AccessUnit) }

func (p passthrough) Write(au *media.AccessUnit) error {
	if len(au.Data) > 0 {
		p.emit(media.AccessUnit{PTS: au.PTS, DTS: au.PTS, Key: true, Data: au.Data, Arrived: au.Arrived})
	}
	return nil
}

func (passthrough) Close() error { return nil }

// packetSamples is the length of a packet: 20 ms.
const packetSamples = Rate / 50

// maxSkew is how far the samples may deviate from the timestamps before they are realigned,
// with an audible click: RTMP timestamps are in whole milliseconds.
const maxSkew = 40 * time.Millisecond

// packer splits samples into packets and encodes them. The time of each packet is counted
// in samples from the start of the audio, so it has no jitter.
type packer struct {
	enc       *gopus.Encoder
	emit      func(media.AccessUnit)
	channels  int
	lookahead time.Duration // the encoder's delay

	started  bool
	start    time.Duration
	encoded  int64 // samples since start
	buffered []float32
	buf      [4000]byte
}

func newPacker(channels int, emit func(media.AccessUnit)) (*packer, error) {
	enc, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: Rate, Channels: channels, Application: gopus.ApplicationAudio})
	if err != nil {
		return nil, fmt.Errorf("create an Opus encoder: %w", err)
	}
	if err := errors.Join(enc.SetFrameSize(packetSamples), enc.SetBitrate(32000+32000*channels)); err != nil {
		return nil, fmt.Errorf("configure the Opus encoder: %w", err)
	}
	return &packer{enc: enc, emit: emit, channels: channels, lookahead: samples(int64(enc.Lookahead()))}, nil
}

func samples(n int64) time.Duration {
	return time.Duration(n/Rate)*time.Second + time.Duration(n%Rate)*time.Second/Rate
}

// write takes interleaved samples at 48 kHz that begin at pts.
func (p *packer) write(pts time.Duration, pcm []float32, arrived time.Time) error {
	if p.started {
		skew := pts - p.start - samples(p.encoded+int64(len(p.buffered)/p.channels))
		if skew < -maxSkew {
			return nil // more audio than time has passed: skip some
		}
		if skew > maxSkew {
			p.started = false // a gap: the buffered samples are sent, followed by silence
			if len(p.buffered) > 0 {
				p.buffered = append(p.buffered, make([]float32, packetSamples*p.channels-len(p.buffered))...)
			}
		}
	}
	if err := p.encode(arrived); err != nil {
		return err
	}
	if !p.started {
		p.started, p.start, p.encoded = true, pts, 0
	}
	p.buffered = append(p.buffered, pcm...)
	return p.encode(arrived)
}

// encode makes packets while the buffer has enough samples for one.
func (p *packer) encode(arrived time.Time) error {
	const size = packetSamples
	done := 0
	for ; len(p.buffered)-done >= size*p.channels; done += size * p.channels {
		n, err := p.enc.Encode(p.buffered[done:done+size*p.channels], p.buf[:])
		if err != nil {
			return fmt.Errorf("encode Opus: %w", err)
		}
		at := p.start + samples(p.encoded) - p.lookahead
		p.encoded += size
		p.emit(media.AccessUnit{PTS: at, DTS: at, Key: true, Data: append([]byte(nil), p.buf[:n]...), Arrived: arrived})
	}
	p.buffered = append(p.buffered[:0], p.buffered[done:]...)
	return nil
}
