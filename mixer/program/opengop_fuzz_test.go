package program

import (
	"testing"

	"obvan/media"
)

func FuzzOpens(f *testing.F) {
	f.Add([]byte{0, 0, 0, 3, cra << 1, 1, 0x80})
	f.Add([]byte{0, 0, 0, 2, 39 << 1, 1, 0, 0, 0, 3, cra << 1, 1, 0x80, 0xff})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, cra << 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		before := string(data)
		out, orphans := opens(&media.Track{Codec: media.H265}, data)
		if string(data) != before {
			t.Fatal("the shared data was changed")
		}
		if len(out) != len(data) || orphans && kind(out) == cra {
			t.Fatalf("% x became % x", data, out)
		}
		orphan(data)
	})
}
