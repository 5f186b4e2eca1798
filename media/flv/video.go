package flv

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"obvan/media"
)

// videoState is what is known of the publisher's video.
type videoState struct {
	codec       media.Codec
	record      []byte    // the last configuration record as received
	sets        paramSets // parameter sets, from the record and in band
	prefix      int       // bytes of a NAL unit's length; 0 before the first record
	setsChanged bool      // sets has changed since track was made
	track       *media.Track
}

// configure takes a configuration record.
func (p *videoState) configure(c media.Codec, record []byte) (Packet, error) {
	if p.codec == c && bytes.Equal(p.record, record) {
		return Packet{}, nil // some encoders repeat it with each keyframe
	}
	if c == media.AV1 {
		return p.configureAV1(record)
	}
	sets, prefix, err := readRecord(c, record)
	if err != nil {
		return Packet{}, err
	}
	*p = videoState{codec: c, record: record, sets: sets, prefix: prefix}
	if !sets.complete(c) {
		return Packet{}, nil // the parameter sets will come in band
	}
	conf := record
	if at := recordLengthAt(c); prefix != 4 {
		conf = bytes.Clone(record)
		conf[at] |= 3
	}
	return p.set(sets.track(c, conf)), nil
}

// set stores a new track.
func (p *videoState) set(t *media.Track) Packet {
	p.track = t
	return Packet{Config: t}
}

// frame takes the bytes of a video frame; key is whether the sender flags it as a keyframe.
func (p *videoState) frame(c media.Codec, at videoTime, b []byte, key bool) (Packet, error) {
	if p.codec != c {
		if c == media.AV1 {
			return Packet{}, nil // not configured yet
		}
		*p = videoState{codec: c} // no record, but parameter sets may come in band
	}
	unit := media.AccessUnit{DTS: at.dts, PTS: at.pts(), Key: key}
	if c == media.AV1 {
		unit.Data = withoutDelimiter(b)
		unit.Key = key || startsSequence(unit.Data)
		return Packet{Unit: unit}, nil
	}
	if p.prefix != 0 && p.prefix != 4 {
		var err error
		if b, err = widen(b, p.prefix); err != nil {
			return Packet{}, err
		}
	}
	w := nalFilter{codec: c, marked: key, sets: &p.sets}
	data, err := w.strip(b)
	p.setsChanged = p.setsChanged || w.setsChanged
	if err != nil {
		return Packet{}, err
	}
	var packet Packet
	if p.setsChanged && p.sets.complete(c) {
		p.setsChanged = false
		packet = p.set(p.sets.track(c, p.sets.record(c)))
	}
	if p.track == nil || !w.hasFrame {
		return packet, nil
	}
	unit.Key, unit.Disposable, unit.Data = w.key, !w.reference, data
	packet.Unit = unit
	return packet, nil
}

// widen rewrites NAL units with shorter length fields to 4-byte lengths.
func widen(b []byte, prefix int) ([]byte, error) {
	wide := make([]byte, 0, len(b)+len(b)/8+64)
	for len(b) > 0 {
		if len(b) < prefix {
			return nil, errLength(len(b))
		}
		var n int
		for _, x := range b[:prefix] {
			n = n<<8 | int(x)
		}
		if b = b[prefix:]; n > len(b) {
			return nil, errLength(n)
		}
		wide = append(binary.BigEndian.AppendUint32(wide, uint32(n)), b[:n]...)
		b = b[n:]
	}
	return wide, nil
}

func errLength(n int) error { return fmt.Errorf("%w: a NAL unit of %d bytes", ErrBad, n) }

// nalFilter inspects each NAL unit of a frame.
type nalFilter struct {
	codec  media.Codec
	marked bool // the sender flags it as a keyframe
	sets   *paramSets

	hasFrame    bool // it contains a slice
	key         bool
	reference   bool // other frames may refer to it
	setsChanged bool // a parameter set in it was new
}

// strip removes what an access unit does not contain: parameter sets, delimiters,
// padding and empty NAL units. Most streams have none of them, or all at the front, and
// then no byte is moved.
func (w *nalFilter) strip(b []byte) ([]byte, error) {
	start, end := 0, 0
	for at := 0; at < len(b); {
		if len(b)-at < 4 {
			return nil, errLength(len(b) - at)
		}
		n := binary.BigEndian.Uint32(b[at:])
		if uint64(n) > uint64(len(b)-at-4) {
			return nil, errLength(int(n))
		}
		next := at + 4 + int(n)
		switch nal := b[at+4 : next]; {
		case n > 0 && w.keep(nal):
			if end != at {
				copy(b[end:], b[at:next])
			}
			end += next - at
		case end == start:
			start, end = next, next
		}
		at = next
	}
	return b[start:end:end], nil
}

// keep reports whether a NAL unit stays in the access unit.
func (w *nalFilter) keep(nal []byte) bool {
	if w.codec == media.H265 {
		return w.keep265(nal)
	}
	switch t := nal[0] & 31; t {
	case nal264SPS, nal264PPS:
		w.setsChanged = w.sets.put(w.codec, nal) || w.setsChanged
		return false
	case nal264AUD, nal264Filler, nal264SPSExt:
		return false
	case nal264SEI:
		// An open GOP starts with a recovery point; the sender flags it as a keyframe.
		w.key = w.key || w.marked && media.H264RecoveryPoint(nal)
	case 1, 2, 3, 4, nal264IDR:
		w.hasFrame = true
		w.key = w.key || t == nal264IDR
		w.reference = w.reference || nal[0]&0x60 != 0
	}
	return true
}

func (w *nalFilter) keep265(nal []byte) bool {
	if len(nal) < 2 {
		return false
	}
	switch t := nal[0] >> 1 & 63; {
	case t == nal265VPS, t == nal265SPS, t == nal265PPS:
		w.setsChanged = w.sets.put(w.codec, nal) || w.setsChanged
		return false
	case t == nal265AUD, t == nal265Filler:
		return false
	case t < 32:
		w.hasFrame = true
		w.key = w.key || t >= 16 && t <= 23
		// Frames of even types below 16 are not referenced within their layer (table 7-1);
		// in the uppermost layer that means not at all.
		layer := int(nal[1]&7) - 1
		w.reference = w.reference || t >= 16 || t&1 == 1 || layer != w.sets.layers-1
	}
	return true
}
