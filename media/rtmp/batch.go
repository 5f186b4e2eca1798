package rtmp

import (
	"math/bits"
	"slices"
)

// Batch is messages that are copied and cut into chunks once, into one piece of memory,
// and sent by many Writers: what one copy costs, a system call with fewer parts saves with
// a few of them. Message
// headers say how much later a message is than the one before (type 1, 5.3.1.2.2), so
// they are the same for every Writer whose last messages were the same, whatever the
// timestamps it began with. It is for one goroutine.
type Batch struct {
	w            Writer
	known        uint64     // bit for each chunk stream with a message before this batch
	used         uint64     // and for each with one in it
	before       [64]uint32 // timestamp of the last message before this batch
	incompatible bool       // it has a message whose header is not a difference
	flat         []byte     // all of it, once Bytes was asked
}

// NewBatch makes an empty batch, of chunks of ChunkSize.
func NewBatch() *Batch { return &Batch{w: Writer{size: ChunkSize}} }

// Next begins another batch. What Writers still hold of this one stays as it is.
func (b *Batch) Next() {
	w := &b.w
	clear(w.parts) // do not keep the media alive
	w.parts, w.own, w.from, w.shared = w.parts[:0], reuse(w.own), 0, 0
	b.used, b.incompatible, b.flat = 0, false, nil
}

// Add collects a message as Writer.Add does.
func (b *Batch) Add(h Header, head, data []byte) {
	stream, bit := h.Chunks&63, uint64(1)<<(h.Chunks&63)
	last := b.w.streams[stream].timestamp
	if b.used&bit == 0 {
		b.before[stream] = last
	}
	b.incompatible = b.incompatible || b.known&bit == 0 || h.Timestamp-last >= 1<<31
	b.used, b.known = b.used|bit, b.known|bit
	b.w.Add(h, head, data)
}

// Bytes is all of it, in one piece.
func (b *Batch) Bytes() []byte {
	if b.flat == nil {
		b.w.cut()
		b.flat = slices.Concat(b.w.parts...)
	}
	return b.flat
}

// Size is how many bytes it has.
func (b *Batch) Size() int { return b.w.Pending() }

// AddBatch collects all of b, whose messages have timestamps that are later by zero
// than w's. It collects nothing and reports false where b's differences are not w's.
func (w *Writer) AddBatch(b *Batch, zero uint32) bool {
	if b.incompatible || w.size != b.w.size {
		return false
	}
	for used := b.used; used != 0; used &= used - 1 {
		i := bits.TrailingZeros64(used)
		if s := &w.streams[i]; !s.used || s.timestamp+zero != b.before[i] {
			return false
		}
	}
	for used := b.used; used != 0; used &= used - 1 {
		i := bits.TrailingZeros64(used)
		w.streams[i].timestamp = b.w.streams[i].timestamp - zero
	}
	if all := b.Bytes(); len(all) > 0 {
		w.cut()
		w.parts = append(w.parts, all)
		w.shared += len(all)
	}
	return true
}
