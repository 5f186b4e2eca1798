package transcode

import (
	"fmt"
	"math"
	"time"

	"github.com/thesyncim/gopus"

	"obvan/media"
)

// ToAAC converts Opus to AAC-LC, the audio codec of RTMP platforms: stereo at 48 kHz, on
// the stream's clock. It is for one goroutine.
type ToAAC struct {
	emit func(media.AccessUnit)
	opus *gopus.Decoder
	aac  aacEncoder

	started  bool
	next     time.Duration // the time of the next sample
	buffered [2][]float32  // decoded samples, less than a frame
	at       []time.Duration
	pcm      [2 * maxOpus]float32
}

// maxOpus is the longest packet, 120 ms (RFC 6716, 3.2.5), in samples.
const maxOpus = Rate * 120 / 1000

// AACTrack describes the output of ToAAC.
func AACTrack() media.Track {
	return media.Track{Codec: media.AAC, Config: []byte{0x11, 0x90}, SampleRate: Rate, Channels: 2}
}

// NewToAAC makes a ToAAC that passes its frames to emit.
func NewToAAC(emit func(media.AccessUnit)) (*ToAAC, error) {
	opus, err := gopus.NewDecoder(gopus.DecoderConfig{SampleRate: Rate, Channels: 2, MaxPacketSamples: maxOpus})
	if err != nil {
		return nil, fmt.Errorf("create an Opus decoder: %w", err)
	}
	t := &ToAAC{emit: emit, opus: opus}
	if err := t.aac.reset(); err != nil {
		return nil, fmt.Errorf("create an AAC encoder: %w", err)
	}
	return t, nil
}

// Write takes one packet. Malformed packets are skipped.
func (t *ToAAC) Write(au *media.AccessUnit) {
	n, err := t.decode(au.Data)
	if err != nil || n == 0 {
		return
	}
	pending := samples(int64(len(t.buffered[0])))
	if skew := au.PTS - t.next - pending; !t.started || skew.Abs() > maxSkew {
		t.started, t.next = true, au.PTS-pending // a gap or a clock jump: the buffered samples precede it
	}
	for i := range n {
		for ch := range t.buffered {
			t.buffered[ch] = append(t.buffered[ch], sanitize(t.pcm[2*i+ch]))
		}
	}
	t.encode(au.Arrived)
}

// sanitize keeps invalid samples from the encoder: a malformed packet may decode to them.
func sanitize(x float32) float32 {
	if math.IsNaN(float64(x)) {
		return 0
	}
	return min(max(x, -1), 1)
}

func (t *ToAAC) decode(packet []byte) (n int, err error) {
	defer func() {
		if p := recover(); p != nil { // from the decoder: it costs this packet only
			n, err = 0, fmt.Errorf("decode Opus: %v", p)
			t.opus.Reset()
		}
	}()
	if len(packet) == 0 {
		return 0, nil
	}
	return t.opus.Decode(packet, t.pcm[:])
}

// encode makes frames while the buffer has enough samples for one. The encoder returns
// each frame late; at has the times of those it has not returned yet.
func (t *ToAAC) encode(arrived time.Time) {
	const pending = 2 + aacDelay/aacFrame // a frame is returned one call late, and its decoded audio is later still
	done := 0
	for ; len(t.buffered[0])-done >= aacFrame; done += aacFrame {
		t.at = append(t.at, t.next)
		t.next += samples(aacFrame)
		frame, err := t.aac.encode(t.buffered[0][done:done+aacFrame], t.buffered[1][done:done+aacFrame])
		if err != nil {
			t.at = t.at[:0]
			_ = t.aac.reset() // it took this configuration before
			continue
		}
		if len(t.at) > pending {
			t.at = append(t.at[:0], t.at[1:]...)
		}
		if len(frame) == 0 || len(t.at) < pending {
			continue
		}
		pts := t.at[0]
		t.emit(media.AccessUnit{PTS: pts, DTS: pts, Key: true, Data: frame, Arrived: arrived})
	}
	for ch := range t.buffered {
		t.buffered[ch] = append(t.buffered[ch][:0], t.buffered[ch][done:]...)
	}
}
