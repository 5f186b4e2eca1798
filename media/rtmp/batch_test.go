package rtmp_test

import (
	"bytes"
	"math/rand/v2"
	"net"
	"slices"
	"testing"

	"obvan/media/rtmp"
)

// said is a message as it is handed to a Writer and to a Batch.
type said struct {
	h          rtmp.Header
	head, data []byte
}

func video(at uint32, size int) said {
	return said{rtmp.Header{Chunks: rtmp.ChunksVideo, Type: rtmp.TypeVideo, Timestamp: at}, []byte{0x27, 1, 0, 0, 0}, bytes.Repeat([]byte{byte(at)}, size)}
}

func sound(at uint32) said {
	return said{rtmp.Header{Chunks: rtmp.ChunksAudio, Type: rtmp.TypeAudio, Timestamp: at}, []byte{0xaf, 1}, []byte{byte(at), 2, 3}}
}

// own adds m as the message of a session whose clock shows 0 at zero.
func own(w *rtmp.Writer, m said, zero uint32) {
	m.h.Stream = 1
	m.h.Timestamp -= zero
	w.Add(m.h, m.head, m.data)
}

func TestABatchIsWhatEachWriterWouldHaveWritten(t *testing.T) {
	const members = 3
	var alone, shared [members]bytes.Buffer
	var a, s [members]*rtmp.Writer
	zero := [members]uint32{0, 990, 1<<32 - 500} // of the last, the timestamps wrap
	for i := range members {
		a[i], s[i] = rtmp.NewWriter(&alone[i]), rtmp.NewWriter(&shared[i])
		a[i].SetChunkSize(rtmp.ChunkSize)
		s[i].SetChunkSize(rtmp.ChunkSize)
	}
	b, rode := rtmp.NewBatch(), 0
	at := uint32(1000)
	for range 50 {
		b.Next()
		var round []said
		for range rand.IntN(4) {
			at += uint32(rand.IntN(40))
			round = append(round, video(at, rand.IntN(2*rtmp.ChunkSize)))
			if rand.IntN(2) == 0 {
				round = append(round, sound(at+3))
			}
		}
		for _, m := range round {
			b.Add(m.h, m.head, m.data)
		}
		for i := range members {
			for _, m := range round {
				own(a[i], m, zero[i])
			}
			if s[i].AddBatch(b, zero[i]) {
				rode++
			} else {
				for _, m := range round {
					own(s[i], m, zero[i])
				}
			}
			if rand.IntN(3) == 0 { // something of its own between
				a[i].Control(rtmp.TypeAck, at)
				s[i].Control(rtmp.TypeAck, at)
			}
			if _, err := a[i].Flush(); err != nil {
				t.Fatal(err)
			}
			if _, err := s[i].Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range members {
		if !bytes.Equal(alone[i].Bytes(), shared[i].Bytes()) {
			t.Errorf("writer %d: other bytes", i)
		}
	}
	if rode < 40*members {
		t.Errorf("taken %d times of %d", rode, 50*members)
	}
}

func TestABatchIsNotForWritersThatSentOtherMessagesBefore(t *testing.T) {
	begun := func(at uint32) *rtmp.Writer {
		w := rtmp.NewWriter(new(bytes.Buffer))
		w.SetChunkSize(rtmp.ChunkSize)
		own(w, video(at, 10), 0)
		return w
	}
	first := rtmp.NewBatch()
	first.Add(video(1000, 10).h, nil, nil)
	if begun(1000).AddBatch(first, 0) {
		t.Error("the first message of all has a full header")
	}
	first.Next()
	first.Add(video(1040, 10).h, nil, nil)
	for name, w := range map[string]*rtmp.Writer{
		"left one out":     begun(960),
		"nothing yet":      rtmp.NewWriter(new(bytes.Buffer)),
		"in other chunks":  func() *rtmp.Writer { w := begun(1000); w.SetChunkSize(128); return w }(),
		"on another clock": begun(1001),
	} {
		if before := w.Pending(); w.AddBatch(first, 0) || w.Pending() != before {
			t.Error(name)
		}
	}
	if !begun(1000).AddBatch(first, 0) || !begun(10).AddBatch(first, 990) {
		t.Error("not for those that sent the one before")
	}
	first.Next()
	first.Add(video(900, 10).h, nil, nil)
	if begun(1040).AddBatch(first, 0) {
		t.Error("a time that steps back has a full header")
	}
}

func TestWhatAWriterStillHoldsOfABatchStaysWhenTheNextBegins(t *testing.T) {
	var kept kept
	w := rtmp.NewWriter(&kept)
	w.SetChunkSize(rtmp.ChunkSize)
	own(w, sound(10), 0)
	b := rtmp.NewBatch()
	b.Add(sound(10).h, nil, nil)
	b.Next()
	b.Add(sound(33).h, []byte{0xaf, 1}, []byte("what it is"))
	if !w.AddBatch(b, 0) {
		t.Fatal("not taken")
	}
	if _, err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	is := slices.Concat(kept.parts...)
	b.Next()
	b.Add(sound(56).h, []byte{0xaf, 1}, []byte("and others"))
	if now := slices.Concat(kept.parts...); !bytes.Equal(is, now) || !bytes.Contains(now, []byte("what it is")) {
		t.Errorf("%q became %q", is, now)
	}
}

// kept is a destination that has no room: it keeps what it was to write.
type kept struct{ parts [][]byte }

func (k *kept) Write(p []byte) (int, error) { return len(p), nil }

func (k *kept) WriteBuffers(b *net.Buffers) (n int64, err error) {
	for _, part := range *b {
		k.parts = append(k.parts, part)
		n += int64(len(part))
	}
	return n, nil
}
