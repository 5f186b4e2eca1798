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
type round struct {
	cursor      *hub.Subscriber
	batch       *chunks.Batch
	head        [flv.MaxHeader]byte
	from, to    uint64        // places in the program
	first, last time.Duration // decode times
	tracks      *media.Tracks
	whole       bool   // it is all that is new, in one generation of tracks
	pages       *pages // hold the messages where that pays
}

// Pages are worth their making for so many destinations and bytes.
const (
	pagesFor   = 8
	pagesBytes = 16 << 10
)

func newRound(program *hub.Subscriber) *round {
	return &round{cursor: program.Watch(), batch: chunks.NewBatch(), pages: newPages()}
}

// read takes what is new since it was called last, for so many destinations.
func (r *round) read(members int) {
	r.batch.Next()
	r.from, r.whole = r.cursor.Position(), false
	n := uint64(0)
	for ; r.batch.Size() < maxBatch; n++ {
		au, err := r.cursor.TryNext()
		if err != nil {
			// Nothing was missed, and who reads for himself learns of the end.
			r.whole = n > 0 && err == hub.ErrNotYet && r.cursor.Position() == r.from+n
			break
		}
		if n == 0 {
			r.tracks, r.first = au.Tracks, au.DTS
		} else if au.Tracks != r.tracks {
			break
		}
		r.last = au.DTS
		r.batch.Add(header(&au, stamp(au.DTS)), flv.AppendHeader(r.head[:0], &au), au.Data)
	}
	r.to = r.cursor.Position()
	if r.whole && members >= pagesFor && r.batch.Size() >= pagesBytes {
		r.pages.put(r.batch.Bytes())
	}
}

// stamp is a decode time as a timestamp. Differences of two are the same whatever
// session they are counted from.
func stamp(dts time.Duration) uint32 { return uint32(dts / time.Millisecond) }

// header is that of a unit's message, but for the stream, which only the first on each
// chunk stream names.
func header(au *media.AccessUnit, at uint32) chunks.Header {
	if au.Video() {
		return chunks.Header{Chunks: chunks.ChunksVideo, Type: chunks.TypeVideo, Timestamp: at}
	}
	return chunks.Header{Chunks: chunks.ChunksAudio, Type: chunks.TypeAudio, Timestamp: at}
}

// ride collects a round as it is. It reports false where s needs others: it is
// elsewhere in the program, late, or has left something out.
func (s *sender) ride(r *round, now time.Time) bool {
	if r == nil || !r.whole || s.told.tracks != r.tracks || s.late || !s.told.started || !s.sub.IsAt(r.from) {
		return false
	}
	age, zero := s.shed.Age(r.first, now), stamp(s.told.base)
	if age > lateAfter || !s.shed.SendsAll(age) || !s.w.AddBatch(r.batch, zero) {
		return false
	}
	s.sub.SeekTo(r.to)
	s.since = now.Add(-age)
	s.told.now = stamp(r.last) - zero
	s.shed.Age(r.last, now)
	s.shed.CaughtUp(now)
	return true
}
