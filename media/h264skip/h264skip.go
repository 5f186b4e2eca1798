// Package h264skip makes H.264 pictures that repeat the last one: P pictures in
// which every macroblock is skipped. A held picture keeps its full frame rate so,
// without an encoder and at a few dozen bytes a picture.
//
// A skipped macroblock copies what is at its place in the first reference picture
// when no neighbour moves (H.264, 8.4.1.1), and none does here. What has to be known
// is only how the stream counts its pictures, and which reference was shown last:
// a Follower reads the slice headers that go by.
package h264skip

import (
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"obvan/media"
)

// ErrUnsupported is for streams whose last picture can't be repeated so.
var ErrUnsupported = errors.New("no skip pictures for this H.264 stream")

// Follower follows one stream's pictures and can go on with ones of its own. It is
// for one goroutine.
type Follower struct {
	sps                   *h264.SPS
	pps                   map[uint32]pps
	frameNumBits, lsbBits int

	last     slice // of the newest picture
	decoded  refBuffer
	skipData []byte // the CABAC data of a picture, the same every time
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

// See takes in the stream's next picture in decoding order: NAL units behind
// 4-byte lengths.
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
	f.decoded.lost = true // nothing is known until the next IDR picture
}

// Next is the stream's next picture, which looks like its last one. It counts as
// seen. It fails with ErrUnsupported.
func (f *Follower) Next() ([]byte, error) {
	p, ok := f.pps[f.last.pps]
	d := &f.decoded
	switch {
	case !ok || p.sliceGroups:
		return nil, fmt.Errorf("%w: slice groups, or no parameter set", ErrUnsupported)
	case d.lost || len(d.refs) == 0:
		return nil, fmt.Errorf("%w: its references are not known", ErrUnsupported)
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
