// Package rtmp is RTMP's chunk stream (RTMP 1.0, section 5.3): messages from
// bytes and bytes from messages, for ingest, relay and play-out. It contains neither the
// handshake nor the command exchange, and does not look into media messages.
//
// Reader trusts no peer: each length is checked before memory is allocated. Writer
// copies no media: a message is a small header and shared data.
package rtmp

import (
	"encoding/binary"
	"time"
)

// Type is a message's type (sections 5.4, 6.2, 7.1).
type Type uint8

// The types used here.
const (
	TypeChunkSize     Type = 1
	TypeAbort         Type = 2
	TypeAck           Type = 3
	TypeUserControl   Type = 4
	TypeWindowAck     Type = 5
	TypePeerBandwidth Type = 6
	TypeAudio         Type = 8
	TypeVideo         Type = 9
	TypeDataAMF3      Type = 15
	TypeCommandAMF3   Type = 17
	TypeData          Type = 18
	TypeCommand       Type = 20
	TypeAggregate     Type = 22
)

// Chunk streams that we write. Each has its own timestamp, from which the time
// differences are counted.
const (
	ChunksControl = 2 // protocol control, always message stream 0
	ChunksCommand = 3 // commands of message stream 0
	ChunksData    = 4
	ChunksAudio   = 5
	ChunksVideo   = 6
	ChunksStream  = 8 // commands of other message streams
)

// ChunkSize is what we request and write with: at the protocol's 128 bytes a video frame
// takes a hundred chunks.
const ChunkSize = 65536

// User control events (section 6.2, "User Control Message Events").
const (
	EventStreamBegin  uint16 = 0
	EventStreamEOF    uint16 = 1
	EventPingRequest  uint16 = 6
	EventPingResponse uint16 = 7
)

// Message is one message as received.
type Message struct {
	Type      Type
	Stream    uint32 // message stream id
	Timestamp uint32 // milliseconds, wraps
	Payload   []byte // not shared; never modified after it was read
}

// Uint32 is the number in the payload of most control messages.
func (m *Message) Uint32() uint32 {
	if len(m.Payload) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(m.Payload)
}

// Event is a user control message's event and its first number; ok is false when it is
// truncated.
func (m *Message) Event() (event uint16, value uint32, ok bool) {
	if m.Type != TypeUserControl || len(m.Payload) < 6 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(m.Payload), binary.BigEndian.Uint32(m.Payload[2:]), true
}

// Rebase makes a session's timestamps start at 0, which some servers require and all
// accept: a studio runs longer than the 4 h 39 min that fit into 24 bits.
type Rebase struct {
	base time.Duration
	set  bool
}

// Stamp is the message timestamp of t. The first call defines 0; earlier times are 0 too.
func (r *Rebase) Stamp(t time.Duration) uint32 {
	if !r.set {
		r.base, r.set = t, true
	}
	return uint32(max(0, t-r.base) / time.Millisecond)
}

// Unwrap turns a peer's 32-bit milliseconds into a time that does not wrap. The tracks of
// one stream share it because they share a clock.
type Unwrap struct {
	last uint32
	time int64
	set  bool
}

// Time is ts on a clock that does not wrap. A step back remains a step back.
func (u *Unwrap) Time(ts uint32) time.Duration {
	if !u.set {
		u.set, u.last, u.time = true, ts, int64(ts)
	}
	u.time += int64(int32(ts - u.last))
	u.last = ts
	return time.Duration(u.time) * time.Millisecond
}
