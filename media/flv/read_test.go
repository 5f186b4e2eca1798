package flv_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"obvan/media"
	"obvan/media/amf0"
	"obvan/media/flv"
)

// au makes an access unit from NAL units in hexadecimal.
func au(t testing.TB, nals ...string) []byte {
	var b []byte
	for _, n := range nals {
		nal := unhex(t, n)
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(nal))), nal...)
	}
	return b
}

func legacy(key bool, data []byte) []byte {
	first := byte(0x27)
	if key {
		first = 0x17
	}
	return append([]byte{first, 1, 0, 0, 0}, data...)
}

func video(t testing.TB, r *flv.Reader, body []byte) flv.Packet {
	t.Helper()
	p, err := r.Video(0, body)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDelimitersPaddingAndParameterSetsAreRemoved(t *testing.T) {
	for name, c := range map[string]struct{ in, want []byte }{
		"a delimiter first":      {au(t, "09f0", "65aa"), au(t, "65aa")},
		"an empty NAL unit":      {au(t, "", "65aa", ""), au(t, "65aa")},
		"parameter sets":         {au(t, sps, pps, "65aa"), au(t, "65aa")},
		"padding in the middle":  {au(t, "65aa", "0cffff", "65bb"), au(t, "65aa", "65bb")},
		"a delimiter at the end": {au(t, "65aa", "09f0"), au(t, "65aa")},
		"SEI stays":              {au(t, "09f0", "0605", "65aa"), au(t, "0605", "65aa")},
	} {
		var r flv.Reader
		video(t, &r, append([]byte{0x17, 0, 0, 0, 0}, unhex(t, avc)...))
		p := video(t, &r, legacy(true, c.in))
		if !bytes.Equal(p.Unit.Data, c.want) || p.Config != nil {
			t.Errorf("%s: %x, config %v", name, p.Unit.Data, p.Config)
		}
	}
}

func TestAMessageOfParameterSetsAloneIsNoFrame(t *testing.T) {
	var r flv.Reader
	video(t, &r, append([]byte{0x17, 0, 0, 0, 0}, unhex(t, avc)...))
	if p := video(t, &r, legacy(true, au(t, sps, pps, "0605"))); len(p.Unit.Data) != 0 {
		t.Errorf("%x", p.Unit.Data)
	}
}

func TestParameterSetsInBandConfigureTheTrack(t *testing.T) {
	var r flv.Reader
	if p := video(t, &r, legacy(true, au(t, "65aa"))); p.Config != nil || len(p.Unit.Data) != 0 {
		t.Fatalf("before any parameter set: %+v", p)
	}
	p := video(t, &r, legacy(true, au(t, sps, pps, "65aa")))
	if p.Config == nil || !bytes.Equal(p.Config.Config, unhex(t, avc)) || p.Config.Width != 320 || !bytes.Equal(p.Unit.Data, au(t, "65aa")) {
		t.Fatalf("with both: %+v", p)
	}
	if p = video(t, &r, legacy(true, au(t, sps, pps, "65bb"))); p.Config != nil {
		t.Fatal("the same parameter sets are reported again")
	}
	p = video(t, &r, legacy(true, au(t, "68ce0fc9", "65cc")))
	if p.Config == nil || !bytes.Contains(p.Config.Config, unhex(t, "68ce0fc9")) || !bytes.Contains(p.Config.Config, unhex(t, sps)) || bytes.Contains(p.Config.Config, unhex(t, pps)) {
		t.Fatalf("another PPS: %+v", p)
	}
}

func TestParameterSetsInBandAreCopiedBeforeTheyAreRemoved(t *testing.T) {
	var r flv.Reader
	// The sets follow a slice, so that what comes after them is moved over them.
	p := video(t, &r, legacy(true, au(t, "65aabbccddeeff00112233445566778899aabbccddeeff", sps, pps, "65aabbccddeeff00112233445566778899aabbccddeeff")))
	if p.Config == nil || !bytes.Equal(p.Config.Config, unhex(t, avc)) {
		t.Fatalf("%+v", p)
	}
}

func TestH265ParameterSetsInBandGiveTheSameRecordAsFFmpeg(t *testing.T) {
	var r flv.Reader
	p, err := r.Video(0, append(unhex(t, "93 68766331"), au(t, "460150", vps5, sps5, pps5, "2801aa")...))
	if err != nil || p.Config == nil || !bytes.Equal(p.Config.Config, unhex(t, hvc)) {
		t.Fatalf("%+v, %v", p, err)
	}
	if !bytes.Equal(p.Unit.Data, au(t, "2801aa")) || !p.Unit.Key || p.Unit.Disposable {
		t.Errorf("%+v", p.Unit)
	}
}

func TestShortNALUnitLengthsBecomeFourBytes(t *testing.T) {
	for _, size := range []int{1, 2, 3} {
		var r flv.Reader
		record := unhex(t, avc)
		record[4] = 0xfc | byte(size-1)
		p := video(t, &r, append([]byte{0x17, 0, 0, 0, 0}, record...))
		if p.Config == nil || !bytes.Equal(p.Config.Config, unhex(t, avc)) {
			t.Fatalf("%d: %+v", size, p)
		}
		short := append(make([]byte, size-1), 2, 0x65, 0xaa)
		p = video(t, &r, legacy(true, append(short, short...)))
		if !bytes.Equal(p.Unit.Data, au(t, "65aa", "65aa")) {
			t.Errorf("%d: %x", size, p.Unit.Data)
		}
	}
}

func TestAKeyframeIsWhereDecodingCanStart(t *testing.T) {
	for name, c := range map[string]struct {
		marked bool
		data   []byte
		key    bool
	}{
		"an IDR picture not flagged":    {false, au(t, "65aa"), true},
		"another frame that is flagged": {true, au(t, "41aa"), false},
		"a flagged recovery point":      {true, au(t, "060501bb060180", "41aa"), true},
		"a recovery point not flagged":  {false, au(t, "06060180", "41aa"), false},
		"a broken SEI":                  {true, au(t, "06ffffff", "41aa"), false},
	} {
		var r flv.Reader
		video(t, &r, append([]byte{0x17, 0, 0, 0, 0}, unhex(t, avc)...))
		if p := video(t, &r, legacy(c.marked, c.data)); p.Unit.Key != c.key || len(p.Unit.Data) == 0 {
			t.Errorf("%s: %+v", name, p.Unit)
		}
	}
}

func TestOnlyTheTopTemporalLayerOfH265IsDisposable(t *testing.T) {
	var r flv.Reader
	three := bytes.Clone(unhex(t, sps5))
	three[2] = three[2]&^0x0e | 2<<1 // sps_max_sub_layers_minus1
	video(t, &r, append(unhex(t, "93 68766331"), append(au(t, vps5, pps5), append(binary.BigEndian.AppendUint32(nil, uint32(len(three))), append(three, au(t, "2801aa")...)...)...)...))
	for nal, want := range map[string]bool{"0001aa": false, "0003aa": true, "0203aa": false} {
		if p := video(t, &r, append(unhex(t, "a3 68766331"), au(t, nal)...)); p.Unit.Disposable != want || len(p.Unit.Data) == 0 {
			t.Errorf("%s: %+v", nal, p.Unit)
		}
	}
}

func TestModifiersAndTracksOfEnhancedRTMPAreParsed(t *testing.T) {
	for name, body := range map[string]string{
		"a modifier":            "97 02 aabbcc 00 61763031" + av1,
		"two modifiers":         "97 00 aa 07 00 bb 00 61763031" + av1,
		"one track":             "96 00 61763031 00" + av1,
		"track 0 of two":        "96 10 61763031 00 000010" + av1 + "01 000001 aa",
		"track 0 of two codecs": "96 20 61763031 00 000010" + av1 + "68766331 01 000001 aa",
	} {
		var r flv.Reader
		if p := video(t, &r, unhex(t, body)); p.Config == nil || !bytes.Equal(p.Config.Config, unhex(t, av1)) {
			t.Errorf("%s: %+v", name, p)
		}
	}
	var r flv.Reader
	if p := video(t, &r, unhex(t, "96 00 61763031 01"+av1)); p.Config != nil {
		t.Error("track 1 was used")
	}
}

func TestAMalformedMessageIsAnErrorAndTheNextOneIsRead(t *testing.T) {
	var r flv.Reader
	video(t, &r, append([]byte{0x17, 0, 0, 0, 0}, unhex(t, avc)...))
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"a NAL unit longer than the message": {"1701000000 00000009 65aa", flv.ErrBad},
		"a NAL unit of four gigabytes":       {"1701000000 ffffffff 65aa", flv.ErrBad},
		"a truncated length":                 {"1701000000 0000", flv.ErrBad},
		"a truncated header":                 {"1701", flv.ErrBad},
		"a record with a wrong length":       {"1700000000 0142c00cffe1ffff67", flv.ErrBad},
		"a record of another version":        {"1700000000 0242c00cffe100", flv.ErrBad},
		"a truncated enhanced header":        {"91 6876", flv.ErrBad},
		"a truncated enhanced modifier":      {"97 ff", flv.ErrBad},
		"On2 VP6":                            {"1400", flv.ErrCodec},
		"VP9":                                {"90 76703039 00", flv.ErrCodec},
	} {
		if _, err := r.Video(0, unhex(t, c.body)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		body string
		want error
	}{
		"MP3":                     {"2f00", flv.ErrCodec},
		"a truncated header":      {"af", flv.ErrBad},
		"a malformed AAC record":  {"af00 ff", flv.ErrBad},
		"a malformed Opus record": {"90 4f707573 4f70", flv.ErrBad},
		"an unknown FourCC":       {"90 00000000", flv.ErrCodec},
	} {
		if _, err := r.Audio(0, unhex(t, c.body)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p := video(t, &r, legacy(true, au(t, "65aa"))); len(p.Unit.Data) == 0 {
		t.Error("the next frame is lost")
	}
}

func TestMetadataDescribesTheTracks(t *testing.T) {
	tracks := media.Tracks{{Codec: media.H265, Width: 1280, Height: 720, FrameRate: 50}, {Codec: media.AAC, SampleRate: 48000, Channels: 2}}
	values, err := amf0.Decode(flv.Metadata(tracks))
	if err != nil || len(values) != 3 || values[0] != "@setDataFrame" || values[1] != "onMetaData" {
		t.Fatalf("%v %v", values, err)
	}
	about := values[2].(amf0.Object)
	for name, want := range map[string]any{"width": 1280.0, "height": 720.0, "framerate": 50.0, "audiosamplerate": 48000.0,
		"stereo": true, "audiocodecid": 10.0, "videocodecid": float64('h'<<24 | 'v'<<16 | 'c'<<8 | '1')} {
		if about.Get(name) != want {
			t.Errorf("%s is %v", name, about.Get(name))
		}
	}
	if !bytes.HasSuffix(flv.Metadata(tracks), flv.PlayMetadata(tracks)) {
		t.Error("players get other metadata")
	}
}

func FuzzReader(f *testing.F) {
	for _, b := range bodies {
		f.Add(b.audio, unhex(f, b.config), unhex(f, b.coded))
	}
	f.Add(false, legacy(true, au(f, sps, pps, "65aa")), legacy(true, au(f, "68ce0fc9", "09f0", "41aa")))
	f.Add(false, append(unhex(f, "93 68766331"), au(f, vps5, sps5, pps5, "2801aa")...), unhex(f, "97 02 aabbcc 00 61763031"+av1))
	f.Fuzz(func(t *testing.T, audio bool, one, two []byte) {
		var r flv.Reader
		read := r.Video
		if audio {
			read = r.Audio
		}
		var tracks media.Tracks
		for _, body := range [][]byte{one, two, bytes.Clone(one)} {
			p, err := read(time.Second, body)
			if err != nil {
				continue
			}
			if p.Config != nil {
				tracks = media.Tracks{*p.Config}
			}
			if len(p.Unit.Data) == 0 {
				continue
			}
			if tracks == nil {
				t.Fatal("a unit without a configuration")
			}
			checkUnit(t, tracks, p.Unit)
		}
	})
}

// checkUnit writes a unit and reads it back.
func checkUnit(t *testing.T, tracks media.Tracks, au media.AccessUnit) {
	au.Tracks = &tracks
	var r flv.Reader
	read, config := r.Video, flv.VideoConfig(&tracks[0])
	if tracks[0].Codec.Audio() {
		read, config = r.Audio, flv.AudioConfig(&tracks[0])
	}
	if _, err := read(0, config); err != nil {
		t.Fatalf("our own configuration %x: %v", config, err)
	}
	p, err := read(au.DTS, append(flv.AppendHeader(nil, &au), au.Data...))
	got := p.Unit
	if err != nil || !bytes.Equal(got.Data, au.Data) || got.PTS != au.PTS || got.Key != au.Key {
		t.Fatalf("%+v came back as %+v, %v", au, got, err)
	}
}

func BenchmarkReadAndWriteAFrame(b *testing.B) {
	var r flv.Reader
	if _, err := r.Video(0, append([]byte{0x17, 0, 0, 0, 0}, unhex(b, avc)...)); err != nil {
		b.Fatal(err)
	}
	body := legacy(false, binary.BigEndian.AppendUint32(nil, 20<<10))
	body = append(body, 0x41)
	body = append(body, make([]byte, 20<<10-1)...)
	tracks := &media.Tracks{{Codec: media.H264}}
	head := make([]byte, 0, flv.MaxHeader)
	b.ReportAllocs()
	for b.Loop() {
		p, err := r.Video(time.Second, body)
		if err != nil {
			b.Fatal(err)
		}
		p.Unit.Tracks = tracks
		head = flv.AppendHeader(head[:0], &p.Unit)
	}
}
