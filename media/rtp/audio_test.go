package rtp_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	pion "github.com/pion/rtp"

	"obvan/media"
	"obvan/media/rtp"
)

// heAAC is explicitly signaled HE-AAC: the AAC core has 24 kHz, the output and the RTP
// clock have 48 kHz.
var heAAC = []byte{0x2b, 0x11, 0x88, 0x00}

func TestTheRTPClockOfHEAACIsTheOutputRate(t *testing.T) {
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(heAAC); err != nil {
		t.Fatal(err)
	}
	f := &format.MPEG4Audio{PayloadTyp: 97, Config: &c, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3}
	r, s := reader(t, session(f))
	r.AnnounceTracks()
	var seq uint16
	const frame = 2048 * time.Second / 48000
	for i := range uint32(3) { // three frames in each packet
		pkts := packets(t, f, 0, &seq, nalu(1, 100), nalu(2, 100), nalu(3, 100))
		for _, p := range pkts {
			p.Timestamp = i * 3 * 2048
		}
		feed(t, r, 0, time.Duration(i)*3*frame, pkts...)
	}
	if len(s.units) != 9 || s.generations[0][0].SampleRate != 24000 {
		t.Fatalf("%d units, %+v", len(s.units), s.generations)
	}
	for i, au := range s.units {
		if want := 500*time.Millisecond + time.Duration(i)*frame; (au.PTS - want).Abs() > time.Microsecond {
			t.Fatalf("frame %d is at %v, want %v", i, au.PTS, want)
		}
	}
	p, err := rtp.NewPacketiser(&media.Track{Codec: media.AAC, Config: heAAC, SampleRate: 24000, Channels: 2}, 97)
	if err != nil {
		t.Fatal(err)
	}
	rtpmap := p.Format().RTPMap()
	if d := p.Timestamp(&media.AccessUnit{PTS: 2 * time.Second}) - p.Timestamp(&media.AccessUnit{PTS: time.Second}); d != 48000 || rtpmap != "mpeg4-generic/48000/2" {
		t.Fatalf("a second is %d ticks of %s", d, rtpmap)
	}
}

// aacPackets is a frame in packets of at most size bytes; each states the size of the
// whole frame (RFC 3640, 3.2.1.1).
func aacPackets(frame []byte, ts uint32, seq *uint16, size int) (pkts []*pion.Packet) {
	for rest := frame; len(rest) > 0; *seq++ {
		n := min(size, len(rest))
		payload := append([]byte{0, 16, byte(len(frame) >> 5), byte(len(frame) << 3)}, rest[:n]...)
		rest = rest[n:]
		pkts = append(pkts, &pion.Packet{Header: pion.Header{Version: 2, Marker: len(rest) == 0, SequenceNumber: *seq, Timestamp: ts}, Payload: payload})
	}
	return pkts
}

func TestAudioFramesAreJoinedFromTheirFragments(t *testing.T) {
	r, s := reader(t, session(aacFormat()))
	r.AnnounceTracks()
	var seq uint16
	feed(t, r, 0, 0, aacPackets(nalu(1, 4000), 0, &seq, 1400)...)
	feed(t, r, 0, 0, aacPackets(nalu(2, 300), 1024, &seq, 1400)...)
	cut := aacPackets(nalu(3, 4000), 2048, &seq, 1400)
	feed(t, r, 0, 0, cut[0], cut[2]) // one is lost
	feed(t, r, 0, 0, aacPackets(nalu(4, 300), 3072, &seq, 1400)...)
	cut = aacPackets(nalu(5, 2000), 4096, &seq, 1400)
	feed(t, r, 0, 0, cut[1])
	feed(t, r, 0, 0, aacPackets(nalu(6, 300), 5120, &seq, 1400)...)
	var got []byte
	for _, au := range s.units {
		got = append(got, au.Data[0])
	}
	if !bytes.Equal(got, []byte{1, 2, 4, 6}) || len(s.units[0].Data) != 4000 || s.units[2].PTS-s.units[0].PTS != 64*time.Millisecond {
		t.Fatalf("frames %v", got)
	}
}

func TestAudioWithoutMarkersIsRead(t *testing.T) {
	r, s := reader(t, session(aacFormat()))
	r.AnnounceTracks()
	var seq uint16
	for i := range uint32(50) {
		pkts := aacPackets(nalu(byte(i), 300), i*1024, &seq, 1400)
		pkts[0].Marker = false
		feed(t, r, 0, 0, pkts...)
	}
	if len(s.units) != 49 || s.units[48].Data[0] != 48 || len(s.units[48].Data) != 300 {
		t.Fatalf("%d frames", len(s.units))
	}
}

func TestWrittenFragmentsStateTheSizeOfTheirFrame(t *testing.T) {
	tracks := media.Tracks{{Codec: media.AAC, Config: aacConf, SampleRate: 48000, Channels: 2}}
	p, err := rtp.NewPacketiser(&tracks[0], 97)
	if err != nil {
		t.Fatal(err)
	}
	pkts, err := p.Packets(&media.AccessUnit{Tracks: &tracks, Data: nalu(1, 4000)})
	if err != nil || len(pkts) != 3 {
		t.Fatalf("%d packets, %v", len(pkts), err)
	}
	for i, pkt := range pkts {
		if size := int(pkt.Payload[2])<<5 | int(pkt.Payload[3])>>3; size != 4000 || pkt.Marker != (i == 2) {
			t.Fatalf("packet %d states %d", i, size)
		}
	}
}

// latm is AAC as GStreamer's rtspclientsink sends it by default: one frame in a multiplex
// configured in the session description (RFC 6416).
func latm(t testing.TB) (*format.MPEG4AudioLATM, func(frame []byte) []byte) {
	t.Helper()
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(aacConf); err != nil {
		t.Fatal(err)
	}
	mux := &mpeg4audio.StreamMuxConfig{Programs: []*mpeg4audio.StreamMuxConfigProgram{{Layers: []*mpeg4audio.StreamMuxConfigLayer{{AudioSpecificConfig: &c, LatmBufferFullness: 255}}}}}
	return &format.MPEG4AudioLATM{PayloadTyp: 97, StreamMuxConfig: mux}, func(frame []byte) []byte {
		b, err := mpeg4audio.AudioMuxElement{StreamMuxConfig: mux, Payloads: [][][][]byte{{{frame}}}}.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func TestAudioInALATMMultiplexIsRead(t *testing.T) {
	f, muxed := latm(t)
	r, s := reader(t, session(h264Format(), f))
	r.AnnounceTracks()
	var seq uint16
	for i, frame := range [][]byte{nalu(1, 300), nalu(2, 700), nalu(3, 2000)} {
		for rest := muxed(frame); len(rest) > 0; seq++ {
			n := min(1400, len(rest))
			p := &pion.Packet{Header: pion.Header{Version: 2, Marker: n == len(rest), SequenceNumber: seq, Timestamp: uint32(i) * 1024}, Payload: rest[:n]}
			rest = rest[n:]
			feed(t, r, 1, 0, p)
		}
	}
	if len(s.units) != 3 || s.units[2].PTS-s.units[1].PTS != 1024*time.Second/48000 || !bytes.Equal(s.units[2].Data, nalu(3, 2000)) {
		t.Fatalf("%d frames", len(s.units))
	}
	if audio := s.generations[0][1]; audio.Codec != media.AAC || !bytes.Equal(audio.Config, aacConf) || audio.Channels != 2 {
		t.Fatalf("%+v", audio)
	}
	f.StreamMuxConfig.Programs = append(f.StreamMuxConfig.Programs, f.StreamMuxConfig.Programs[0])
	if r, _ := reader(t, session(h264Format(), f)); len(r.Formats()) != 1 {
		t.Fatal("a multiplex of two programs was accepted")
	}
}

func TestAnUnsupportedAudioCodecIsNamed(t *testing.T) {
	g711 := &format.G711{PayloadTyp: 8, SampleRate: 8000, ChannelCount: 1}
	talkback := session(h264Format(), g711)
	talkback.Medias[1].IsBackChannel = true
	for want, d := range map[string]*description.Session{"G711": session(h264Format(), g711), "": session(h264Format(), aacFormat())} {
		if r, _ := reader(t, d); r.UnsupportedAudioCodec(d) != want {
			t.Errorf("%q, not %q", r.UnsupportedAudioCodec(d), want)
		}
	}
	if r, _ := reader(t, talkback); r.UnsupportedAudioCodec(talkback) != "" {
		t.Errorf("talkback to the camera is reported as %q", r.UnsupportedAudioCodec(talkback))
	}
}
