package flv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"obvan/media"
)

// NAL unit types (H.264 table 7-1, H.265 table 7-1).
const (
	nal264IDR    = 5
	nal264SEI    = 6
	nal264SPS    = 7
	nal264PPS    = 8
	nal264AUD    = 9
	nal264Filler = 12
	nal264SPSExt = 13

	nal265VPS    = 32
	nal265SPS    = 33
	nal265PPS    = 34
	nal265AUD    = 35
	nal265Filler = 38
)

// maxSets limits the parameter sets of each kind: real streams have one or two, and a
// configuration record can hold 31.
const maxSets = 31

// paramSets are a stream's parameter sets.
type paramSets struct {
	vps, sps, pps []set
	layers        int // temporal layers, of the newest H.265 SPS
}

type set struct {
	id  uint32
	nal []byte
}

func (p *paramSets) complete(c media.Codec) bool {
	return len(p.sps) > 0 && len(p.pps) > 0 && (c == media.H264 || len(p.vps) > 0)
}

// put stores a parameter set, replacing the one with the same id (H.264, 7.4.1.2.1),
// and reports whether it is new.
func (p *paramSets) put(c media.Codec, nal []byte) bool {
	list, id := p.listFor(c, nal)
	if list == nil || len(nal) > math.MaxUint16 {
		return false
	}
	for i := range *list {
		if (*list)[i].id == id {
			if bytes.Equal((*list)[i].nal, nal) {
				return false
			}
			// A new list: the old one may belong to an earlier generation.
			*list = append((*list)[:i:i], (*list)[i+1:]...)
			break
		}
	}
	if len(*list) >= maxSets {
		return false
	}
	*list = append((*list)[:len(*list):len(*list)], set{id, bytes.Clone(nal)})
	return true
}

// listFor is the list a parameter set belongs to, and its id; nil for other NAL units.
func (p *paramSets) listFor(c media.Codec, nal []byte) (*[]set, uint32) {
	head := h264.EmulationPreventionRemove(nal[:min(len(nal), 32)])
	if c == media.H264 {
		switch {
		case len(head) > 4 && head[0]&31 == nal264SPS:
			return &p.sps, golomb(head[4:])
		case len(head) > 1 && head[0]&31 == nal264PPS:
			return &p.pps, golomb(head[1:])
		}
		return nil, 0
	}
	if len(head) < 3 {
		return nil, 0
	}
	switch head[0] >> 1 & 63 {
	case nal265VPS:
		return &p.vps, uint32(head[2] >> 4)
	case nal265SPS:
		// The id comes after the profile, whose length depends on the layers. It is not
		// read: in practice a stream has one SPS.
		p.layers = int(head[2]>>1&7) + 1
		return &p.sps, 0
	case nal265PPS:
		return &p.pps, golomb(head[2:])
	}
	return nil, 0
}

// golomb is the first ue(v) of b (H.264, 9.1), with enough bits for ids.
func golomb(b []byte) uint32 {
	var bits uint64
	for i := range 8 {
		bits <<= 8
		if i < len(b) {
			bits |= uint64(b[i])
		}
	}
	zeros := 0
	for zeros < 16 && bits>>(63-zeros)&1 == 0 {
		zeros++
	}
	return uint32(bits>>(63-2*zeros)&(1<<(zeros+1)-1)) - 1
}

// track returns a track with record as its configuration.
func (p *paramSets) track(c media.Codec, record []byte) *media.Track {
	t := &media.Track{Codec: c, Config: record}
	var rate float64
	// An unreadable SPS leaves the size unknown; a decoder may still understand it.
	if c == media.H264 {
		var sps h264.SPS
		if sps.Unmarshal(p.sps[len(p.sps)-1].nal) == nil {
			t.Width, t.Height, rate = sps.Width(), sps.Height(), sps.FPS()
		}
	} else {
		var sps h265.SPS
		if sps.Unmarshal(p.sps[len(p.sps)-1].nal) == nil {
			t.Width, t.Height, rate = sps.Width(), sps.Height(), sps.FPS()
		}
	}
	if t.Width < 0 || t.Height < 0 || t.Width > 1<<16 || t.Height > 1<<16 {
		t.Width, t.Height = 0, 0
	}
	if rate > 0 && rate < 1000 { // excludes NaN, infinity and 90 kHz "rates"
		t.FrameRate = rate
	}
	return t
}

// recordLengthAt is the offset in a record of the size of NAL unit lengths.
func recordLengthAt(c media.Codec) int {
	if c == media.H264 {
		return 4
	}
	return 21
}

// readRecord reads an AVC or HEVC decoder configuration record.
func readRecord(c media.Codec, b []byte) (p paramSets, prefix int, err error) {
	bad := fmt.Errorf("%w: %v configuration record", ErrBad, c)
	head := 5
	if c == media.H265 {
		head = 22
	}
	if len(b) <= head || b[0] != 1 {
		return p, 0, bad
	}
	prefix = int(b[recordLengthAt(c)]&3) + 1
	groups, b := [][2]int{}, b[head:]
	if c == media.H264 { // 31 SPS, 255 PPS
		groups = [][2]int{{31, 1}, {255, 1}}
	} else {
		for range b[0] {
			groups = append(groups, [2]int{0xffff, 2})
		}
		b = b[1:]
	}
	for _, g := range groups {
		if c == media.H265 {
			if len(b) < 3 {
				return p, 0, bad
			}
			b = b[1:] // the kind, which each NAL unit states itself
		}
		var ok bool
		if b, ok = p.readSets(c, b, g[0], g[1]); !ok {
			return p, 0, bad
		}
	}
	return p, prefix, nil
}

// readSets reads a count (size bytes, masked with mask) and that many parameter sets.
func (p *paramSets) readSets(c media.Codec, b []byte, mask, size int) ([]byte, bool) {
	if len(b) < size {
		return nil, false
	}
	count := int(b[0])
	if size == 2 {
		count = int(binary.BigEndian.Uint16(b))
	}
	b = b[size:]
	for range count & mask {
		if len(b) < 2 {
			return nil, false
		}
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; n > len(b) {
			return nil, false
		}
		p.put(c, b[:n])
		b = b[n:]
	}
	return b, true
}
