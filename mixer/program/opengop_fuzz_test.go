package program

import (
	"bytes"
	"testing"

	"obvan/media"
)

func FuzzSpliceKeyframe(f *testing.F) {
	f.Add([]byte{0, 0, 0, 3, cra << 1, 1, 0x80})
	f.Add([]byte{0, 0, 0, 2, 39 << 1, 1, 0, 0, 0, 3, cra << 1, 1, 0x80, 0xff})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, cra << 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		before := string(data)
		out, leadingPictures := spliceKeyframe(&media.Track{Codec: media.H265}, data)
		if string(data) != before {
			t.Fatal("the shared data was changed")
		}
		if len(out) != len(data) || leadingPictures && firstSliceType(out) == cra {
			t.Fatalf("% x became % x", data, out)
		}
		isLeadingPicture(&media.AccessUnit{Tracks: &media.Tracks{{Codec: media.H265}}, Data: data}, 0)
		spliceKeyframe(&media.Track{Codec: media.H264}, data)
	})
}

func FuzzWithParameterSets(f *testing.F) {
	f.Add(true, []byte{1, 66, 0xc0, 12, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 2, 0x68, 2}, []byte{0, 0, 0, 2, 0x65, 3})
	f.Add(false, []byte{1}, []byte{0, 0, 0, 3, 0x26, 1, 9})
	f.Add(false, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, h264 bool, config, data []byte) {
		track, was := media.Track{Codec: media.H265, Config: config}, bytes.Clone(data)
		if h264 {
			track.Codec = media.H264
		}
		if out := withParameterSets(&track, data); !bytes.HasSuffix(out, was) || !bytes.Equal(data, was) || len(out) > len(data)+5*len(config) {
			t.Fatalf("%x of %x", out, was)
		}
	})
}
