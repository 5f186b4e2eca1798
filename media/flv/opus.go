package flv

import (
	"encoding/binary"
	"errors"
)

const opusMagic = "OpusHead"

// opusHead converts the record a track carries (dOps: big-endian, without magic) into
// the header of Enhanced RTMP (RFC 7845, 5.1: little-endian, with magic).
func opusHead(dops []byte) []byte {
	if len(dops) < 11 {
		dops = []byte{0, 2, 1, 0x38, 0, 0, 0xbb, 0x80, 0, 0, 0} // stereo, 312 samples pre-skip, 48 kHz
	}
	head := append([]byte(opusMagic), 1, dops[1])
	head = binary.LittleEndian.AppendUint16(head, binary.BigEndian.Uint16(dops[2:]))
	head = binary.LittleEndian.AppendUint32(head, binary.BigEndian.Uint32(dops[4:]))
	head = binary.LittleEndian.AppendUint16(head, binary.BigEndian.Uint16(dops[8:]))
	return append(head, dops[10:]...)
}

// opusRecord converts the header of Enhanced RTMP into a track's record.
func opusRecord(head []byte) ([]byte, error) {
	if len(head) < 19 || string(head[:8]) != opusMagic {
		return nil, errors.New("malformed OpusHead")
	}
	dops := []byte{0, head[9]}
	dops = binary.BigEndian.AppendUint16(dops, binary.LittleEndian.Uint16(head[10:]))
	dops = binary.BigEndian.AppendUint32(dops, binary.LittleEndian.Uint32(head[12:]))
	dops = binary.BigEndian.AppendUint16(dops, binary.LittleEndian.Uint16(head[16:]))
	return append(dops, head[18:min(len(head), 18+3+255)]...), nil
}
