package rtmp

import (
	"encoding/binary"
	"fmt"
)

// finish takes a complete message from its chunk stream. ok is false when it is not
// for the caller.
func (r *Reader) finish(c *chunkStream) (m Message, ok bool, err error) {
	m, skipped := c.msg, c.skip
	r.drop(c)
	if skipped {
		return m, false, nil
	}
	switch m.Type {
	case TypeChunkSize:
		return m, false, r.setChunkSize(&m)
	case TypeAbort:
		r.abort(m.Uint32())
		return m, false, nil
	case TypeWindowAck:
		// With a window of a few bytes we would acknowledge each chunk.
		r.window = uint64(max(m.Uint32(), readBuffer))
		return m, false, nil
	case TypeAggregate:
		r.split = newAggregate(&m)
		return m, false, nil
	case TypeCommandAMF3, TypeDataAMF3:
		return fromAMF3(m)
	}
	return m, true, nil
}

// setChunkSize is 5.4.1. A large size costs nothing: no memory is allocated per chunk.
func (r *Reader) setChunkSize(m *Message) error {
	n := m.Uint32()
	if n == 0 || n >= 1<<31 {
		return fmt.Errorf("%w: chunk size %d", ErrProtocol, n)
	}
	r.size = min(n, maxChunkSize)
	return nil
}

// abort is 5.4.2.
func (r *Reader) abort(id uint32) {
	for i := range r.streams {
		if r.streams[i].id == id {
			r.drop(&r.streams[i])
		}
	}
}

// fromAMF3 converts to the AMF0 form: Flash's AMF3 messages carry AMF0 after a byte that
// says so.
func fromAMF3(m Message) (Message, bool, error) {
	if len(m.Payload) == 0 || m.Payload[0] != 0 {
		return m, false, nil
	}
	m.Payload = m.Payload[1:]
	if m.Type == TypeCommandAMF3 {
		m.Type = TypeCommand
	} else {
		m.Type = TypeData
	}
	return m, true, nil
}

// aggregate is a message of FLV tags (7.1.6) that is being split.
type aggregate struct {
	rest    []byte
	stream  uint32
	shift   uint32 // from the tags' times to the message's
	started bool
	at      uint32 // the message's timestamp, which is that of its first tag
}

func newAggregate(m *Message) aggregate {
	return aggregate{rest: m.Payload, stream: m.Stream, at: m.Timestamp}
}

// next is the next tag; a truncated tag or one with a wrong size ends the aggregate.
func (a *aggregate) next() (Message, bool) {
	const head, back = 11, 4
	for len(a.rest) >= head {
		b := a.rest
		size := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		if size > len(b)-head {
			break
		}
		a.rest = b[min(len(b), head+size+back):]
		ts := binary.BigEndian.Uint32([]byte{b[7], b[4], b[5], b[6]})
		if !a.started {
			a.started, a.shift = true, a.at-ts
		}
		switch t := Type(b[0]); {
		case t == TypeAudio, t == TypeVideo, t == TypeData && size <= maxCommand:
			return Message{Type: t, Stream: a.stream, Timestamp: ts + a.shift, Payload: b[head : head+size : head+size]}, true
		}
	}
	a.rest = nil
	return Message{}, false
}
