package rtmp

import (
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/media/flv"
	chunks "obvan/media/rtmp"
)

// round is what is new in the program, made into messages once for all destinations
// that are in step: with many, making them for each costs a quarter of what the system
// takes to send them.
type sharedBatch struct {
	cursor            *hub.Subscriber
	batch             *chunks.Batch
	head              [flv.MaxHeader]byte
	from, to          uint64        // places in the program
	firstDTS, lastDTS time.Duration // decode times
	tracks            *media.Tracks
	complete          bool            // it is all that is new, in one generation of tracks
	zeroCopy          *zeroCopyBuffer // hold the messages where that pays
}

// Pages are worth their making for so many destinations and bytes.
const (
	zeroCopyDestinations = 8
	zeroCopyBytes        = 16 << 10
)

func newSharedBatch(program *hub.Subscriber) *sharedBatch {
	return &sharedBatch{cursor: program.Watch(), batch: chunks.NewBatch(), zeroCopy: newZeroCopyBuffer()}
}

// read takes what is new since it was called last, for so many destinations.
func (r *sharedBatch) read(members int) {
	r.batch.Next()
	r.from, r.complete = r.cursor.Position(), false
	n := uint64(0)
	for ; r.batch.Size() < maxBatch; n++ {
		au, err := r.cursor.TryNext()
		if err != nil {
			// Nothing was missed, and who reads for himself learns of the end.
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

// stamp is a decode time as a timestamp. Differences of two are the same whatever
// session they are counted from.
func timestamp(dts time.Duration) uint32 { return uint32(dts / time.Millisecond) }

// header is that of a unit's message, but for the stream, which only the first on each
// chunk stream names.
func messageHeader(au *media.AccessUnit, at uint32) chunks.Header {
	if au.Video() {
		return chunks.Header{Chunks: chunks.ChunksVideo, Type: chunks.TypeVideo, Timestamp: at}
	}
	return chunks.Header{Chunks: chunks.ChunksAudio, Type: chunks.TypeAudio, Timestamp: at}
}

// ride collects a round as it is. It reports false where s needs others: it is
// elsewhere in the program, late, or has left something out.
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
