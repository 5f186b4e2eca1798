package whep

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	h264 "github.com/pion/rtp/codecs"

	"obvan/media"
)

func unit(track media.Track, key bool, data []byte) *media.AccessUnit {
	return &media.AccessUnit{Tracks: &media.Tracks{track}, Key: key, Data: data}
}

// reassemble puts payloads back together as a receiver does.
func reassemble(t *testing.T, payloads [][]byte) (data []byte) {
	t.Helper()
	depacketizer := h264.H264Packet{IsAVC: true}
	for _, p := range payloads {
		if len(p) > maxPayload {
			t.Fatalf("a payload of %d bytes", len(p))
		}
		part, err := depacketizer.Unmarshal(p)
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, part...)
	}
	return data
}

func TestReassembledPayloadsAreTheFrame(t *testing.T) {
	for _, size := range []int{4, 100, maxPayload - 1, maxPayload, maxPayload + 1, 2*maxPayload - 3, 2 * maxPayload, 200_000} {
		data := prefixed(nal(0x06, 0x05, 20, 0), nal(0x65, sliceI, size, 1), nal(0x41, sliceP, size, 2))
		au := unit(track180p, true, data)
		if got := reassemble(t, packetize(au)); !bytes.Equal(got, withParameterSets(*au, track180p)) {
			t.Errorf("NAL units of %d bytes: %d bytes are reassembled", size, len(got))
		}
	}
}

func TestAllFragmentsButTheLastHaveOneSize(t *testing.T) {
	payloads := packetize(unit(track180p, false, prefixed(nal(0x41, sliceP, 10_000, 0))))
	for n, p := range payloads[:len(payloads)-1] {
		if len(p) != maxPayload {
			t.Errorf("fragment %d has %d bytes", n, len(p))
		}
	}
}

func TestDelimitersAndFillerAreDropped(t *testing.T) {
	slice := nal(0x41, sliceP, 50, 0)
	payloads := packetize(unit(track180p, false, prefixed([]byte{9, 0x10}, slice, nal(12, 0xff, 3000, 0))))
	if len(payloads) != 1 || !bytes.Equal(payloads[0], slice) {
		t.Fatalf("%d payloads", len(payloads))
	}
}

func TestInvalidDataIsTruncatedWhereItBreaks(t *testing.T) {
	slice := nal(0x41, sliceP, 50, 0)
	data := append(prefixed(slice, []byte{}), 0xff, 0xff, 0xff, 0xff, 1, 2)
	if payloads := packetize(unit(track180p, false, data)); len(payloads) != 1 || !bytes.Equal(payloads[0], slice) {
		t.Fatalf("%d payloads", len(payloads))
	}
}

func TestSliceTypesAreReadFromTheHeader(t *testing.T) {
	for _, c := range []struct {
		header []byte
		want   int
	}{
		{[]byte{sliceI}, 7}, {[]byte{sliceP}, 5}, {[]byte{sliceB}, 6},
		{[]byte{0b1_010_0000}, 1}, {[]byte{0b1_1_000000}, 0},
		{[]byte{0b0000_0000, 0b1111_0001, 0b0_011_0000}, 2}, // after first_mb_in_slice 481
		{nil, -1}, {[]byte{0}, -1}, {make([]byte, 9), -1}, {[]byte{0x80}, -1},
	} {
		if got := sliceType(c.header); got != c.want {
			t.Errorf("%08b: %d, want %d", c.header, got, c.want)
		}
	}
}

func TestRTPTimesWrapAndNeverOverflow(t *testing.T) {
	for _, c := range []struct {
		t    time.Duration
		want uint32
	}{
		{0, 0}, {time.Second, 90000}, {-time.Second, 0xfffea070},
		{47722 * time.Second, uint32(47722*90000 - 1<<32)},
		{290 * 365 * 24 * time.Hour, uint32(int64(290*365*24*3600) * 90000 & 0xffffffff)},
	} {
		if got := rtpTime(c.t, videoRate); got != c.want {
			t.Errorf("%v: %d, want %d", c.t, got, c.want)
		}
	}
}

// feedFrames feeds a source with frames in decoding order, "I0 P3 b1 B2": its kind (b is
// a B-frame that is not a reference) and its place in display order.
func feedFrames(s *source, tracks *media.Tracks, frames ...string) (shown []string, err error) {
	for n, name := range frames {
		var kind byte
		var place int
		if _, err := fmt.Sscanf(name, "%c%d", &kind, &place); err != nil {
			return nil, err
		}
		head, slice := byte(0x41), byte(sliceP)
		switch kind {
		case 'I':
			head, slice = 0x65, sliceI
		case 'B':
			slice = sliceB
		case 'b':
			head, slice = 0x01, sliceB
		}
		au := &media.AccessUnit{
			Tracks: tracks, Key: kind == 'I', Data: prefixed(nal(head, slice, 30, rand.N(60000))),
			PTS: time.Duration(place+2) * time.Second / 30, DTS: time.Duration(n) * time.Second / 30,
		}
		payloads, _, err := s.frame(au)
		if err != nil {
			return shown, err
		}
		if payloads != nil {
			shown = append(shown, name)
		}
	}
	return shown, nil
}

func TestNonReferenceBFramesAreDropped(t *testing.T) {
	shown, err := feedFrames(newSource(time.Time{}), &media.Tracks{track180p}, "I0", "P3", "b1", "b2", "P6", "b4", "b5", "I7", "P9", "b8")
	if want := "[I0 P3 P6 I7 P9]"; err != nil || fmt.Sprint(shown) != want {
		t.Fatalf("%v %v, want %s", shown, err, want)
	}
}

func TestAStreamWithReferenceBFramesIsRefusedPermanently(t *testing.T) {
	s, tracks := newSource(time.Time{}), &media.Tracks{track180p}
	shown, err := feedFrames(s, tracks, "I0", "P4", "B2", "b1", "b3")
	if err != errBFrames || fmt.Sprint(shown) != "[I0 P4]" {
		t.Fatalf("%v %v", shown, err)
	}
	if s.refused(tracks) != errBFrames {
		t.Fatal("the next viewer would have to find out again")
	}
	if s.refused(&media.Tracks{track180p}) != nil {
		t.Fatal("other tracks of the stream are refused, too")
	}
}

func TestBSlicesInDisplayOrderAreShown(t *testing.T) {
	shown, err := feedFrames(newSource(time.Time{}), &media.Tracks{track180p}, "I0", "B1", "B2", "b3", "B4")
	if err != nil || len(shown) != 5 {
		t.Fatalf("%v %v", shown, err)
	}
}

func TestALateViewerDoesNotChangeTheStreamsAnalysis(t *testing.T) {
	s, tracks := newSource(time.Time{}), &media.Tracks{track180p}
	if _, err := feedFrames(s, tracks, "I0", "P1", "B2", "B3", "P4", "P5"); err != nil {
		t.Fatal(err)
	}
	if shown, err := feedFrames(s, tracks, "I0", "P1", "B2", "B3"); err != nil || len(shown) != 4 {
		t.Fatalf("%v %v", shown, err)
	}
}

func TestOnlyBurstySourcesAreSmoothed(t *testing.T) {
	const period = time.Second / 30
	for _, c := range []struct {
		what  string
		delay func(n int) time.Duration
		step  time.Duration
		want  bool
	}{
		{"evenly", func(int) time.Duration { return 0 }, period, false},
		{"in bursts of three", func(n int) time.Duration { return time.Duration(2-n%3) * period }, period, true},
		{"in bursts of two", func(n int) time.Duration { return time.Duration(1-n%2) * period }, period, true},
		{"with the jitter of a good network", func(n int) time.Duration { return time.Duration(n*7%15) * time.Millisecond }, period, false},
		{"after one interruption", func(n int) time.Duration { return max(0, 300*time.Millisecond-time.Duration(max(0, 60-n))*time.Second) }, period, false},
		{"compressed by a cut", func(n int) time.Duration { return 0 }, time.Millisecond, false},
	} {
		s, tracks, start := newSource(time.Time{}), &media.Tracks{track180p}, time.Now()
		smooth := false
		for n := range 100 {
			at := time.Duration(n) * c.step
			au := &media.AccessUnit{Tracks: tracks, PTS: at, DTS: at, Data: prefixed(nal(0x41, sliceP, 30, n)), Arrived: start.Add(at + c.delay(n))}
			_, show, _ := s.frame(au)
			smooth = show.smooth
		}
		if smooth != c.want {
			t.Errorf("%s: smooth = %v", c.what, smooth)
		}
	}
}

func TestThePacketCacheIsBounded(t *testing.T) {
	s, tracks := newSource(time.Time{}), &media.Tracks{track180p}
	s.join()
	for n := range 3 * maxCached {
		au := &media.AccessUnit{Tracks: tracks, DTS: time.Duration(n), Data: prefixed(nal(0x41, sliceP, 30+n%2*100_000, n))}
		if _, _, err := s.frame(au); err != nil {
			t.Fatal(err)
		}
		if len(s.cached) > maxCached || len(s.cached) != len(s.order) || s.bytes > maxCachedBytes {
			t.Fatalf("%d frames cached, %d bytes", len(s.cached), s.bytes)
		}
	}
	s.leave()
	if len(s.cached) != 0 || s.bytes != 0 {
		t.Fatal("the cache is not freed without viewers")
	}
}

func FuzzPacketize(f *testing.F) {
	f.Add(prefixed(nal(0x65, sliceI, 3000, 0)), track180p.Config, true)
	f.Add([]byte{0, 0, 0, 1, 0x41, 0, 0, 0, 9}, []byte{1, 2, 3, 4, 5, 0xe1, 0, 1, 0x67, 1, 0, 1, 0x68}, true)
	f.Fuzz(func(t *testing.T, data, config []byte, key bool) {
		au := unit(media.Track{Codec: media.H264, Config: config}, key, data)
		bFrame(data)
		total := 0
		for _, p := range packetize(au) {
			if len(p) == 0 || len(p) > maxPayload {
				t.Fatalf("a payload of %d bytes", len(p))
			}
			total += len(p)
		}
		if total > 2*(len(data)+len(config))+3 {
			t.Fatalf("%d bytes of payloads from %d bytes of data", total, len(data))
		}
	})
}
