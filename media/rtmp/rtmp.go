// Package rtmp is RTMP's chunk stream (RTMP 1.0, section 5.3): messages from
// bytes and bytes from messages, for ingest, relay and play-out alike. It knows
// neither the handshake nor the talk, and nothing of what media messages carry.
//
// Reader trusts nobody: each length is bounded before memory is taken. Writer
// copies no media: a message is a small head and shared data.
package rtmp

import (
	"encoding/binary"
	"time"
)

// Type is a message's type (sections 5.4, 6.2, 7.1).
type Type uint8

// The types the studio knows.
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

// Chunk streams the studio writes on. Each has a timestamp of its own to count
// deltas from.
const (
	ChunksControl = 2 // protocol control, always message stream 0
	ChunksCommand = 3 // commands of message stream 0
	ChunksData    = 4
	ChunksAudio   = 5
	ChunksVideo   = 6
	ChunksStream  = 8 // commands of other message streams
)

// ChunkSize is what we ask for and write with: at the protocol's 128 bytes a
// picture costs a hundred chunks.
const ChunkSize = 65536

// User control events (section 6.2, "User Control Message Events").
const (
	EventStreamBegin  uint16 = 0
	EventStreamEOF    uint16 = 1
	EventPingRequest  uint16 = 6
	EventPingResponse uint16 = 7
)

// Message is one message as it came.
type Message struct {
	Type      Type
	Stream    uint32 // message stream id
	Timestamp uint32 // milliseconds, wraps
	Payload   []byte // its own memory; never modified after it was read
}

// Uint32 is the number that most control messages consist of.
func (m *Message) Uint32() uint32 {
	if len(m.Payload) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(m.Payload)
}

// Event is a user control message's event and its first number; ok is false when
// it is cut short.
func (m *Message) Event() (event uint16, value uint32, ok bool) {
	if m.Type != TypeUserControl || len(m.Payload) < 6 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(m.Payload), binary.BigEndian.Uint32(m.Payload[2:]), true
}

// Rebase makes a session's timestamps start at 0, which some servers demand and
// all survive: a studio runs longer than the 4 h 39 m that fit 24 bits.
type Rebase struct {
	base time.Duration
	set  bool
}

// Stamp is the message timestamp of t. The first call fixes what 0 is; what lies
// before it is 0 too.
func (r *Rebase) Stamp(t time.Duration) uint32 {
	if !r.set {
		r.base, r.set = t, true
	}
	return uint32(max(0, t-r.base) / time.Millisecond)
}

// Unwrap makes a growing time of a peer's 32-bit milliseconds. Tracks of one
// stream share it: they share a clock.
type Unwrap struct {
	last uint32
	time int64
	set  bool
}

// Time is ts on a clock that does not wrap. A step back stays a step back.
func (u *Unwrap) Time(ts uint32) time.Duration {
	if !u.set {
		u.set, u.last, u.time = true, ts, int64(ts)
	}
	u.time += int64(int32(ts - u.last))
	u.last = ts
	return time.Duration(u.time) * time.Millisecond
}
