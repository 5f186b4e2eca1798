package rtmp

import (
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/media/flv"
	chunks "obvan/media/rtmp"
)

// sharedBatch is what is new in the program, made into messages once for all destinations
// that keep up: with many, making them for each costs a quarter of what the system takes
// to send them.
type sharedBatch struct {
	cursor            *hub.Subscriber
	batch             *chunks.Batch
	head              [flv.MaxHeader]byte
	from, to          uint64        // positions in the program
	firstDTS, lastDTS time.Duration // decode times
	tracks            *media.Tracks
	complete          bool            // it is all that is new, in one generation of tracks
	zeroCopy          *zeroCopyBuffer // holds the messages where that pays
}

// The zero-copy buffer pays from this many destinations and bytes on.
const (
	zeroCopyDestinations = 8
	zeroCopyBytes        = 16 << 10
)

func newSharedBatch(program *hub.Subscriber) *sharedBatch {
	return &sharedBatch{cursor: program.Watch(), batch: chunks.NewBatch(), zeroCopy: newZeroCopyBuffer()}
}

// read takes what is new since the last call, for this many destinations.
func (r *sharedBatch) read(members int) {
	r.batch.Next()
	r.from, r.complete = r.cursor.Position(), false
	n := uint64(0)
	for ; r.batch.Size() < maxBatch; n++ {
		au, err := r.cursor.TryNext()
		if err != nil {
			// Nothing was missed; the program's end is noticed by each sender's own reader.
			r.complete = n > 0 && err == hub.ErrNotYet && r.cursor.Position() == r.from+n
			break
		}
		if n == 0 {
			r.tracks, r.firstDTS = au.Tracks, au.DTS
		} else if au.Tracks != r.tracks {
			break
		}
		r.lastDTS = au.DTS
		r.batch.Add(messageHeader(&au, timestamp(au.DTS)), flv.AppendHeader(r.head[:0], &au), au.Data)
	}
	r.to = r.cursor.Position()
	if r.complete && members >= zeroCopyDestinations && r.batch.Size() >= zeroCopyBytes {
		r.zeroCopy.store(r.batch.Bytes())
	}
}

// timestamp is a decode time as an RTMP timestamp. Differences between two are the same
// whatever session they are counted from.
func timestamp(dts time.Duration) uint32 { return uint32(dts / time.Millisecond) }

// messageHeader is the header of a unit's message without the stream, which only the first
// message on each chunk stream names.
func messageHeader(au *media.AccessUnit, at uint32) chunks.Header {
	if au.Video() {
		return chunks.Header{Chunks: chunks.ChunksVideo, Type: chunks.TypeVideo, Timestamp: at}
	}
	return chunks.Header{Chunks: chunks.ChunksAudio, Type: chunks.TypeAudio, Timestamp: at}
}

// joinBatch collects a shared batch as it is. It returns false where s needs its own
// messages: it is elsewhere in the program, late, or has dropped something.
func (s *sender) joinBatch(r *sharedBatch, now time.Time) bool {
	if r == nil || !r.complete || s.announced.tracks != r.tracks || s.late || !s.announced.started || !s.sub.IsAt(r.from) {
		return false
	}
	age, zero := s.dropper.Age(r.firstDTS, now), timestamp(s.announced.base)
	if age > lateAfter || !s.dropper.SendsAll(age) || !s.w.AddBatch(r.batch, zero) {
		return false
	}
	s.sub.SeekTo(r.to)
	s.oldestDue = now.Add(-age)
	s.announced.now = timestamp(r.lastDTS) - zero
	s.dropper.Age(r.lastDTS, now)
	s.dropper.CaughtUp(now)
	return true
}
