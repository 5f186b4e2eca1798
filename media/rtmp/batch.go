package rtmp

import (
	"math/bits"
	"slices"
)

// Batch is a group of messages that are copied and split into chunks once, into one piece
// of memory, and sent by many Writers: the copy pays for itself with a few Writers, because
// each then makes a system call with fewer parts. Message headers contain the time since
// the previous message (type 1, 5.3.1.2.2), so they are the same for every Writer that
// sent the same messages before, whatever timestamps its session started with. A Batch is
// for one goroutine.
type Batch struct {
	w            Writer
	known        uint64     // a bit for each chunk stream with a message before this batch
	used         uint64     // a bit for each chunk stream with a message in this batch
	before       [64]uint32 // timestamp of the last message before this batch
	incompatible bool       // it has a message with a full header
	flat         []byte     // all of it, once Bytes has been called
}

// NewBatch makes an empty batch with chunks of ChunkSize.
func NewBatch() *Batch { return &Batch{w: Writer{size: ChunkSize}} }

// Next begins another batch. Writers may still use the bytes of the previous one.
func (b *Batch) Next() {
	w := &b.w
	clear(w.parts) // do not keep the media alive
	w.parts, w.own, w.from, w.shared = w.parts[:0], reuse(w.own), 0, 0
	b.used, b.incompatible, b.flat = 0, false, nil
}

// Add queues a message as Writer.Add does.
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

// Bytes is the whole batch in one slice.
func (b *Batch) Bytes() []byte {
	if b.flat == nil {
		b.w.cut()
		b.flat = slices.Concat(b.w.parts...)
	}
	return b.flat
}

// Size is the batch's size in bytes.
func (b *Batch) Size() int { return b.w.Pending() }

// AddBatch queues all of b, whose timestamps are later than w's by zero. It queues
// nothing and returns false when b's time differences don't follow w's last messages.
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
