package h264skip

import (
	"encoding/hex"
	"testing"
)

// unskip decodes the CABAC data of skipped macroblocks (H.264, 9.3.3.2). It returns their
// number and whether the data ended after them.
func unskip(data []byte) (mbs int, whole bool) {
	at := 0
	bit := func() int {
		if at/8 >= len(data) {
			at++
			return 0
		}
		b := int(data[at/8]>>(7-at%8)) & 1
		at++
		return b
	}
	span, offset, state := 510, 0, 0
	for range 9 {
		offset = offset<<1 | bit()
	}
	renormalize := func() {
		for span < 256 {
			span, offset = span<<1, offset<<1|bit()
		}
	}
	for {
		span -= lps[state][span>>6&3]
		if offset >= span {
			return mbs, false // not skipped
		}
		state = min(state+1, len(lps)-1)
		renormalize()
		mbs++
		span -= 2
		if offset >= span { // end_of_slice_flag: the last bit read was the stop bit
			stop := at - 1
			return mbs, stop/8 == len(data)-1 && data[stop/8]<<(stop%8) == 0x80
		}
		renormalize()
		if mbs > maxMBs {
			return mbs, false
		}
	}
}

func TestADecoderFindsTheEncodedNumberOfSkippedMacroblocks(t *testing.T) {
	counts := []int{3600, 8160, 32400, maxMBs}
	for n := range 2500 {
		counts = append(counts, n+1)
	}
	for _, want := range counts {
		if got, whole := unskip(allSkipped(want)); got != want || !whole {
			t.Fatalf("%d macroblocks decoded of %d, whole: %v", got, want, whole)
		}
	}
}

func FuzzFollower(f *testing.F) {
	for _, seed := range [][3]string{ // of x264: CABAC with B-frames as references, CAVLC without
		{"0164000affe100176764000aacd9496c0440000003004000000c83c489658001000668ebe3cb22c0fdf8f800", "000000086588840077d2acfd", "00000008419a236c42df67c0"},
		{"0164000affe100176764000aacb64b6022000003000200000300641e244dc001000668cac3cb22c0fdf8f800", "000000086588841de8844540", "00000006419a3b010e58"},
	} {
		var in [3][]byte
		for i, s := range seed {
			in[i], _ = hex.DecodeString(s)
		}
		if _, err := New(in[0]); err != nil {
			f.Fatal(err)
		}
		f.Add(in[0], in[1], in[2])
	}
	f.Add([]byte{1}, []byte{0, 0, 0, 0}, []byte{})
	f.Fuzz(func(t *testing.T, config, first, second []byte) {
		follower, err := New(config)
		if err != nil {
			return
		}
		for _, data := range [][]byte{first, second, second} {
			follower.Observe(data)
			for range 3 {
				if data, err := follower.Next(); err == nil && (len(data) < 6 || data[4] != 0x21) {
					t.Fatalf("% x", data)
				}
			}
		}
		if len(follower.decoded.refs) > 16 {
			t.Fatalf("%d references", len(follower.decoded.refs))
		}
	})
}
