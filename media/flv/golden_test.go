package flv_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/flv"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// tag is one tag of an FLV file: the contents of an RTMP message.
type tag struct {
	kind byte
	at   time.Duration
	body []byte
}

// tags reads a file that ffmpeg made.
func tags(t testing.TB, file string) (all []tag) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for b = b[13:]; len(b) >= 11; {
		n := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		at := int(b[7])<<24 | int(b[4])<<16 | int(b[5])<<8 | int(b[6])
		all = append(all, tag{b[0], time.Duration(at) * time.Millisecond, b[11 : 11+n : 11+n]})
		b = b[11+n+4:]
	}
	return all
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnFFmpegFileIsWrittenBackByteForByte(t *testing.T) {
	var r flv.Reader
	tracks := make(media.Tracks, 2)
	var frames, audioFrames, keyframes, disposable int
	for _, tag := range tags(t, "testdata/h264-aac.flv") {
		var p flv.Packet
		var err error
		was := bytes.Clone(tag.body)
		track := 0
		switch tag.kind {
		case 9:
			p, err = r.Video(tag.at, tag.body)
		case 8:
			p, err = r.Audio(tag.at, tag.body)
			track = 1
		default:
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var back []byte
		switch {
		case p.Config != nil && track == 0:
			tracks[0] = *p.Config
			back = flv.VideoConfig(p.Config)
		case p.Config != nil:
			tracks[1] = *p.Config
			back = flv.AudioConfig(p.Config)
		case len(p.Unit.Data) == 0: // the end of the sequence
			continue
		default:
			au := p.Unit
			au.Tracks, au.Track = &tracks, track
			if au.DTS != tag.at || &au.Data[0] != &tag.body[len(tag.body)-len(au.Data)] {
				t.Fatal("the unit does not share the message's memory, or has another time")
			}
			back = append(flv.AppendHeader(nil, &au), au.Data...)
			count(&frames, track == 0)
			count(&audioFrames, track == 1)
			count(&keyframes, track == 0 && au.Key)
			count(&disposable, au.Disposable)
		}
		if !bytes.Equal(back, was) {
			t.Fatalf("%x came back as %x", was[:min(40, len(was))], back[:min(40, len(back))])
		}
	}
	v, a := tracks[0], tracks[1]
	if v.Codec != media.H264 || v.Width != 128 || v.Height != 72 || v.FrameRate != 25 {
		t.Errorf("video is %+v", v)
	}
	if a.Codec != media.AAC || a.SampleRate != 48000 || a.Channels != 2 {
		t.Errorf("audio is %+v", a)
	}
	if frames != 10 || keyframes != 2 || audioFrames != 20 || disposable != 4 {
		t.Errorf("%d video frames, %d of them keyframes and %d disposable, %d audio frames", frames, keyframes, disposable, audioFrames)
	}
}

func count(n *int, yes bool) {
	if yes {
		*n++
	}
}

const (
	avc  = "0142c00cffe100176742c00cda05067e7c0440000003004000000c83c50aa801000468ce0fc8"
	sps  = "6742c00cda05067e7c0440000003004000000c83c50aa8"
	pps  = "68ce0fc8"
	hvc  = "0101600000009000000000001ef000fcfdf8f800000f03a00001001840010c01ffff01600000030090000003000003001e959809a10001002942010101600000030090000003000003001ea010204965959a4932bc05a02000000300200000030321a2000100074401c172b42240"
	vps5 = "40010c01ffff01600000030090000003000003001e959809"
	sps5 = "42010101600000030090000003000003001ea010204965959a4932bc05a02000000300200000030321"
	pps5 = "4401c172b42240"
	av1  = "81000c000a0a0000000337f8e017c002"
	dops = "000201380000bb80000000"
	head = "4f707573486561640102380180bb0000000000"
)

// bodies are messages written by hand from the specifications, and the units in them.
var bodies = []struct {
	name   string
	audio  bool
	config string
	track  media.Track
	coded  string
	unit   media.AccessUnit // Data in data
	data   string
}{
	{"H.264", false, "1700000000" + avc, media.Track{Codec: media.H264, Width: 320, Height: 180, FrameRate: 25},
		"1701000028 00000002 65aa", media.AccessUnit{PTS: 140 * time.Millisecond, Key: true}, "00000002 65aa"},
	{"H.264 shown before it is decoded", false, "1700000000" + avc, media.Track{Codec: media.H264, Width: 320, Height: 180, FrameRate: 25},
		"2701fffff6 00000002 01aa", media.AccessUnit{PTS: 90 * time.Millisecond, Disposable: true}, "00000002 01aa"},
	{"H.265", false, "90 68766331" + hvc, media.Track{Codec: media.H265, Width: 128, Height: 72, FrameRate: 25},
		"91 68766331 000028 00000003 2601aa", media.AccessUnit{PTS: 140 * time.Millisecond, Key: true}, "00000003 2601aa"},
	{"H.265 shown when it is decoded", false, "90 68766331" + hvc, media.Track{Codec: media.H265, Width: 128, Height: 72, FrameRate: 25},
		"a3 68766331 00000003 0001aa", media.AccessUnit{PTS: 100 * time.Millisecond, Disposable: true}, "00000003 0001aa"},
	{"AV1", false, "90 61763031" + av1, media.Track{Codec: media.AV1, Width: 128, Height: 72},
		"91 61763031 3202aabb", media.AccessUnit{PTS: 100 * time.Millisecond, Key: true}, "3202aabb"},
	{"AAC", true, "af00 1190", media.Track{Codec: media.AAC, SampleRate: 48000, Channels: 2},
		"af01 21aa", media.AccessUnit{PTS: 100 * time.Millisecond, Key: true}, "21aa"},
	{"Opus", true, "90 4f707573" + head, media.Track{Codec: media.Opus, SampleRate: 48000, Channels: 2},
		"91 4f707573 fcaa", media.AccessUnit{PTS: 100 * time.Millisecond, Key: true}, "fcaa"},
}

// records are the tracks' Config by codec.
var records = map[media.Codec]string{media.H264: avc, media.H265: hvc, media.AV1: av1, media.AAC: "1190", media.Opus: dops}

func TestMessagesFromTheSpecificationAreReadAsUnits(t *testing.T) {
	for _, b := range bodies {
		t.Run(b.name, func(t *testing.T) {
			var r flv.Reader
			read := r.Video
			if b.audio {
				read = r.Audio
			}
			p, err := read(0, unhex(t, b.config))
			if err != nil || p.Config == nil {
				t.Fatalf("%+v %v", p, err)
			}
			got := *p.Config
			if !bytes.Equal(got.Config, unhex(t, records[b.track.Codec])) {
				t.Errorf("Config is %x", got.Config)
			}
			if got.Config = nil; got.Codec != b.track.Codec || got.Width != b.track.Width || got.Height != b.track.Height ||
				got.FrameRate != b.track.FrameRate || got.SampleRate != b.track.SampleRate || got.Channels != b.track.Channels {
				t.Errorf("track is %+v", got)
			}
			if p, err = read(0, unhex(t, b.config)); err != nil || p.Config != nil {
				t.Errorf("the same configuration is reported again: %+v %v", p, err)
			}
			p, err = read(100*time.Millisecond, unhex(t, b.coded))
			au := p.Unit
			if err != nil || p.Config != nil || au.DTS != 100*time.Millisecond || au.PTS != b.unit.PTS ||
				au.Key != b.unit.Key || au.Disposable != b.unit.Disposable || !bytes.Equal(au.Data, unhex(t, b.data)) {
				t.Errorf("unit is %+v, %v", au, err)
			}
		})
	}
}

func TestUnitsAreWrittenAsMessagesOfTheSpecification(t *testing.T) {
	for _, b := range bodies {
		t.Run(b.name, func(t *testing.T) {
			track := b.track
			track.Config = unhex(t, records[track.Codec])
			config := flv.VideoConfig(&track)
			if b.audio {
				config = flv.AudioConfig(&track)
			}
			if !bytes.Equal(config, unhex(t, b.config)) {
				t.Errorf("configuration is %x", config)
			}
			au := b.unit
			au.DTS, au.Data, au.Tracks = 100*time.Millisecond, unhex(t, b.data), &media.Tracks{track}
			head := flv.AppendHeader(nil, &au)
			if got := append(head, au.Data...); !bytes.Equal(got, unhex(t, b.coded)) {
				t.Errorf("message is %x", got)
			}
			if len(head) > flv.MaxHeader {
				t.Errorf("the header has %d bytes", len(head))
			}
		})
	}
}
