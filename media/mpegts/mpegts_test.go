package mpegts_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"obvan/media"
	"obvan/media/mpegts"
	"obvan/media/mpegts/mpegtstest"
)

var (
	sps = []byte{0x67, 0x4d, 0x40, 0x1f, 0xec, 0xa0, 0x28, 0x02, 0xdd, 0x80, 0x88, 0x00, 0x00, 0x03, 0x00, 0x08, 0x00, 0x00, 0x03, 0x01, 0xe0, 0x78, 0xc1, 0x8c, 0xb0}
	pps = []byte{0x68, 0xee, 0x06, 0xf2}
	aac = media.Track{Codec: media.AAC, Config: []byte{0x11, 0x90}, SampleRate: 48000, Channels: 2}
)

func avc(t testing.TB) media.Track {
	track, err := media.H264Track(sps, pps)
	if err != nil {
		t.Fatal(err)
	}
	return track
}

func unit(tracks *media.Tracks, track int, at time.Duration, key bool, size int) media.AccessUnit {
	data := bytes.Repeat([]byte{0xa5}, size)
	if (*tracks)[track].Codec.Video() {
		data = append(binary.BigEndian.AppendUint32(nil, uint32(size)), data...)
		data[4] = 0x41
		if key {
			data[4] = 0x65
		}
	}
	return media.AccessUnit{Tracks: tracks, Track: track, PTS: at, DTS: at, Key: key, Data: data}
}

func write(t *testing.T, w *mpegts.Writer, r *mpegtstest.Reader, au media.AccessUnit, shift time.Duration) {
	t.Helper()
	b, err := w.Append(nil, &au, shift)
	if err != nil {
		t.Fatal(err)
	}
	if len(b)%mpegts.PacketSize != 0 {
		t.Fatalf("%d bytes are not whole packets", len(b))
	}
	if _, err := r.Write(b); err != nil {
		t.Fatal(err)
	}
}

func TestUnitsOfEveryLengthAreReadBack(t *testing.T) {
	tracks := &media.Tracks{avc(t), aac}
	w, err := mpegts.NewWriter(tracks)
	if err != nil {
		t.Fatal(err)
	}
	r := mpegtstest.New()
	const most = 600 // over three packets: every length of padding in the last
	for n := 1; n < most; n++ {
		au := unit(tracks, 0, time.Duration(n)*40*time.Millisecond, n%25 == 1, n)
		au.PTS += 80 * time.Millisecond
		write(t, w, r, au, time.Second)
		write(t, w, r, unit(tracks, 1, au.DTS, true, n), time.Second)
	}
	r.Flush()
	seen := map[uint16]int{}
	for _, u := range r.Units {
		seen[u.PID]++
		n := seen[u.PID]
		at := time.Second + time.Duration(n)*40*time.Millisecond
		if u.Type == 0x0f {
			if size := int(u.Data[3]&3)<<11 | int(u.Data[4])<<3 | int(u.Data[5])>>5; size != n+7 || len(u.Data) != size || u.PTS != at {
				t.Fatalf("audio frame %d: %d bytes, %d in ADTS, at %v", n, len(u.Data), size, u.PTS)
			}
			continue
		}
		nals := mpegtstest.NALUnits(u.Data)
		if key := n%25 == 1; u.Random != key || key != (len(nals) == 4) || nals[0][0] != 9 || key && (!bytes.Equal(nals[1], sps) || !bytes.Equal(nals[2], pps)) {
			t.Fatalf("video frame %d: random access %v, %d NAL units", n, u.Random, len(nals))
		}
		if len(nals[len(nals)-1]) != n || u.DTS != at || u.PTS != at+80*time.Millisecond {
			t.Fatalf("video frame %d has %d bytes at %v, %v", n, len(nals[len(nals)-1]), u.DTS, u.PTS)
		}
	}
	if seen[0x100] != most-1 || seen[0x101] != most-1 {
		t.Fatalf("units by PID: %v", seen)
	}
}

func TestTheProgramClockIsSentOftenAndBeforeTheDecodeTimes(t *testing.T) {
	tracks := &media.Tracks{avc(t), aac}
	w, err := mpegts.NewWriter(tracks)
	if err != nil {
		t.Fatal(err)
	}
	r := mpegtstest.New()
	for n := range 300 { // two video frames per second: packets between them must carry the clock
		at := time.Duration(n) * 21333 * time.Microsecond
		if n%24 == 0 {
			write(t, w, r, unit(tracks, 0, at, true, 5000), time.Second)
		}
		write(t, w, r, unit(tracks, 1, at, true, 200), time.Second)
	}
	for i := 1; i < len(r.Clocks); i++ {
		if step := r.Clocks[i] - r.Clocks[i-1]; step < 0 || step > 100*time.Millisecond {
			t.Fatalf("the clock steps from %v to %v", r.Clocks[i-1], r.Clocks[i])
		}
	}
	if first := r.Units[0]; r.Clocks[0] >= first.DTS || first.DTS != time.Second {
		t.Fatalf("clock %v, first unit %v", r.Clocks[0], first.DTS)
	}
	if r.Tables < 12 {
		t.Fatalf("%d tables in 6 s", r.Tables)
	}
}

func TestAudioAheadOfVideoDoesNotTurnTheClockBack(t *testing.T) {
	tracks := &media.Tracks{avc(t), aac}
	w, err := mpegts.NewWriter(tracks)
	if err != nil {
		t.Fatal(err)
	}
	r := mpegtstest.New()
	const ahead = 120 * time.Millisecond // three video frames wait for reordering
	for n, audioAt := 0, time.Duration(0); n < 100; n++ {
		at := time.Duration(n) * 40 * time.Millisecond
		write(t, w, r, unit(tracks, 0, at, n%25 == 0, 500), time.Second)
		for ; audioAt < at+40*time.Millisecond+ahead; audioAt += 21333 * time.Microsecond {
			if audioAt >= ahead {
				write(t, w, r, unit(tracks, 1, audioAt, true, 200), time.Second)
			}
		}
	}
	for i := 1; i < len(r.Clocks); i++ {
		if step := r.Clocks[i] - r.Clocks[i-1]; step < 0 || step > 100*time.Millisecond {
			t.Fatalf("the clock steps from %v to %v", r.Clocks[i-1], r.Clocks[i])
		}
	}
}

func TestTimesWrapAfterADayAndContinue(t *testing.T) {
	tracks := &media.Tracks{avc(t)}
	w, err := mpegts.NewWriter(tracks)
	if err != nil {
		t.Fatal(err)
	}
	r := mpegtstest.New()
	const wrap = (1 << 33) * time.Second / 90000
	for n := range 10 {
		write(t, w, r, unit(tracks, 0, wrap-200*time.Millisecond+time.Duration(n)*40*time.Millisecond, n == 0, 100), 0)
	}
	r.Flush()
	if first, last := r.Units[0].DTS, r.Units[9].DTS; last >= first || last > time.Second {
		t.Fatalf("times %v to %v", first, last)
	}
}

func TestNewTracksAreDescribedByTheNextTables(t *testing.T) {
	tracks := &media.Tracks{avc(t), aac}
	w, err := mpegts.NewWriter(tracks)
	if err != nil {
		t.Fatal(err)
	}
	opus := &media.Tracks{avc(t), {Codec: media.Opus, SampleRate: 48000, Channels: 2}}
	if w.Fits(opus) || !w.Fits(tracks) {
		t.Fatal("another codec fits, or the same codec does not")
	}
	r := mpegtstest.New()
	write(t, w, r, unit(tracks, 1, 0, true, 100), time.Second)
	if err := w.SetTracks(opus); err != nil {
		t.Fatal(err)
	}
	write(t, w, r, unit(opus, 1, 20*time.Millisecond, true, 300), time.Second)
	r.Flush()
	u := r.Units[len(r.Units)-1]
	if u.Type != 0x06 || !bytes.Equal(u.Data[:4], []byte{0x7f, 0xe0, 255, 45}) || len(u.Data) != 304 {
		t.Fatalf("type %#x, %d bytes: % x", u.Type, len(u.Data), u.Data[:4])
	}
}

func TestTracksThatATransportStreamCannotCarryAreRefused(t *testing.T) {
	for name, tracks := range map[string]*media.Tracks{
		"AV1":                 {{Codec: media.AV1}},
		"no tracks":           {},
		"no parameter sets":   {{Codec: media.H264, Config: []byte{1}}},
		"no audio parameters": {{Codec: media.AAC}},
	} {
		if _, err := mpegts.NewWriter(tracks); !errors.Is(err, mpegts.ErrNotCarried) && !errors.Is(err, media.ErrConfig) {
			t.Errorf("%s: err = %v", name, err)
		}
	}
}

func BenchmarkAppendVideoFrame(b *testing.B) {
	tracks := &media.Tracks{avc(b), aac}
	w, err := mpegts.NewWriter(tracks)
	if err != nil {
		b.Fatal(err)
	}
	au := unit(tracks, 0, 0, false, 25_000)
	var buf []byte
	b.SetBytes(int64(len(au.Data)))
	b.ReportAllocs()
	for b.Loop() {
		au.DTS += time.Second / 30
		au.PTS = au.DTS
		if buf, err = w.Append(buf[:0], &au, time.Second); err != nil {
			b.Fatal(err)
		}
	}
}
