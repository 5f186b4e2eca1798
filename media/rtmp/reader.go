package rtmp

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Limits of the memory that one connection can make us use.
const (
	maxChunkStreams = 16
	maxMedia        = 8 << 20  // a media message
	maxInFlight     = 16 << 20 // all unfinished messages
	maxCommand      = 64 << 10 // a command or data message
	maxControl      = 256
	maxChunkSize    = 8 << 20

	// maxInFlightNoMedia is the limit for peers from which no media is accepted, such
	// as all that have not logged in.
	maxInFlightNoMedia = 128 << 10

	readBuffer = 4 << 10 // larger payloads bypass it and are read straight into place

	defaultWindow = 2_500_000 // bytes between acknowledgements, until the peer sets it
)

// ErrProtocol is for protocol errors after which reading can't continue.
var ErrProtocol = errors.New("malformed RTMP")

// Reader reads messages. It handles chunk sizes, aborts and aggregates itself, converts
// AMF3 commands and data to AMF0, and skips types that are not used here. It is for one
// goroutine and sets no deadlines.
type Reader struct {
	br       *bufio.Reader
	src      counter
	size     uint32 // the peer's chunk size
	media    bool
	inFlight int
	streams  []chunkStream
	split    aggregate
	window   uint64
	acked    uint64
}

// chunkStream is what later headers refer back to (5.3.1.2), and the message being
// assembled.
type chunkStream struct {
	id        uint32
	msg       Message
	length    int
	delta     uint32
	ext       uint32 // the last header's extended timestamp
	extended  bool   // it had one
	known     bool   // there was a full header
	busy      bool   // a message has begun
	skip      bool   // and it is not used
	remaining int
}

type counter struct {
	r io.Reader
	n uint64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += uint64(n)
	return n, err
}

// NewReader reads from r. Audio and video are skipped until Media(true).
func NewReader(r io.Reader) *Reader {
	rd := &Reader{src: counter{r: r}, size: 128, window: defaultWindow}
	rd.br = bufio.NewReaderSize(&rd.src, readBuffer)
	return rd
}

// Media turns the delivery of audio and video on or off. While it is off they take no
// memory.
func (r *Reader) Media(on bool) { r.media = on }

// AckDue returns the sequence number to acknowledge, and whether that is due (5.4.3).
func (r *Reader) AckDue() (seq uint32, due bool) {
	if r.src.n-r.acked < r.window {
		return 0, false
	}
	r.acked = r.src.n
	return uint32(r.src.n), true
}

// Read returns the next message. Its errors wrap ErrProtocol or are the source's.
func (r *Reader) Read() (Message, error) {
	for {
		if m, ok := r.split.next(); ok {
			return m, nil
		}
		c, err := r.chunk()
		if err != nil {
			return Message{}, err
		}
		if c == nil {
			continue
		}
		if m, ok, err := r.finish(c); ok || err != nil {
			return m, err
		}
	}
}

// chunk reads one chunk; it returns the chunk stream when its message is complete.
func (r *Reader) chunk() (*chunkStream, error) {
	format, id, err := r.basicHeader()
	if err != nil {
		return nil, err
	}
	c, err := r.stream(id)
	if err != nil {
		return nil, err
	}
	if err := r.messageHeader(c, format); err != nil {
		return nil, err
	}
	if !c.busy {
		if err := r.begin(c); err != nil {
			return nil, err
		}
	}
	n := min(c.remaining, int(r.size))
	if c.skip {
		_, err = r.br.Discard(n)
	} else {
		at := c.length - c.remaining
		_, err = io.ReadFull(r.br, c.msg.Payload[at:at+n])
	}
	if err != nil {
		return nil, noEOF(err)
	}
	if c.remaining -= n; c.remaining > 0 {
		return nil, nil
	}
	return c, nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// basicHeader is 5.3.1.1. Its first byte is the only place where a stream may end.
func (r *Reader) basicHeader() (format byte, id uint32, err error) {
	b, err := r.br.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	format, id = b>>6, uint32(b&63)
	if id > 1 {
		return format, id, nil
	}
	more, err := r.take(int(id) + 1)
	if err != nil {
		return 0, 0, err
	}
	if id == 0 {
		return format, 64 + uint32(more[0]), nil
	}
	return format, 64 + uint32(more[0]) + uint32(more[1])<<8, nil
}

// take is the next n bytes, valid until the next read.
func (r *Reader) take(n int) ([]byte, error) {
	b, err := r.br.Peek(n)
	if err != nil {
		return nil, noEOF(err)
	}
	_, err = r.br.Discard(n)
	return b, err
}

func (r *Reader) stream(id uint32) (*chunkStream, error) {
	for i := range r.streams {
		if r.streams[i].id == id {
			return &r.streams[i], nil
		}
	}
	if len(r.streams) == maxChunkStreams {
		return nil, fmt.Errorf("%w: more than %d chunk streams", ErrProtocol, maxChunkStreams)
	}
	r.streams = append(r.streams, chunkStream{id: id})
	return &r.streams[len(r.streams)-1], nil
}

// messageHeader is 5.3.1.2 and 5.3.1.3.
func (r *Reader) messageHeader(c *chunkStream, format byte) error {
	if format == 3 {
		if !c.known {
			return fmt.Errorf("%w: chunk stream %d starts without a header", ErrProtocol, c.id)
		}
		return r.repeatedTimestamp(c)
	}
	if format > 0 && !c.known {
		return fmt.Errorf("%w: chunk stream %d starts without a full header", ErrProtocol, c.id)
	}
	r.drop(c) // a new header inside a message: the peer has abandoned the old one
	b, err := r.take([]int{11, 7, 3}[format])
	if err != nil {
		return err
	}
	field := uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
	if format < 2 {
		c.length = int(b[3])<<16 | int(b[4])<<8 | int(b[5])
		c.msg.Type = Type(b[6])
	}
	if format == 0 {
		c.msg.Stream = binary.LittleEndian.Uint32(b[7:])
	}
	if c.extended = field == 0xffffff; c.extended {
		if b, err = r.take(4); err != nil {
			return err
		}
		field = binary.BigEndian.Uint32(b)
		c.ext = field
	}
	if c.known = true; format == 0 {
		// The next message may have no header at all. The specification then uses this
		// timestamp as the time difference; most servers use 0, which is the smaller error.
		c.msg.Timestamp, c.delta = field, 0
		return nil
	}
	c.delta = field
	c.msg.Timestamp += field
	return nil
}

// repeatedTimestamp handles an empty header (type 3). The extended timestamp is repeated
// after it, but not all writers do that.
func (r *Reader) repeatedTimestamp(c *chunkStream) error {
	if c.extended {
		b, err := r.br.Peek(4)
		if err != nil && err != io.EOF { // near the end there may be fewer than four bytes
			return err
		}
		if len(b) == 4 && (binary.BigEndian.Uint32(b) == c.ext || binary.BigEndian.Uint32(b) == c.msg.Timestamp) {
			if _, err := r.br.Discard(4); err != nil {
				return err
			}
		}
	}
	if !c.busy {
		c.msg.Timestamp += c.delta
	}
	return nil
}

// begin allocates a message, at exactly its size.
func (r *Reader) begin(c *chunkStream) error {
	limit, used := r.limit(c.msg.Type)
	c.skip = !used
	if used && c.length > limit {
		return fmt.Errorf("%w: a message of type %d and %d bytes", ErrProtocol, c.msg.Type, c.length)
	}
	c.busy, c.remaining = true, c.length
	if c.skip {
		return nil
	}
	all := maxInFlightNoMedia
	if r.media {
		all = maxInFlight
	}
	if r.inFlight+c.length > all {
		return fmt.Errorf("%w: more than %d bytes of unfinished messages", ErrProtocol, all)
	}
	r.inFlight += c.length
	c.msg.Payload = make([]byte, c.length)
	return nil
}

// limit is how long a message of a type may be, and whether it is used at all.
func (r *Reader) limit(t Type) (limit int, used bool) {
	switch t {
	case TypeAudio, TypeVideo, TypeAggregate:
		return maxMedia, r.media
	case TypeCommand, TypeCommandAMF3:
		return maxCommand, true
	case TypeData, TypeDataAMF3:
		return maxCommand, r.media
	case TypeChunkSize, TypeAbort, TypeAck, TypeUserControl, TypeWindowAck, TypePeerBandwidth:
		return maxControl, true
	}
	return 0, false
}

// drop discards the message being assembled.
func (r *Reader) drop(c *chunkStream) {
	if c.busy && !c.skip {
		r.inFlight -= c.length
	}
	c.busy, c.msg.Payload = false, nil
}
