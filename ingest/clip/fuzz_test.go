package clip

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4/seekablebuffer"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/pmp4"

	"obvan/media"
)

// small is an MP4 of three video frames and three audio frames.
func small(t testing.TB) []byte {
	t.Helper()
	sample := func(payload ...byte) *pmp4.Sample {
		return &pmp4.Sample{Duration: 3000, PayloadSize: uint32(len(payload)), GetPayload: func() ([]byte, error) { return payload, nil }}
	}
	delta := func() *pmp4.Sample {
		s := sample(0, 0, 0, 2, 0x41, 0x9a)
		s.IsNonSyncSample = true
		return s
	}
	video := &codecs.H264{
		SPS: []byte{0x67, 0x4d, 0x40, 0x1f, 0xec, 0xa0, 0x28, 0x02, 0xdd, 0x80, 0x88, 0x00, 0x00, 0x03, 0x00, 0x08, 0x00, 0x00, 0x03, 0x01, 0xe0, 0x78, 0xc1, 0x8c, 0xb0},
		PPS: []byte{0x68, 0xce, 0x3c, 0x80},
	}
	audio := &codecs.MPEG4Audio{Config: mpeg4audio.AudioSpecificConfig{Type: 2, SampleRate: 48000, ChannelConfig: 2, ChannelCount: 2}}
	var b seekablebuffer.Buffer
	err := pmp4.Presentation{Tracks: []*pmp4.Track{
		{ID: 1, TimeScale: 90000, Codec: video, Samples: []*pmp4.Sample{sample(0, 0, 0, 2, 0x67, 1, 0, 0, 0, 2, 0x65, 0x88), delta(), delta()}},
		{ID: 2, TimeScale: 48000, Codec: audio, Samples: []*pmp4.Sample{sample(1), sample(2), sample(3)}},
	}}.Marshal(&b)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestParameterSetsAreRemovedFromVideoFrames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.mp4")
	if err := os.WriteFile(path, small(t), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	au, err := f.videoFrame(0)
	if err != nil || !au.Key || au.Disposable || !bytes.Equal(au.Data, []byte{0, 0, 0, 2, 0x65, 0x88}) {
		t.Fatalf("%+v %v", au, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(small(f))
	f.Add([]byte("\x00\x00\x00\x10ftypisom0000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c file
		if c.read(bytes.NewReader(b), int64(len(b))) != nil {
			return
		}
		for i := range min(len(c.video), 20) {
			if au, err := c.videoFrame(i); err == nil && len(au.Data) > len(b) {
				t.Fatal("more bytes than the input has")
			}
		}
		if c.hasAudio() {
			_, _ = c.audioFrame(0)
		}
	})
}

func FuzzStripParameterSets(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 0x67, 1, 0, 0, 0, 2, 0x65, 0x88})
	f.Fuzz(func(t *testing.T, b []byte) {
		n := len(b)
		if out, err := stripParameterSets(b, &media.AccessUnit{}); err == nil && len(out) > n {
			t.Fatal("more bytes than the input has")
		}
	})
}
