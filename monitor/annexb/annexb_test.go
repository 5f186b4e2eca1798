package annexb_test

import (
	"bytes"
	"testing"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/monitor/annexb"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestAStreamHasStartCodesAndParameterSets(t *testing.T) {
	tracks := media.Tracks{{Codec: media.H264, Config: []byte{1, 66, 0xc0, 12, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 2, 0x68, 2}}}
	au := media.AccessUnit{Tracks: &tracks, Key: true, Data: []byte{0, 0, 0, 2, 0x65, 3, 0, 0, 0, 1, 0x65, 0, 0, 0, 9, 1}}
	want := []byte{0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 3, 0, 0, 0, 1, 0x65}
	if got := annexb.Append(nil, &au); !bytes.Equal(got, want) {
		t.Errorf("%x", got)
	}
	av1 := media.Tracks{{Codec: media.AV1, Config: []byte{0x81, 0, 0, 0, 0x0a, 1, 7}}}
	au = media.AccessUnit{Tracks: &av1, Key: true, Data: []byte{0x32, 1, 9}}
	if got := annexb.Append(nil, &au); !bytes.Equal(got, []byte{0x12, 0, 0x0a, 1, 7, 0x32, 1, 9}) {
		t.Errorf("%x", got)
	}
}
