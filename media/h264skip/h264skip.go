// Package h264skip makes H.264 frames that repeat the last one: P-frames in which every
// macroblock is skipped. A freeze frame thus keeps the full frame rate, without an encoder
// and at a few dozen bytes per frame.
//
// A skipped macroblock copies the same position of the first reference picture when no
// neighboring macroblock has motion (H.264, 8.4.1.1), and here none has. All that must be
// known is how the stream numbers its pictures, and which reference was displayed last: a
// Follower reads the slice headers of the stream.
package h264skip

import (
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"obvan/media"
)

// ErrUnsupported is for streams whose last frame can't be repeated in this way.
var ErrUnsupported = errors.New("no skip frames for this H.264 stream")

// Follower observes the frames of one stream and can continue it with skip frames. It is
// for one goroutine.
type Follower struct {
	sps                   *h264.SPS
	pps                   map[uint32]pps
	frameNumBits, lsbBits int

	last     slice // of the newest frame
	decoded  refBuffer
	skipData []byte // the CABAC data of a skip frame, always the same
}

// New makes a follower for a stream with this AVCDecoderConfigurationRecord. It
// fails with ErrUnsupported, or media.ErrConfig.
func New(config []byte) (*Follower, error) {
	spss, ppss, err := media.H264ParameterSets(config)
	if err != nil {
		return nil, err
	}
	if len(spss) != 1 {
		return nil, fmt.Errorf("%w: %d sequence parameter sets", ErrUnsupported, len(spss))
	}
	f := &Follower{sps: &h264.SPS{}, pps: map[uint32]pps{}}
	if err := f.sps.Unmarshal(spss[0]); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	if err := fits(f.sps); err != nil {
		return nil, err
	}
	for _, data := range ppss {
		id, p, err := parsePPS(data)
		if err != nil {
			return nil, err
		}
		if p.sps == f.sps.ID {
			f.pps[id] = p
		}
	}
	f.frameNumBits = int(f.sps.Log2MaxFrameNumMinus4) + 4
	f.lsbBits = int(f.sps.Log2MaxPicOrderCntLsbMinus4) + 4
	return f, nil
}

// Observe takes the stream's next frame in decoding order: NAL units with 4-byte lengths.
func (f *Follower) Observe(data []byte) {
	for len(data) > 4 {
		n := int(data[0])<<24 | int(data[1])<<16 | int(data[2])<<8 | int(data[3])
		if n <= 0 || n > len(data)-4 {
			break
		}
		unit := data[4 : 4+n]
		data = data[4+n:]
		if kind := unit[0] & 0x1f; kind != nalSlice && kind != nalIDR {
			continue
		}
		s, ok := f.parseSlice(unit)
		if !ok {
			break
		}
		f.last = s
		f.decoded.add(f, &s)
		return
	}
	f.decoded.lost = true // the state is unknown until the next IDR picture
}

// Next makes the stream's next frame, a copy of its last one; it counts as observed. It
// fails with ErrUnsupported.
func (f *Follower) Next() ([]byte, error) {
	p, ok := f.pps[f.last.pps]
	d := &f.decoded
	switch {
	case !ok || p.sliceGroups:
		return nil, fmt.Errorf("%w: slice groups, or no parameter set", ErrUnsupported)
	case d.lost || len(d.refs) == 0:
		return nil, fmt.Errorf("%w: unknown references", ErrUnsupported)
	}
	s := slice{reference: true, pps: f.last.pps, frameNum: (d.prevRef + 1) % (1 << f.frameNumBits)}
	// Frame pictures count in twos: one for each field (8.2.1).
	order := d.highest + 2 - d.highest&1
	if f.sps.PicOrderCntType == 0 {
		if order-d.prevOrder >= 1<<(f.lsbBits-1) {
			return nil, fmt.Errorf("%w: the picture order count would wrap", ErrUnsupported)
		}
		s.lsb = uint32(order) & (1<<f.lsbBits - 1)
	}
	back := d.back(s.frameNum, f.frameNumBits)
	data := f.write(p, &s, back)
	f.last = s
	d.add(f, &s)
	return data, nil
}
