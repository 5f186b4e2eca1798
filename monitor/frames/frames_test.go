package frames

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"obvan/hub"
	"obvan/ingest/ingesttest"
	"obvan/internal/testkit"
	"obvan/media"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// open publishes the units that the stream already has, then opens a viewer.
func open(t *testing.T, tracks media.Tracks, existing ...media.AccessUnit) (*hub.Publisher, *Viewer) {
	t.Helper()
	h := hub.New()
	p, err := h.Publish("cam1", hub.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	p.SetTracks(tracks)
	for _, au := range existing {
		p.Write(au)
	}
	v, err := Open(h, "cam1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return p, v
}

func next(t *testing.T, v *Viewer) Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Allow(2*time.Second))
	defer cancel()
	m, err := v.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func at(m Message, i int) float64 {
	return math.Float64frombits(binary.BigEndian.Uint64(m.Header[1+8*i:]))
}

func TestAViewerGetsTheCodecsThenTheUnits(t *testing.T) {
	p, v := open(t, ingesttest.Tracks(), ingesttest.Units(ingesttest.Tracks(), 12)...)
	var c Codecs
	if m := next(t, v); m.Text == nil || json.Unmarshal(m.Text, &c) != nil {
		t.Fatalf("the first message is %+v", m)
	}
	if c.Video.Codec != "avc1.42c00c" || c.Audio.Codec != "mp4a.40.2" || c.Video.Width != 320 || c.Audio.SampleRate != 48000 || len(c.Audio.Description) != 2 {
		t.Errorf("%+v %+v", c.Video, c.Audio)
	}
	first := next(t, v)
	if first.Header[0] != FlagKeyframe || at(first, 0) != 400 || at(first, 1) != 400 || at(first, 3) < at(first, 2) {
		t.Errorf("the newest keyframe, at 400 ms, is not first: flags %b at %v ms", first.Header[0], at(first, 0))
	}
	frames, audio := 1, 0
	p.Close()
	for {
		m, err := v.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if m.Header[0]&FlagAudio != 0 {
			audio++
		} else {
			frames++
		}
	}
	if frames != 2 || audio < 3 {
		t.Errorf("%d frames, %d audio units", frames, audio)
	}
}

func TestACodecChangeIsSentBeforeItsFirstUnit(t *testing.T) {
	tracks := ingesttest.Tracks()
	p, v := open(t, tracks)
	units := ingesttest.Units(tracks, 1)
	p.Write(units[0])
	next(t, v)
	next(t, v)
	p.SetTracks(media.Tracks{tracks[0]})
	p.Write(units[0])
	if m := next(t, v); m.Text == nil {
		t.Fatal("a unit of another codec was sent unannounced")
	}
	if m := next(t, v); m.Text != nil || m.Header[0] != FlagKeyframe {
		t.Fatal("its first unit was lost")
	}
}

func TestASlowViewerResumesAtTheNextKeyframe(t *testing.T) {
	tracks := ingesttest.Tracks()
	p, v := open(t, media.Tracks{tracks[0]})
	began := time.Now().Add(-10 * time.Second)
	write := func(from, to int) {
		for i := from; i < to; i++ {
			d := time.Duration(i) * 40 * time.Millisecond
			p.Write(media.AccessUnit{PTS: d, DTS: d, Key: i%25 == 0, Data: []byte{0, 0, 0, 1, 1}, Arrived: began.Add(d)})
		}
	}
	write(0, 5)
	next(t, v)
	next(t, v)
	write(5, 60)
	m := next(t, v)
	if m.Header[0] != FlagKeyframe|FlagGap || at(m, 0) != 2000 {
		t.Errorf("flags %b at %v ms, want a keyframe at 2000 with a gap before it", m.Header[0], at(m, 0))
	}
	if m := next(t, v); m.Header[0] != 0 {
		t.Errorf("the frame after it: flags %b", m.Header[0])
	}
}

func TestCodecStringsAreThoseThatBrowsersKnow(t *testing.T) {
	hvcc := []byte{1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93, 0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f, 0}
	for want, track := range map[string]media.Track{
		"hvc1.1.6.L93.90": {Codec: media.H265, Config: hvcc},
		"av01.0.08M.08":   {Codec: media.AV1, Config: []byte{0x81, 8, 0x0c, 0}},
		"av01.1.13H.10":   {Codec: media.AV1, Config: []byte{0x81, 0x2d, 0xc0, 0}},
		"mp4a.40.5":       {Codec: media.AAC, Config: []byte{0x2b, 0x92, 0x08, 0}},
		"opus":            {Codec: media.Opus, Channels: 2},
	} {
		if d := decoderOf(&track); d == nil || d.Codec != want {
			t.Errorf("%v: %+v, want %s", track.Codec, d, want)
		}
	}
	for _, codec := range []media.Codec{media.H264, media.H265, media.AV1, media.AAC, media.CodecUnknown} {
		if d := decoderOf(&media.Track{Codec: codec, Config: []byte{1}}); d != nil {
			t.Errorf("%v with an invalid record: %+v", codec, d)
		}
	}
}

func TestAStreamWithoutACodecStringIsRefused(t *testing.T) {
	p, v := open(t, media.Tracks{{Codec: media.H264, Config: []byte{1}}})
	p.Write(media.AccessUnit{Key: true, Data: []byte{0, 0, 0, 1, 0x65}})
	if _, err := v.Next(t.Context()); !errors.Is(err, ErrCodec) {
		t.Error(err)
	}
}

func FuzzCodecStrings(f *testing.F) {
	f.Add(uint8(media.H265), []byte{1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93, 0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 0x0f, 0})
	f.Add(uint8(media.AV1), []byte{0x81, 8, 0x0c, 0})
	f.Add(uint8(media.AAC), []byte{0xf9, 0x48})
	f.Add(uint8(media.H264), []byte{1, 66, 0xc0, 12, 0xff, 0xe1, 0, 1, 0x67, 1, 0, 1, 0x68})
	f.Fuzz(func(t *testing.T, codec uint8, config []byte) {
		d := decoderOf(&media.Track{Codec: media.Codec(codec), Config: config})
		if d != nil && len(d.Codec) > 60 {
			t.Errorf("a codec string of %d letters", len(d.Codec))
		}
	})
}
