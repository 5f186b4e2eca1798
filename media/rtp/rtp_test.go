package rtp_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	pion "github.com/pion/rtp"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/rtp"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// Parameter sets of x264 and x265: 320x180 at 25 with two frames of reordering,
// and 640x360 at 30 with none.
var (
	sps     = unhex("6764000cacd941419f9f011000000300100000030320f1429960")
	pps     = unhex("68ebe3cb22c0")
	sps2    = unhex("6764001eacb201405ff2e022000003000200000300791e2c5c90")
	pps2    = unhex("68ebc3cb22c0")
	vps265  = unhex("40010c01ffff01600000030090000003000003003c959409")
	sps265  = unhex("42010101600000030090000003000003003ca00a080b9f796565924caf016808000003000800000300c840")
	pps265  = unhex("4401c172b46240")
	epoch   = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	aacConf = []byte{0x11, 0x90} // AAC-LC, 48 kHz, stereo
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// stream stores what a reader writes.
type stream struct {
	generations []media.Tracks
	units       []media.AccessUnit
}

func (s *stream) Aligned() {}

func (s *stream) SetTracks(t media.Tracks) { s.generations = append(s.generations, t) }
func (s *stream) Write(au media.AccessUnit) {
	au.Tracks = &s.generations[len(s.generations)-1]
	s.units = append(s.units, au)
}

func h264Format() *format.H264 {
	return &format.H264{PayloadTyp: 96, SPS: sps, PPS: pps, PacketizationMode: 1}
}

func session(formats ...format.Format) *description.Session {
	d := &description.Session{}
	for _, f := range formats {
		kind := description.MediaTypeVideo
		switch f.(type) {
		case *format.MPEG4Audio, *format.MPEG4AudioLATM, *format.Opus, *format.G711:
			kind = description.MediaTypeAudio
		}
		d.Medias = append(d.Medias, &description.Media{Type: kind, Formats: []format.Format{f}})
	}
	return d
}

func aacFormat() *format.MPEG4Audio {
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(aacConf); err != nil {
		panic(err)
	}
	return &format.MPEG4Audio{PayloadTyp: 97, Config: &c, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3}
}

func reader(t testing.TB, d *description.Session) (*rtp.Reader, *stream) {
	t.Helper()
	s := &stream{}
	r, err := rtp.NewReader(d, s)
	if err != nil {
		t.Fatal(err)
	}
	return r, s
}

func avcc(nalus ...[]byte) (out []byte) {
	for _, n := range nalus {
		out = binary.BigEndian.AppendUint32(out, uint32(len(n)))
		out = append(out, n...)
	}
	return out
}

func nalu(header byte, size int) []byte {
	n := bytes.Repeat([]byte{0xa5}, size)
	n[0] = header
	return n
}

// packets is a unit's packets, made by the library.
func packets(t testing.TB, f format.Format, ts uint32, seq *uint16, parts ...[]byte) []*pion.Packet {
	t.Helper()
	var pkts []*pion.Packet
	var err error
	switch f := f.(type) {
	case *format.H264:
		e, _ := f.CreateEncoder()
		pkts, err = e.Encode(parts)
	case *format.H265:
		e, _ := f.CreateEncoder()
		pkts, err = e.Encode(parts)
	case *format.MPEG4Audio:
		e, _ := f.CreateEncoder()
		pkts, err = e.Encode(parts)
	case *format.Opus:
		e, _ := f.CreateEncoder()
		p, perr := e.Encode(parts[0])
		pkts, err = []*pion.Packet{p}, perr
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pkts {
		p.Timestamp += ts
		p.SequenceNumber = *seq
		*seq++
	}
	return pkts
}

func feed(t testing.TB, r *rtp.Reader, input int, at time.Duration, pkts ...*pion.Packet) {
	t.Helper()
	for _, p := range pkts {
		if err := r.Packet(input, p, epoch.Add(at)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVideoFramesAreNALUnitsWithLengths(t *testing.T) {
	f := h264Format()
	r, s := reader(t, session(f))
	var seq uint16
	idr, p, b := nalu(0x65, 5000), nalu(0x41, 3000), nalu(0x01, 900)
	sei := nalu(0x06, 30)
	feed(t, r, 0, 0, packets(t, f, 1000, &seq, []byte{9, 0xf0}, sps, pps, sei, idr)...)
	feed(t, r, 0, 40*time.Millisecond, packets(t, f, 1000+3600, &seq, p)...)
	feed(t, r, 0, 80*time.Millisecond, packets(t, f, 1000+7200, &seq, b)...)
	if len(s.generations) != 1 || len(s.units) != 3 {
		t.Fatalf("%d generations, %d units", len(s.generations), len(s.units))
	}
	track := s.generations[0][0]
	if track.Codec != media.H264 || track.Width != 320 || track.Height != 180 || track.FrameRate != 25 {
		t.Fatalf("track = %+v", track)
	}
	if gotSPS, gotPPS, err := media.H264ParameterSets(track.Config); err != nil || !bytes.Equal(gotSPS[0], sps) || !bytes.Equal(gotPPS[0], pps) {
		t.Fatalf("config = %x %v", track.Config, err)
	}
	for i, want := range []media.AccessUnit{{Key: true, Data: avcc(sei, idr)}, {Data: avcc(p)}, {Disposable: true, Data: avcc(b)}} {
		got := s.units[i]
		if got.Key != want.Key || got.Disposable != want.Disposable || !bytes.Equal(got.Data, want.Data) || !got.Arrived.Equal(epoch.Add(time.Duration(i)*40*time.Millisecond)) {
			t.Fatalf("unit %d: key %v disposable %v, %d bytes", i, got.Key, got.Disposable, len(got.Data))
		}
	}
	if d := s.units[2].PTS - s.units[0].PTS; d != 80*time.Millisecond {
		t.Fatalf("two frames take %v", d)
	}
}

func TestNewParameterSetsInBandStartANewGeneration(t *testing.T) {
	f := h264Format()
	r, s := reader(t, session(f))
	var seq uint16
	for i, sets := range [][][]byte{{sps, pps}, {sps, pps}, {sps2, pps2}, {sps2, pps2}} {
		feed(t, r, 0, 0, packets(t, f, uint32(i)*3600, &seq, append(slices.Clone(sets), nalu(0x65, 100))...)...)
	}
	if len(s.generations) != 2 || s.generations[1][0].Width != 640 || s.units[1].Tracks != &s.generations[0] && len(*s.units[1].Tracks) != 1 {
		t.Fatalf("%d generations: %+v", len(s.generations), s.generations)
	}
}

func TestParameterSetsMissingInTheDescriptionAreTakenInBand(t *testing.T) {
	f := &format.H264{PayloadTyp: 96, PacketizationMode: 1}
	r, s := reader(t, session(f, aacFormat()))
	r.AnnounceTracks()
	var seq, seqA uint16
	feed(t, r, 1, 0, packets(t, aacFormat(), 0, &seqA, nalu(1, 50))...)
	feed(t, r, 0, 0, packets(t, f, 0, &seq, nalu(0x41, 50))...)
	feed(t, r, 0, 0, packets(t, f, 3600, &seq, sps)...) // each on its own
	feed(t, r, 0, 0, packets(t, f, 3600, &seq, pps)...)
	if len(s.units) != 0 {
		t.Fatalf("%d units before the parameter sets", len(s.units))
	}
	feed(t, r, 0, 0, packets(t, f, 3600, &seq, nalu(0x65, 50))...)
	feed(t, r, 1, 0, packets(t, aacFormat(), 1024, &seqA, nalu(1, 50))...)
	if len(s.generations) != 1 || len(s.generations[0]) != 2 || len(s.units) != 2 || s.units[1].Track != 1 {
		t.Fatalf("%d generations, %d units", len(s.generations), len(s.units))
	}
}

func TestSeveralPictureParameterSetsAreStored(t *testing.T) {
	f := h264Format()
	r, s := reader(t, session(f))
	var seq uint16
	second := []byte{0x68, 0x4b, 0x12, 0x34} // id 1
	feed(t, r, 0, 0, packets(t, f, 0, &seq, sps, pps, second, nalu(0x65, 50))...)
	_, all, err := media.H264ParameterSets(s.generations[len(s.generations)-1][0].Config)
	if err != nil || len(all) != 2 || !bytes.Equal(all[1], second) {
		t.Fatalf("%x %v", all, err)
	}
}

func TestALostPacketDropsOnlyItsFrame(t *testing.T) {
	f := h264Format()
	r, s := reader(t, session(f))
	var seq uint16
	feed(t, r, 0, 0, packets(t, f, 0, &seq, nalu(0x65, 5000))...)
	broken := packets(t, f, 3600, &seq, nalu(0x41, 5000))
	_ = r.Packet(0, broken[0], epoch)
	_ = r.Packet(0, broken[1], epoch) // and the rest is lost
	for i := range uint32(3) {
		feed(t, r, 0, 0, packets(t, f, 7200+i*3600, &seq, nalu(0x41, 5000))...)
		if want := int(2 + i); len(s.units) != want {
			t.Fatalf("%d units, want %d: the reader is late", len(s.units), want)
		}
	}
	if d := s.units[1].PTS - s.units[0].PTS; d != 80*time.Millisecond {
		t.Fatalf("the next frame comes %v later", d)
	}
}

func TestFramesOfASenderWithoutMarkersKeepTheirTimes(t *testing.T) {
	f := h264Format()
	r, s := reader(t, session(f))
	var seq uint16
	for i := range uint32(4) {
		pkts := packets(t, f, i*3600, &seq, nalu(0x65, 3000))
		for _, p := range pkts {
			p.Marker = false
		}
		feed(t, r, 0, 0, pkts...)
	}
	if len(s.units) != 3 || s.units[1].PTS-s.units[0].PTS != 40*time.Millisecond || s.units[0].PTS != 500*time.Millisecond {
		t.Fatalf("%d units from %v", len(s.units), s.units[0].PTS)
	}
}

func TestAFrameOfTooManyPacketsIsDropped(t *testing.T) {
	f := h264Format()
	r, s := reader(t, session(f))
	bad := 0
	for i := range 16384 + 100 { // just past our limit
		p := &pion.Packet{Header: pion.Header{Version: 2, SequenceNumber: uint16(i)}, Payload: []byte{0x7c, 0x05, 0}}
		if i == 0 {
			p.Payload[1] = 0x85
		}
		if r.Packet(0, p, epoch) != nil {
			bad++
		}
	}
	if bad == 0 || len(s.units) != 0 {
		t.Fatalf("%d errors, %d units", bad, len(s.units))
	}
}

func TestReorderedFramesGetIncreasingDecodeTimes(t *testing.T) {
	for _, tc := range []struct {
		name     string
		sps, pps []byte
		late     int // frames that may be presented before they are decoded, until the depth is known
	}{
		{"the bitstream states the depth", sps, pps, 0},
		{"the bitstream states no reordering", sps2, pps2, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := &format.H264{PayloadTyp: 96, SPS: tc.sps, PPS: tc.pps, PacketizationMode: 1}
			r, s := reader(t, session(f))
			var seq uint16
			order := []uint32{0, 4, 2, 1, 3} // with a B-frame that others refer to
			for n := range uint32(20) {
				for _, p := range order {
					feed(t, r, 0, 0, packets(t, f, 0xffffff00+(n*5+p)*3600, &seq, nalu(0x65, 100))...)
				}
			}
			late := 0
			for i, au := range s.units {
				if i > 0 && au.DTS <= s.units[i-1].DTS {
					t.Fatalf("unit %d: %v after %v", i, au.DTS, s.units[i-1].DTS)
				}
				if au.DTS > au.PTS {
					late++
				}
			}
			if late > tc.late || s.units[0].DTS < 0 {
				t.Fatalf("%d frames are presented before they are decoded; the first is decoded at %v", late, s.units[0].DTS)
			}
			last := s.units[len(s.units)-1]
			if last.PTS-last.DTS > 400*time.Millisecond {
				t.Fatalf("decoded %v early", last.PTS-last.DTS)
			}
		})
	}
}

func TestH265FramesAreRead(t *testing.T) {
	f := &format.H265{PayloadTyp: 96, VPS: vps265, SPS: sps265, PPS: pps265}
	r, s := reader(t, session(f))
	var seq uint16
	idr, trail, b := nalu(19<<1, 4000), nalu(1<<1, 2000), nalu(0, 2000)
	feed(t, r, 0, 0, packets(t, f, 0, &seq, vps265, sps265, pps265, nalu(35<<1, 3), idr)...)
	feed(t, r, 0, 0, packets(t, f, 3600, &seq, trail)...)
	feed(t, r, 0, 0, packets(t, f, 7200, &seq, b)...)
	if len(s.generations) != 1 || s.generations[0][0].Width != 320 || s.generations[0][0].Height != 180 || s.generations[0][0].FrameRate != 25 {
		t.Fatalf("generations = %+v", s.generations)
	}
	u := s.units
	if len(u) != 3 || !u[0].Key || u[1].Key || u[1].Disposable || !u[2].Disposable || !bytes.Equal(u[0].Data, avcc(idr)) {
		t.Fatalf("%d units", len(u))
	}
	if c := s.generations[0][0].Config; c[1] != 1 || c[12] != 60 || c[21]&3 != 3 || c[22] != 3 {
		t.Fatalf("config = %x", c)
	}
}

func TestSeveralAudioFramesInAPacketAreSplit(t *testing.T) {
	f := aacFormat()
	r, s := reader(t, session(f))
	r.AnnounceTracks()
	var seq uint16
	feed(t, r, 0, 0, packets(t, f, 0xfffffff0, &seq, nalu(1, 100), nalu(2, 100), nalu(3, 100))...)
	feed(t, r, 0, 0, packets(t, f, 3072-16, &seq, nalu(4, 4000))...) // in fragments
	if len(s.units) != 4 || s.generations[0][0].SampleRate != 48000 || s.generations[0][0].Channels != 2 || !bytes.Equal(s.generations[0][0].Config, aacConf) {
		t.Fatalf("%d units, %+v", len(s.units), s.generations)
	}
	for i, au := range s.units {
		want := 500*time.Millisecond + time.Duration(i)*1024*time.Second/48000
		if (au.PTS-want).Abs() > time.Microsecond || au.DTS != au.PTS || !au.Key || au.Data[0] != byte(i+1) {
			t.Fatalf("frame %d at %v, want %v", i, au.PTS, want)
		}
	}
}

func TestUnsupportedFormatsAreSkipped(t *testing.T) {
	s := &stream{}
	if _, err := rtp.NewReader(session(&format.G711{PayloadTyp: 8, SampleRate: 8000, ChannelCount: 1}), s); err == nil {
		t.Fatal("no error")
	}
	unsupported := aacFormat()
	unsupported.SizeLength = 17 // just past our limit
	if _, err := rtp.NewReader(session(unsupported), s); err == nil {
		t.Fatal("no error")
	}
	r, _ := reader(t, session(unsupported, h264Format(), h264Format(), &format.Opus{PayloadTyp: 99, ChannelCount: 2}))
	if f := r.Formats(); len(f) != 2 || !r.Video() {
		t.Fatalf("%d formats", len(f))
	}
}

func TestAClockThatIsSetBackIsNotReordering(t *testing.T) {
	for name, back := range map[string]uint32{"by a little": 5 * 1000, "by more": 90000} {
		t.Run(name, func(t *testing.T) {
			f := &format.H264{PayloadTyp: 96, SPS: sps2, PPS: pps2, PacketizationMode: 1}
			r, s := reader(t, session(f))
			var seq uint16
			for i := range uint32(200) {
				ts := i * 3000
				if i >= 100 {
					ts -= back
				}
				feed(t, r, 0, 0, packets(t, f, ts, &seq, nalu(0x41, 100))...)
			}
			for i, au := range s.units {
				if au.DTS != au.PTS {
					t.Fatalf("frame %d is decoded at %v and presented at %v", i, au.DTS, au.PTS)
				}
			}
		})
	}
}
