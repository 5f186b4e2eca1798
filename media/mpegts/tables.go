package mpegts

import (
	"encoding/binary"
	"fmt"

	"obvan/media"
)

// element is one elementary stream as the tables describe it.
type element struct {
	pid         uint16
	kind        byte   // stream_type
	id          byte   // stream_id of its PES packets
	descriptors []byte // ES_info
}

// describe makes the element of a track.
func describe(t *media.Track) (element, error) {
	switch t.Codec {
	case media.H264:
		return element{pid: pidVideo, kind: typeH264, id: idVideo}, nil
	case media.H265:
		return element{pid: pidVideo, kind: typeH265, id: idVideo}, nil
	case media.AAC:
		return element{pid: pidAudio, kind: typeAAC, id: idAudio}, nil
	case media.Opus:
		// "Opus" as registration, and the channels in an extension descriptor (ETSI TS
		// 101 154 and the Opus in MPEG-TS draft, 4.3).
		channels := byte(min(max(t.Channels, 1), 2))
		return element{pid: pidAudio, kind: typePrivate, id: idPrivate,
			descriptors: []byte{0x05, 4, 'O', 'p', 'u', 's', 0x7f, 2, 0x80, channels}}, nil
	}
	return element{}, fmt.Errorf("%w: %v", ErrNotCarried, t.Codec)
}

// pat is the program association table (2.4.4.3): program 1.
func pat(version byte) []byte {
	return section(0x00, 1, version, []byte{0, 1, 0xe0 | pidPMT>>8, pidPMT & 0xff})
}

// pmt is the program map table (2.4.4.8).
func pmt(version byte, clock uint16, elements []element) []byte {
	body := []byte{0xe0 | byte(clock>>8), byte(clock), 0xf0, 0}
	for _, e := range elements {
		body = append(body, e.kind, 0xe0|byte(e.pid>>8), byte(e.pid), 0xf0, byte(len(e.descriptors)))
		body = append(body, e.descriptors...)
	}
	return section(0x02, 1, version, body)
}

// section adds a table's header and checksum (2.4.4.11), after the pointer field.
func section(table byte, extension uint16, version byte, body []byte) []byte {
	size := 5 + len(body) + 4
	s := []byte{0, table, 0xb0 | byte(size>>8), byte(size), byte(extension >> 8), byte(extension), 0xc1 | version<<1, 0, 0}
	s = append(s, body...)
	return binary.BigEndian.AppendUint32(s, checksum(s[1:]))
}

// checksum is CRC-32/MPEG-2 (annex A): not reflected, unlike hash/crc32's. Tables are made
// once per generation of tracks, so it may be slow.
func checksum(data []byte) uint32 {
	crc := ^uint32(0)
	for _, b := range data {
		crc ^= uint32(b) << 24
		for range 8 {
			high := crc & (1 << 31)
			if crc <<= 1; high != 0 {
				crc ^= 0x04c11db7
			}
		}
	}
	return crc
}
