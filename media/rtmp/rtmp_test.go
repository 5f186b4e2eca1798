package rtmp_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/media/rtmp"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// unhex decodes hexadecimal with spaces and line breaks.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func read(t testing.TB, b []byte) []rtmp.Message {
	t.Helper()
	r := rtmp.NewReader(bytes.NewReader(b))
	r.Media(true)
	var all []rtmp.Message
	for {
		m, err := r.Read()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatalf("after %d messages: %v", len(all), err)
		}
		all = append(all, m)
	}
}

// golden are bytes written by hand from the specification, and the messages in them.
var golden = []struct {
	name  string
	write func(w *rtmp.Writer)
	bytes string
	reads []rtmp.Message
}{
	{"a first message has a full header",
		func(w *rtmp.Writer) {
			w.Add(rtmp.Header{Chunks: 6, Type: rtmp.TypeVideo, Stream: 1, Timestamp: 1000}, []byte{1}, []byte{2, 3})
		},
		"06 0003e8 000003 09 01000000 010203",
		[]rtmp.Message{{Type: rtmp.TypeVideo, Stream: 1, Timestamp: 1000, Payload: []byte{1, 2, 3}}}},
	{"a later one has the time difference",
		func(w *rtmp.Writer) {
			w.Add(rtmp.Header{Chunks: 5, Type: rtmp.TypeAudio, Stream: 1, Timestamp: 10}, []byte{1}, nil)
			w.Add(rtmp.Header{Chunks: 5, Type: rtmp.TypeAudio, Stream: 1, Timestamp: 33}, nil, []byte{2})
		},
		"05 00000a 000001 08 01000000 01   45 000017 000001 08 02",
		[]rtmp.Message{
			{Type: rtmp.TypeAudio, Stream: 1, Timestamp: 10, Payload: []byte{1}},
			{Type: rtmp.TypeAudio, Stream: 1, Timestamp: 33, Payload: []byte{2}}}},
	{"a time that steps back has a full header",
		func(w *rtmp.Writer) {
			w.Add(rtmp.Header{Chunks: 5, Type: rtmp.TypeAudio, Stream: 1, Timestamp: 33}, []byte{1}, nil)
			w.Add(rtmp.Header{Chunks: 5, Type: rtmp.TypeAudio, Stream: 1, Timestamp: 10}, []byte{2}, nil)
		},
		"05 000021 000001 08 01000000 01   05 00000a 000001 08 01000000 02",
		[]rtmp.Message{
			{Type: rtmp.TypeAudio, Stream: 1, Timestamp: 33, Payload: []byte{1}},
			{Type: rtmp.TypeAudio, Stream: 1, Timestamp: 10, Payload: []byte{2}}}},
	{"an extended timestamp is repeated on each chunk",
		func(w *rtmp.Writer) {
			w.SetChunkSize(2)
			w.Add(rtmp.Header{Chunks: 6, Type: rtmp.TypeVideo, Stream: 1, Timestamp: 0x01020304}, []byte{1}, []byte{2, 3, 4, 5})
		},
		"02 000000 000004 01 00000000 00000002   06 ffffff 000005 09 01000000 01020304 0102  c6 01020304 0304  c6 01020304 05",
		[]rtmp.Message{{Type: rtmp.TypeVideo, Stream: 1, Timestamp: 0x01020304, Payload: []byte{1, 2, 3, 4, 5}}}},
	{"a message may be empty",
		func(w *rtmp.Writer) {
			w.Add(rtmp.Header{Chunks: 5, Type: rtmp.TypeAudio, Stream: 1}, nil, nil)
			w.Event(rtmp.EventPingResponse, 7)
		},
		"05 000000 000000 08 01000000   02 000000 000006 04 00000000 0007 00000007",
		[]rtmp.Message{
			{Type: rtmp.TypeAudio, Stream: 1, Payload: []byte{}},
			{Type: rtmp.TypeUserControl, Payload: []byte{0, 7, 0, 0, 0, 7}}}},
}

func TestMessagesAreWrittenAsInTheSpecification(t *testing.T) {
	for _, g := range golden {
		t.Run(g.name, func(t *testing.T) {
			var out bytes.Buffer
			w := rtmp.NewWriter(&out)
			g.write(w)
			if _, err := w.Flush(); err != nil || !bytes.Equal(out.Bytes(), unhex(t, g.bytes)) {
				t.Fatalf("wrote %x, %v", out.Bytes(), err)
			}
		})
	}
}

func TestMessagesAreReadAsInTheSpecification(t *testing.T) {
	for _, g := range append(golden, readOnly...) {
		t.Run(g.name, func(t *testing.T) { same(t, read(t, unhex(t, g.bytes)), g.reads) })
	}
}

func same(t *testing.T, got, want []rtmp.Message) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		a, b := got[i], want[i]
		if a.Type != b.Type || a.Stream != b.Stream || a.Timestamp != b.Timestamp || !bytes.Equal(a.Payload, b.Payload) {
			t.Errorf("message %d is %+v, not %+v", i, a, b)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d messages: %+v", len(got), got)
	}
}

// readOnly is what other writers send and ours does not send.
var readOnly = append(golden[:0:0], []struct {
	name  string
	write func(w *rtmp.Writer)
	bytes string
	reads []rtmp.Message
}{
	{"headers of types 2 and 3 refer back", nil,
		"45", nil},
	{"long chunk stream ids", nil,
		"00 06 000001 000001 08 01000000 aa   01 0601 000002 000001 09 01000000 bb",
		[]rtmp.Message{
			{Type: rtmp.TypeAudio, Stream: 1, Timestamp: 1, Payload: []byte{0xaa}},
			{Type: rtmp.TypeVideo, Stream: 1, Timestamp: 2, Payload: []byte{0xbb}}}},
	{"headers of types 2 and 3 refer to the previous one", nil,
		"05 00000a 000001 08 01000000 01   85 000005 02   c5 03   c5 04",
		[]rtmp.Message{
			{Type: rtmp.TypeAudio, Stream: 1, Timestamp: 10, Payload: []byte{1}},
			{Type: rtmp.TypeAudio, Stream: 1, Timestamp: 15, Payload: []byte{2}},
			{Type: rtmp.TypeAudio, Stream: 1, Timestamp: 20, Payload: []byte{3}},
			{Type: rtmp.TypeAudio, Stream: 1, Timestamp: 25, Payload: []byte{4}}}},
	{"an extended timestamp that is not repeated", nil,
		"02 000000 000004 01 00000000 00000002   06 ffffff 000006 09 01000000 01020304 0102  c6 0304  c6 0506",
		[]rtmp.Message{{Type: rtmp.TypeVideo, Stream: 1, Timestamp: 0x01020304, Payload: []byte{1, 2, 3, 4, 5, 6}}}},
	{"two messages interleaved", nil,
		"02 000000 000004 01 00000000 00000002   06 000001 000003 09 01000000 0102   05 000001 000001 08 01000000 aa   c6 03",
		[]rtmp.Message{
			{Type: rtmp.TypeAudio, Stream: 1, Timestamp: 1, Payload: []byte{0xaa}},
			{Type: rtmp.TypeVideo, Stream: 1, Timestamp: 1, Payload: []byte{1, 2, 3}}}},
	{"a new header inside a message discards the old one", nil,
		"02 000000 000004 01 00000000 00000002   06 000001 000003 09 01000000 0102   06 000002 000001 09 01000000 aa",
		[]rtmp.Message{{Type: rtmp.TypeVideo, Stream: 1, Timestamp: 2, Payload: []byte{0xaa}}}},
	{"an aborted message is discarded", nil,
		"02 000000 000004 01 00000000 00000004   06 000001 000005 09 01000000 01020304   02 000000 000004 02 00000000 00000006   06 000002 000001 09 01000000 aa",
		[]rtmp.Message{{Type: rtmp.TypeVideo, Stream: 1, Timestamp: 2, Payload: []byte{0xaa}}}},
	{"an AMF3 command becomes an AMF0 command", nil,
		"03 000000 000002 11 00000000 00 05",
		[]rtmp.Message{{Type: rtmp.TypeCommand, Payload: []byte{5}}}},
	{"unknown types are skipped", nil,
		"03 000000 000002 63 00000000 0102   03 000000 000001 13 00000000 01   05 000000 000001 08 01000000 aa",
		[]rtmp.Message{{Type: rtmp.TypeAudio, Stream: 1, Payload: []byte{0xaa}}}},
	{"an aggregate is split", nil,
		"06 0003e8 000020 16 01000000  09 000001 000064 00 000000 aa 0000000c  08 000001 000070 00 000000 bb 0000000c",
		[]rtmp.Message{
			{Type: rtmp.TypeVideo, Stream: 1, Timestamp: 1000, Payload: []byte{0xaa}},
			{Type: rtmp.TypeAudio, Stream: 1, Timestamp: 1012, Payload: []byte{0xbb}}}},
}[1:]...)

func TestProtocolErrorsEndReading(t *testing.T) {
	var streams []byte
	for id := range 17 {
		streams = append(streams, byte(3+id), 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0)
	}
	for name, b := range map[string][]byte{
		"a stream that starts with a reference": unhex(t, "45 000000 000001 08 aa"),
		"a stream that starts without a header": unhex(t, "c5 aa"),
		"a chunk size of zero":                  unhex(t, "02 000000 000004 01 00000000 00000000"),
		"a chunk size with the top bit":         unhex(t, "02 000000 000004 01 00000000 80000001"),
		"a media message over 8 MB":             unhex(t, "06 000000 ffffff 09 01000000 00"),
		"a command over 64 KB":                  unhex(t, "03 000000 010001 14 00000000 00"),
		"a control message of a kilobyte":       unhex(t, "02 000000 000400 04 00000000 00"),
		"a seventeenth chunk stream":            streams,
		"three unfinished messages of 8 MB":     unhex(t, "06 000000 800000 09 01000000 "+strings.Repeat("00", 128)+"07 000000 800000 09 01000000 "+strings.Repeat("00", 128)+"08 000000 800000 09 01000000 "+strings.Repeat("00", 128)),
	} {
		r := rtmp.NewReader(bytes.NewReader(b))
		r.Media(true)
		var err error
		for err == nil {
			_, err = r.Read()
		}
		if !errors.Is(err, rtmp.ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAConnectionThatEndsInsideAMessageIsAnError(t *testing.T) {
	for _, s := range []string{"06", "06 000000", "06 000000 000003 09 01000000 01", "06 ffffff 000003 09 01000000 0102", "00"} {
		b := unhex(t, s)
		_, err := rtmp.NewReader(bytes.NewReader(b)).Read()
		if len(b) > 1 && err != io.ErrUnexpectedEOF {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestMediaIsSkippedUntilItIsTurnedOn(t *testing.T) {
	var b bytes.Buffer
	w := rtmp.NewWriter(&b)
	w.SetChunkSize(rtmp.ChunkSize)
	w.Add(rtmp.Header{Chunks: 6, Type: rtmp.TypeVideo, Stream: 1}, nil, make([]byte, 9<<20))
	w.Command(0, "connect", 1)
	w.Flush()
	m, err := rtmp.NewReader(&b).Read()
	if err != nil || m.Type != rtmp.TypeCommand {
		t.Fatalf("%v %v", m.Type, err)
	}
}

func TestUnfinishedMessagesAreLimitedMoreWithoutMedia(t *testing.T) {
	var b []byte
	for id := range 5 {
		b = append(b, byte(3+id), 0, 0, 0, 0, 0xff, 0xff, byte(rtmp.TypeCommand), 0, 0, 0, 0)
		b = append(b, make([]byte, 128)...)
	}
	if _, err := rtmp.NewReader(bytes.NewReader(b)).Read(); !errors.Is(err, rtmp.ErrProtocol) {
		t.Fatal(err)
	}
}

func TestReceivedBytesAreAcknowledged(t *testing.T) {
	var b bytes.Buffer
	w := rtmp.NewWriter(&b)
	w.Control(rtmp.TypeWindowAck, 10000)
	w.SetChunkSize(rtmp.ChunkSize)
	for range 3 {
		w.Add(rtmp.Header{Chunks: 6, Type: rtmp.TypeVideo, Stream: 1}, nil, make([]byte, 6000))
	}
	w.Flush()
	r := rtmp.NewReader(&b)
	r.Media(true)
	var acks []uint32
	for {
		_, err := r.Read()
		if seq, due := r.AckDue(); due {
			acks = append(acks, seq)
		}
		if err != nil {
			break
		}
	}
	if len(acks) != 1 || acks[0] < 10000 || acks[0] > 20000 {
		t.Fatalf("acks = %v", acks)
	}
}

func TestMessagesAreReadBackInAnyChunkSize(t *testing.T) {
	data := make([]byte, 90000)
	for i := range data {
		data[i] = byte(i * 7)
	}
	for _, size := range []int{1, 7, 128, 4096, 65536, 1 << 20} {
		var b bytes.Buffer
		w := rtmp.NewWriter(&b)
		w.SetChunkSize(size)
		var want []rtmp.Message
		for i := range 20 {
			ts := uint32(0xfffff0 + i*i*1000) // crosses to extended timestamps
			if i > 10 {
				ts -= 0xff0000
			}
			n := i * 37 % 900
			if i == 13 {
				n = 70000
			}
			w.Add(rtmp.Header{Chunks: 6, Type: rtmp.TypeVideo, Stream: 1, Timestamp: ts}, data[:i], data[i : i+n : i+n][:max(0, n-i)])
			want = append(want, rtmp.Message{Type: rtmp.TypeVideo, Stream: 1, Timestamp: ts, Payload: data[:i+max(0, n-i)]})
			w.Add(rtmp.Header{Chunks: 5, Type: rtmp.TypeAudio, Stream: 1, Timestamp: uint32(i) << 24}, nil, data[:3])
			want = append(want, rtmp.Message{Type: rtmp.TypeAudio, Stream: 1, Timestamp: uint32(i) << 24, Payload: data[:3]})
		}
		pending := w.Pending()
		n, err := w.Flush()
		if err != nil || n != int64(b.Len()) || pending != b.Len() {
			t.Fatalf("flushed %d of %d, %v", n, pending, err)
		}
		same(t, read(t, b.Bytes()), want)
	}
}

func TestTimesAreRebasedAndUnwrapped(t *testing.T) {
	var re rtmp.Rebase
	for _, c := range []struct {
		at   time.Duration
		want uint32
	}{{time.Hour, 0}, {time.Hour - time.Second, 0}, {time.Hour + time.Second, 1000}} {
		if got := re.Stamp(c.at); got != c.want {
			t.Errorf("stamp of %v = %d", c.at, got)
		}
	}
	var un rtmp.Unwrap
	for _, c := range []struct {
		ts   uint32
		want int64
	}{{0xffffff00, 0xffffff00}, {0x10, 1<<32 + 0x10}, {0xfffffff0, 0xfffffff0}, {0x20, 1<<32 + 0x20}} {
		if got := un.Time(c.ts).Milliseconds(); got != c.want {
			t.Errorf("time of %#x = %d, not %d", c.ts, got, c.want)
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, g := range append(golden, readOnly...) {
		f.Add(unhex(f, g.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := rtmp.NewReader(bytes.NewReader(b))
		r.Media(true)
		var again bytes.Buffer
		w := rtmp.NewWriter(&again)
		var first []rtmp.Message
		for {
			m, err := r.Read()
			if err != nil {
				break
			}
			first = append(first, m)
			w.Add(rtmp.Header{Chunks: 6, Type: m.Type, Stream: m.Stream, Timestamp: m.Timestamp}, nil, m.Payload)
		}
		w.Flush()
		same(t, read(t, again.Bytes()), first)
	})
}

func BenchmarkWriteAVideoAndAnAudioFrame(b *testing.B) {
	w := rtmp.NewWriter(io.Discard)
	w.SetChunkSize(rtmp.ChunkSize)
	head, data := make([]byte, 5), make([]byte, 20<<10)
	b.ReportAllocs()
	var ts uint32
	for b.Loop() {
		ts += 33
		w.Add(rtmp.Header{Chunks: rtmp.ChunksVideo, Type: rtmp.TypeVideo, Stream: 1, Timestamp: ts}, head, data)
		w.Add(rtmp.Header{Chunks: rtmp.ChunksAudio, Type: rtmp.TypeAudio, Stream: 1, Timestamp: ts}, head[:2], data[:300])
		w.Flush()
	}
}

func BenchmarkRead(b *testing.B) {
	var one bytes.Buffer
	w := rtmp.NewWriter(&one)
	w.SetChunkSize(rtmp.ChunkSize)
	w.Flush()
	setup := bytes.Clone(one.Bytes())
	one.Reset()
	var want int
	for i := range 1000 {
		size := 300
		if i%2 == 0 {
			size = 20 << 10
		}
		want += size
		w.Add(rtmp.Header{Chunks: uint8(5 + i%2), Type: rtmp.TypeAudio, Stream: 1, Timestamp: uint32(i)}, nil, make([]byte, size))
	}
	w.Flush()
	messages := bytes.Clone(one.Bytes())
	binary.BigEndian.Uint32(messages) // panics when there are none
	b.ReportAllocs()
	b.SetBytes(int64(want / 1000))
	var r *rtmp.Reader
	for n := 0; b.Loop(); n++ {
		if n%1000 == 0 {
			r = rtmp.NewReader(io.MultiReader(bytes.NewReader(setup), bytes.NewReader(messages)))
			r.Media(true)
		}
		if _, err := r.Read(); err != nil {
			b.Fatal(err)
		}
	}
}
