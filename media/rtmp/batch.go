package rtmp

import "math/bits"

// Batch is messages that are cut into chunks once and sent by many Writers. Message
// headers say how much later a message is than the one before (type 1, 5.3.1.2.2), so
// they are the same for every Writer whose last messages were the same, whatever the
// timestamps it began with. It is for one goroutine.
type Batch struct {
	w      Writer
	known  uint64     // bit for each chunk stream with a message before this batch
	used   uint64     // and for each with one in it
	before [64]uint32 // timestamp of the last message before this batch
	unfit  bool       // it has a message whose header is not a difference
	small  []byte     // a message that is copied
}

// shareCopied is how large data may be that a batch copies: for little, one part more in
// each Writer's system call costs more than the copy that serves them all.
const shareCopied = 1 << 10

// NewBatch makes an empty batch, of chunks of ChunkSize.
func NewBatch() *Batch { return &Batch{w: Writer{size: ChunkSize}} }

// Next begins another batch. What Writers still hold of this one stays as it is.
func (b *Batch) Next() {
	w := &b.w
	clear(w.parts) // do not keep the media alive
	w.own = make([]byte, 0, len(w.own)+len(w.own)/4)
	w.parts, w.from, w.shared = w.parts[:0], 0, 0
	b.used, b.unfit = 0, false
}

// Add collects a message as Writer.Add does.
func (b *Batch) Add(h Header, head, data []byte) {
	stream, bit := h.Chunks&63, uint64(1)<<(h.Chunks&63)
	last := b.w.streams[stream].timestamp
	if b.used&bit == 0 {
		b.before[stream] = last
	}
	b.unfit = b.unfit || b.known&bit == 0 || h.Timestamp-last >= 1<<31
	b.used, b.known = b.used|bit, b.known|bit
	if len(data) > shareCopied {
		b.w.Add(h, head, data)
		return
	}
	b.small = append(append(b.small[:0], head...), data...)
	b.w.Add(h, b.small, nil)
}

// Size is how many bytes it has.
func (b *Batch) Size() int { return b.w.Pending() }

// AddBatch collects all of b, whose messages have timestamps that are later by zero
// than w's. It collects nothing and reports false where b's differences are not w's.
func (w *Writer) AddBatch(b *Batch, zero uint32) bool {
	if b.unfit || w.size != b.w.size {
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
	b.w.cut()
	w.cut()
	w.parts = append(w.parts, b.w.parts...)
	w.shared += b.w.Pending()
	return true
}
