package rtmp

import (
	"encoding/binary"
	"io"
	"net"

	"obvan/media/amf0"
)

// Header describes a message. Only chunk streams 2 to 63 can be written.
type Header struct {
	Chunks    uint8 // chunk stream: ChunksVideo, ...
	Type      Type
	Stream    uint32 // message stream
	Timestamp uint32 // milliseconds; differences are sent, so it may wrap
}

// Writer splits messages into chunks. Add queues, Flush sends everything queued in one
// vectored write. It is for one goroutine, sets no deadlines and allocates nothing once
// it has seen the largest batch.
type Writer struct {
	dst    io.Writer
	vector Vectored // dst, when it has its own vectored write
	direct bool     // dst is a socket that supports vectored writes
	size   int

	own    []byte   // chunk headers and message heads of this batch
	from   int      // where the bytes of own start that are in no part yet
	shared int      // bytes of callers' data
	parts  [][]byte // this batch: slices of own and of callers' data
	batch  net.Buffers
	flat   []byte // for destinations without vectored writes

	streams [64]struct {
		used      bool
		stream    uint32
		timestamp uint32
	}
}

// Vectored is a destination with its own vectored write, for connections that measure or
// control how their bytes are sent.
type Vectored interface {
	WriteBuffers(b *net.Buffers) (int64, error)
}

// NewWriter writes to dst. Pass the *net.TCPConn itself, or something Vectored: for any
// other wrapper, such as TLS, each batch is copied into one buffer first, so that it is
// still one write.
func NewWriter(dst io.Writer) *Writer {
	w := &Writer{dst: dst, size: 128}
	switch dst := dst.(type) {
	case *net.TCPConn, *net.UnixConn:
		w.direct = true
	case Vectored:
		w.vector = dst
	}
	return w
}

// SetChunkSize sends the peer a new chunk size and uses it from here on.
func (w *Writer) SetChunkSize(n int) {
	w.Control(TypeChunkSize, uint32(n))
	w.size = n
}

// Add queues a message that consists of head and data. head is copied; data is shared
// and must not change until Flush.
func (w *Writer) Add(h Header, head, data []byte) {
	ext, extended := w.appendHeader(h, len(head)+len(data))
	room := w.size
	for {
		n := min(room, len(head))
		w.own = append(w.own, head[:n]...)
		head, room = head[n:], room-n
		if n = min(room, len(data)); n > 0 {
			w.cut()
			w.parts = append(w.parts, data[:n:n])
			w.shared, data = w.shared+n, data[n:]
		}
		if len(head)+len(data) == 0 {
			return
		}
		// 5.3.1.2.4; the extended timestamp is repeated on each further chunk (5.3.1.3).
		w.own, room = append(w.own, 3<<6|h.Chunks), w.size
		if extended {
			w.own = binary.BigEndian.AppendUint32(w.own, ext)
		}
	}
}

// cut makes one part of the bytes copied since the last part: consecutive small messages
// become one part, because each part has a cost in the system call.
func (w *Writer) cut() {
	if len(w.own) > w.from {
		w.parts = append(w.parts, w.own[w.from:len(w.own):len(w.own)])
		w.from = len(w.own)
	}
}

// appendHeader starts a message: with a full header the first time, with a time
// difference after that.
func (w *Writer) appendHeader(h Header, size int) (ext uint32, extended bool) {
	s := &w.streams[h.Chunks&63]
	delta := h.Timestamp - s.timestamp
	full := !s.used || s.stream != h.Stream || delta >= 1<<31
	field := delta
	if full {
		field = h.Timestamp
	}
	s.used, s.stream, s.timestamp = true, h.Stream, h.Timestamp
	extended = field >= 0xffffff
	short := min(field, 0xffffff)

	format := byte(1 << 6)
	if full {
		format = 0
	}
	w.own = append(w.own, format|h.Chunks&63,
		byte(short>>16), byte(short>>8), byte(short),
		byte(size>>16), byte(size>>8), byte(size), byte(h.Type))
	if full {
		w.own = binary.LittleEndian.AppendUint32(w.own, h.Stream)
	}
	if extended {
		w.own = binary.BigEndian.AppendUint32(w.own, field)
	}
	return field, extended
}

// Control queues a protocol control message with one number.
func (w *Writer) Control(t Type, v uint32) {
	var b [5]byte
	binary.BigEndian.PutUint32(b[:], v)
	n := 4
	if t == TypePeerBandwidth {
		b[4], n = 2, 5 // limit type "dynamic"
	}
	w.Add(Header{Chunks: ChunksControl, Type: t}, b[:n], nil)
}

// Event queues a user control message.
func (w *Writer) Event(event uint16, v uint32) {
	var b [6]byte
	binary.BigEndian.PutUint16(b[:], event)
	binary.BigEndian.PutUint32(b[2:], v)
	w.Add(Header{Chunks: ChunksControl, Type: TypeUserControl}, b[:], nil)
}

// Command queues a command of a message stream: its name, its transaction id and
// its arguments (section 7).
func (w *Writer) Command(stream uint32, values ...any) {
	h := Header{Chunks: ChunksCommand, Type: TypeCommand, Stream: stream}
	if stream != 0 {
		h.Chunks = ChunksStream
	}
	w.Add(h, amf0.Append(nil, values...), nil)
}

// Pending is how many bytes are queued.
func (w *Writer) Pending() int { return len(w.own) + w.shared }

// Flush writes everything queued. After an error the connection can't be used any more.
func (w *Writer) Flush() (n int64, err error) {
	w.cut()
	if len(w.parts) == 0 {
		return 0, nil
	}
	switch {
	case w.direct:
		w.batch = w.parts
		n, err = w.batch.WriteTo(w.dst)
	case w.vector != nil:
		w.batch = w.parts
		n, err = w.vector.WriteBuffers(&w.batch)
	default:
		for _, p := range w.parts {
			w.flat = append(w.flat, p...)
		}
		var m int
		m, err = w.dst.Write(w.flat)
		n = int64(m)
		w.flat = reuse(w.flat)
	}
	clear(w.parts) // do not keep the media alive
	w.parts, w.own, w.from, w.shared = w.parts[:0], reuse(w.own), 0, 0
	return n, err
}

// reuse empties b, and releases the memory of a very large batch.
func reuse(b []byte) []byte {
	if cap(b) > 1<<20 {
		return nil
	}
	return b[:0]
}
