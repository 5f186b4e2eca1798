package rtp_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/sdp"

	"obvan/media"
	"obvan/media/rtp"
)

func TestWrittenPacketsAreReadBack(t *testing.T) {
	d := session(h264Format(), aacFormat())
	r, s := reader(t, d)
	r.AnnounceTracks()
	tracks := &s.generations[0]
	w, err := rtp.NewWriter(tracks)
	if err != nil {
		t.Fatal(err)
	}
	text, err := w.Description().Marshal(false)
	if err != nil {
		t.Fatal(err)
	}
	var parsed sdp.SessionDescription
	var again description.Session
	if err := parsed.Unmarshal(text); err != nil {
		t.Fatal(err)
	}
	if err := again.Unmarshal(&parsed); err != nil {
		t.Fatal(err)
	}
	r2, got := reader(t, &again)
	r2.AnnounceTracks()
	var sent []media.AccessUnit
	for i := range 50 {
		at := time.Duration(i) * 40 * time.Millisecond
		head := byte(0x41)
		if i%10 == 0 {
			head = 0x65
		}
		sent = append(sent,
			media.AccessUnit{Tracks: tracks, Track: 0, PTS: at, DTS: at, Key: head == 0x65, Data: avcc(nalu(head, 40+i*997), nalu(head, 20))},
			media.AccessUnit{Tracks: tracks, Track: 1, PTS: at, DTS: at, Key: true, Data: nalu(byte(i), 10+i*31)})
	}
	sets := 0
	for _, au := range sent {
		pkts, err := w.Track(au.Track).Packets(&au)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pkts {
			if p.MarshalSize() > 1412 {
				t.Fatalf("a packet of %d bytes", p.MarshalSize())
			}
			if bytes.Contains(p.Payload, sps) {
				sets++
			}
		}
		feed(t, r2, au.Track, au.PTS, pkts...)
	}
	if sets != 5 || len(got.units) != len(sent) {
		t.Fatalf("parameter sets %d times; %d units of %d", sets, len(got.units), len(sent))
	}
	for i := range sent {
		a, b := sent[i], got.units[i]
		if !bytes.Equal(a.Data, b.Data) || a.Key != b.Key || a.Track != b.Track || (b.PTS-a.PTS-500*time.Millisecond).Abs() > 25*time.Microsecond {
			t.Fatalf("unit %d: %v %v, %d and %d bytes", i, a.PTS, b.PTS, len(a.Data), len(b.Data))
		}
	}
}

func TestH265AndOpusAreWrittenAndReadBack(t *testing.T) {
	r, s := reader(t, session(&format.H265{PayloadTyp: 96, VPS: vps265, SPS: sps265, PPS: pps265}, &format.Opus{PayloadTyp: 97, ChannelCount: 2}))
	r.AnnounceTracks()
	w, err := rtp.NewWriter(&s.generations[0])
	if err != nil {
		t.Fatal(err)
	}
	r2, got := reader(t, w.Description())
	idr, packet := nalu(19<<1, 4000), []byte{0xfc, 1, 2, 3}
	for _, au := range []media.AccessUnit{{Track: 0, Key: true, Data: avcc(idr)}, {Track: 1, Key: true, Data: packet}} {
		au.Tracks = &s.generations[0]
		pkts, err := w.Track(au.Track).Packets(&au)
		if err != nil {
			t.Fatal(err)
		}
		feed(t, r2, au.Track, 0, pkts...)
	}
	if len(got.units) != 2 || !bytes.Equal(got.units[0].Data, avcc(idr)) || !bytes.Equal(got.units[1].Data, packet) {
		t.Fatalf("%d units", len(got.units))
	}
	if !bytes.Equal(got.generations[0][0].Config, s.generations[0][0].Config) || !bytes.Equal(got.generations[0][1].Config, s.generations[0][1].Config) {
		t.Fatal("the configuration read back is different")
	}
}

func TestMalformedUnitsAreNotSent(t *testing.T) {
	_, s := reader(t, session(h264Format()))
	r, _ := rtp.NewReader(session(h264Format()), s)
	r.AnnounceTracks()
	w, err := rtp.NewWriter(&s.generations[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range [][]byte{nil, {0}, {0, 0, 0, 9, 1}, {0xff, 0xff, 0xff, 0xff, 1}, {0, 0, 0, 0}} {
		if _, err := w.Track(0).Packets(&media.AccessUnit{Tracks: &s.generations[0], Data: data}); err == nil {
			t.Fatalf("%x was sent", data)
		}
	}
	if _, err := rtp.NewWriter(&media.Tracks{{Codec: media.CodecUnknown}, {Codec: media.H264, Config: []byte{1}}}); err == nil {
		t.Fatal("no error")
	}
}

func TestSeveralH265PictureParameterSetsAreStored(t *testing.T) {
	f := &format.H265{PayloadTyp: 96, VPS: vps265, SPS: sps265, PPS: pps265}
	r, s := reader(t, session(f))
	var seq uint16
	second := []byte{0x44, 1, 0x58, 0x12, 0x34} // id 1
	key := nalu(19<<1, 400)
	for i := range uint32(2) {
		feed(t, r, 0, 0, packets(t, f, i*3600, &seq, vps265, sps265, pps265, second, key)...)
	}
	tracks := &s.generations[len(s.generations)-1]
	sets, err := media.H265ParameterSets((*tracks)[0].Config)
	if err != nil || len(sets) != 4 || !bytes.Equal(sets[2], pps265) || !bytes.Equal(sets[3], second) || len(s.generations) != 1 {
		t.Fatalf("%d generations, %x %v", len(s.generations), sets, err)
	}
	w, err := rtp.NewWriter(tracks)
	if err != nil {
		t.Fatal(err)
	}
	pkts, err := w.Track(0).Packets(&media.AccessUnit{Tracks: tracks, Key: true, Data: avcc(key)})
	if err != nil || !bytes.Contains(pkts[0].Payload, second) {
		t.Fatalf("%v; sent: %x", err, pkts[0].Payload)
	}
}
