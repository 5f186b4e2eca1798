package media_test

import (
	"bytes"
	"errors"
	"testing"

	"obvan/media"
)

// A 1280x720 Main profile SPS at 30 frames per second and its PPS, from x264.
var (
	sps = []byte{0x67, 0x4d, 0x40, 0x1f, 0xec, 0xa0, 0x28, 0x02, 0xdd, 0x80, 0x88, 0x00, 0x00, 0x03, 0x00, 0x08, 0x00, 0x00, 0x03, 0x01, 0xe0, 0x78, 0xc1, 0x8c, 0xb0}
	pps = []byte{0x68, 0xeb, 0xe3, 0xcb, 0x20}
)

func TestParameterSetsAreReadBackFromTheConfigurationRecord(t *testing.T) {
	track, err := media.H264Track(sps, pps)
	if err != nil {
		t.Fatal(err)
	}
	if track.Width != 1280 || track.Height != 720 || track.FrameRate != 30 {
		t.Fatalf("track = %+v", track)
	}
	s, p, err := media.H264ParameterSets(track.Config)
	if err != nil || len(s) != 1 || len(p) != 1 || !bytes.Equal(s[0], sps) || !bytes.Equal(p[0], pps) {
		t.Fatalf("%x %x %v", s, p, err)
	}
}

func TestATruncatedConfigurationRecordIsRefused(t *testing.T) {
	track, _ := media.H264Track(sps, pps)
	for n := range track.Config {
		if _, _, err := media.H264ParameterSets(track.Config[:n]); !errors.Is(err, media.ErrConfig) {
			t.Fatalf("%d bytes of %d: err = %v", n, len(track.Config), err)
		}
	}
}

func FuzzH264ParameterSets(f *testing.F) {
	track, _ := media.H264Track(sps, pps)
	f.Add(track.Config)
	f.Fuzz(func(t *testing.T, config []byte) {
		if s, p, err := media.H264ParameterSets(config); err == nil && (len(s) == 0 || len(p) == 0) {
			t.Fatal("neither parameter sets nor an error")
		}
	})
}

func TestARecoveryPointIsFoundAmongOtherSEIMessages(t *testing.T) {
	for _, tc := range []struct {
		name string
		nal  []byte
		want bool
	}{
		{"alone", []byte{6, 6, 1, 0xc4, 0x80}, true},
		{"after picture timing", []byte{6, 1, 1, 0x12, 6, 1, 0xc4, 0x80}, true},
		{"after bytes with emulation prevention", []byte{6, 1, 4, 0, 0, 3, 0, 7, 6, 1, 0xc4, 0x80}, true},
		{"picture timing", []byte{6, 1, 1, 0x12, 0x80}, false},
		{"truncated", []byte{6, 255, 255}, false},
		{"nothing", []byte{6}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := media.H264RecoveryPoint(tc.nal); got != tc.want {
				t.Fatal(got)
			}
		})
	}
}
