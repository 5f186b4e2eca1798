package rtmp_test

import (
	"bytes"
	"math/rand/v2"
	"net"
	"slices"
	"testing"

	"obvan/media/rtmp"
)

// message is a message as it is passed to a Writer and to a Batch.
type message struct {
	h          rtmp.Header
	head, data []byte
}

func video(at uint32, size int) message {
	return message{rtmp.Header{Chunks: rtmp.ChunksVideo, Type: rtmp.TypeVideo, Timestamp: at}, []byte{0x27, 1, 0, 0, 0}, bytes.Repeat([]byte{byte(at)}, size)}
}

func audio(at uint32) message {
	return message{rtmp.Header{Chunks: rtmp.ChunksAudio, Type: rtmp.TypeAudio, Timestamp: at}, []byte{0xaf, 1}, []byte{byte(at), 2, 3}}
}

// own adds m as the message of a session whose timestamps are 0 at zero.
func own(w *rtmp.Writer, m message, zero uint32) {
	m.h.Stream = 1
	m.h.Timestamp -= zero
	w.Add(m.h, m.head, m.data)
}

func TestABatchHasTheBytesEachWriterWouldHaveWritten(t *testing.T) {
	const members = 3
	var alone, shared [members]bytes.Buffer
	var a, s [members]*rtmp.Writer
	zero := [members]uint32{0, 990, 1<<32 - 500} // the timestamps of the last one wrap
	for i := range members {
		a[i], s[i] = rtmp.NewWriter(&alone[i]), rtmp.NewWriter(&shared[i])
		a[i].SetChunkSize(rtmp.ChunkSize)
		s[i].SetChunkSize(rtmp.ChunkSize)
	}
	b, shares := rtmp.NewBatch(), 0
	at := uint32(1000)
	for range 50 {
		b.Next()
		var round []message
		for range rand.IntN(4) {
			at += uint32(rand.IntN(40))
			round = append(round, video(at, rand.IntN(2*rtmp.ChunkSize)))
			if rand.IntN(2) == 0 {
				round = append(round, audio(at+3))
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
				shares++
			} else {
				for _, m := range round {
					own(s[i], m, zero[i])
				}
			}
			if rand.IntN(3) == 0 { // a message of its own in between
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
			t.Errorf("writer %d: different bytes", i)
		}
	}
	if shares < 40*members {
		t.Errorf("shared %d times of %d", shares, 50*members)
	}
}

func TestABatchIsRefusedByAWriterThatSentOtherMessagesBefore(t *testing.T) {
	begun := func(at uint32) *rtmp.Writer {
		w := rtmp.NewWriter(new(bytes.Buffer))
		w.SetChunkSize(rtmp.ChunkSize)
		own(w, video(at, 10), 0)
		return w
	}
	first := rtmp.NewBatch()
	first.Add(video(1000, 10).h, nil, nil)
	if begun(1000).AddBatch(first, 0) {
		t.Error("a batch with a first message, which has a full header, was accepted")
	}
	first.Next()
	first.Add(video(1040, 10).h, nil, nil)
	for name, w := range map[string]*rtmp.Writer{
		"one message missing": begun(960),
		"no message yet":      rtmp.NewWriter(new(bytes.Buffer)),
		"another chunk size":  func() *rtmp.Writer { w := begun(1000); w.SetChunkSize(128); return w }(),
		"on another clock":    begun(1001),
	} {
		if before := w.Pending(); w.AddBatch(first, 0) || w.Pending() != before {
			t.Error(name)
		}
	}
	if !begun(1000).AddBatch(first, 0) || !begun(10).AddBatch(first, 990) {
		t.Error("refused by writers that sent the message before it")
	}
	first.Next()
	first.Add(video(900, 10).h, nil, nil)
	if begun(1040).AddBatch(first, 0) {
		t.Error("a batch with a time that steps back, which needs a full header, was accepted")
	}
}

func TestQueuedBytesOfABatchAreUnchangedByTheNextBatch(t *testing.T) {
	var sent capture
	w := rtmp.NewWriter(&sent)
	w.SetChunkSize(rtmp.ChunkSize)
	own(w, audio(10), 0)
	b := rtmp.NewBatch()
	b.Add(audio(10).h, nil, nil)
	b.Next()
	b.Add(audio(33).h, []byte{0xaf, 1}, []byte("what it is"))
	if !w.AddBatch(b, 0) {
		t.Fatal("not taken")
	}
	if _, err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	is := slices.Concat(sent.parts...)
	b.Next()
	b.Add(audio(56).h, []byte{0xaf, 1}, []byte("and others"))
	if now := slices.Concat(sent.parts...); !bytes.Equal(is, now) || !bytes.Contains(now, []byte("what it is")) {
		t.Errorf("%q became %q", is, now)
	}
}

// capture is a destination that stores the slices it was to write, without copying them.
type capture struct{ parts [][]byte }

func (k *capture) Write(p []byte) (int, error) { return len(p), nil }

func (k *capture) WriteBuffers(b *net.Buffers) (n int64, err error) {
	for _, part := range *b {
		k.parts = append(k.parts, part)
		n += int64(len(part))
	}
	return n, nil
}
