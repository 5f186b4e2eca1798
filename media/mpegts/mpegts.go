// Package mpegts turns access units into an MPEG transport stream (ISO/IEC
// 13818-1): one program with one video and one audio stream, as SRT receivers and
// broadcast decoders expect it.
package mpegts

import (
	"errors"
	"time"
)

// PacketSize is the length of a transport packet. Seven fit into a datagram.
const PacketSize = 188

// ErrNotCarried is for tracks that can't be sent in a transport stream.
var ErrNotCarried = errors.New("an MPEG transport stream can't carry this")

// Packet identifiers. They are ffmpeg's, because some receivers have fixed ones.
const (
	pidPAT   = 0x0000
	pidPMT   = 0x1000
	pidVideo = 0x0100
	pidAudio = 0x0101
)

// Stream types (ISO/IEC 13818-1, table 2-34) and stream ids (table 2-22).
const (
	typeH264    = 0x1b
	typeH265    = 0x24
	typeAAC     = 0x0f // ADTS
	typePrivate = 0x06 // Opus, named by its descriptors

	idVideo   = 0xe0
	idAudio   = 0xc0
	idPrivate = 0xbd
)

const (
	clock = 90000 // of decode and presentation times

	// lead is how far the program clock is behind the decode times: audio is sent in
	// frames of its own length and may be that late.
	lead = 300 * time.Millisecond

	tablesEvery = 400 * time.Millisecond // a receiver that tunes in waits for them
	pcrEvery    = 70 * time.Millisecond  // 100 ms is the most (2.7.2)
)

// ticks is a time on the 90 kHz clock, which wraps at 33 bits after 26.5 hours.
func ticks(t time.Duration) uint64 {
	whole, rest := int64(t/time.Second), int64(t%time.Second)
	return uint64(whole*clock+rest*clock/int64(time.Second)) & (1<<33 - 1)
}
