package rtp_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/format"
	pion "github.com/pion/rtp"
)

// slices264 is a frame of n slices, each in its own packet; only the first one
// starts with macroblock 0 (H.264, 7.3.3).
func slices264(header byte, ts uint32, seq *uint16, n int) (pkts []*pion.Packet) {
	for i := range n {
		slice := nalu(header, 600)
		if i > 0 {
			slice[1] = 0x25
		}
		pkts = append(pkts, single(slice, ts, seq, i == n-1))
	}
	return pkts
}

// single is a NAL unit in its own packet (RFC 6184, 5.6).
func single(nal []byte, ts uint32, seq *uint16, marker bool) *pion.Packet {
	p := &pion.Packet{Header: pion.Header{Version: 2, Marker: marker, SequenceNumber: *seq, Timestamp: ts}, Payload: nal}
	*seq++
	return p
}

func TestAFrameOfHundredsOfSlicesIsOneUnit(t *testing.T) {
	f := h264Format()
	r, s := reader(t, session(f))
	var seq uint16
	feed(t, r, 0, 0, slices264(0x65, 0, &seq, 300)...)
	feed(t, r, 0, 0, slices264(0x41, 3600, &seq, 60)...)
	if len(s.units) != 2 || !s.units[0].Key || len(s.units[0].Data) != 300*604 || len(s.units[1].Data) != 60*604 {
		t.Fatalf("%d units", len(s.units))
	}
	r, s = reader(t, session(&format.H265{PayloadTyp: 96, VPS: vps265, SPS: sps265, PPS: pps265}))
	for i := range 32 {
		feed(t, r, 0, 0, single(nalu(19<<1, 500), 0, &seq, i == 31))
	}
	if len(s.units) != 1 || len(s.units[0].Data) != 32*504 {
		t.Fatalf("H.265: %d units", len(s.units))
	}
}

func TestFramesOfASenderThatMarksEachSliceAreComplete(t *testing.T) {
	f := h264Format()
	r, s := reader(t, session(f))
	var seq uint16
	for i := range uint32(4) {
		for _, p := range slices264(0x41, i*3600, &seq, 3) {
			p.Marker = true
			feed(t, r, 0, 0, p)
		}
	}
	last := s.units[len(s.units)-1]
	if len(last.Data) != 3*604 || last.PTS != 500*time.Millisecond+80*time.Millisecond {
		t.Fatalf("%d units, the last one of %d bytes at %v", len(s.units), len(last.Data), last.PTS)
	}
}

func TestH265WithoutMarkersIsSplitByTimestamps(t *testing.T) {
	r, s := reader(t, session(&format.H265{PayloadTyp: 96, VPS: vps265, SPS: sps265, PPS: pps265}))
	var seq uint16
	for i := range uint32(40) {
		feed(t, r, 0, 0, single(nalu(19<<1, 500), i*3600, &seq, false))
	}
	if len(s.units) != 39 || s.units[38].PTS-s.units[0].PTS != 38*40*time.Millisecond {
		t.Fatalf("%d units", len(s.units))
	}
}

func TestAFrameWithAMissingSliceIsDropped(t *testing.T) {
	for name, missing := range map[string]int{"the first": 0, "one in the middle": 2, "the last": 4} {
		t.Run(name, func(t *testing.T) {
			f := h264Format()
			r, s := reader(t, session(f))
			var seq uint16
			feed(t, r, 0, 0, slices264(0x41, 0, &seq, 5)...)
			for i, p := range slices264(0x65, 3600, &seq, 5) {
				if i != missing {
					_ = r.Packet(0, p, epoch)
				}
			}
			feed(t, r, 0, 0, slices264(0x41, 7200, &seq, 5)...)
			feed(t, r, 0, 0, slices264(0x41, 10800, &seq, 5)...)
			if len(s.units) != 3 || s.units[1].Key || s.units[1].PTS != 580*time.Millisecond || len(s.units[2].Data) != 5*604 {
				t.Fatalf("%d units", len(s.units))
			}
		})
	}
}

func TestParameterSetsAfterALostPacketAreUsed(t *testing.T) {
	f := h264Format()
	r, s := reader(t, session(f))
	var seq uint16
	feed(t, r, 0, 0, slices264(0x41, 0, &seq, 1)...)
	seq++ // lost: the delimiter, for example
	feed(t, r, 0, 0, single(bytes.Clone(sps2), 3600, &seq, false), single(bytes.Clone(pps2), 3600, &seq, false))
	feed(t, r, 0, 0, slices264(0x65, 3600, &seq, 2)...)
	if len(s.units) != 2 || !s.units[1].Key || len(s.generations) != 2 {
		t.Fatalf("%d units, %d generations", len(s.units), len(s.generations))
	}
}

func TestAnEmptyPacketDropsNoFrame(t *testing.T) {
	f := h264Format()
	r, s := reader(t, session(f))
	var seq uint16
	pkts := slices264(0x65, 0, &seq, 3)
	for _, p := range pkts[2:] {
		p.SequenceNumber++
	}
	feed(t, r, 0, 0, pkts[0], pkts[1])
	feed(t, r, 0, 0, &pion.Packet{Header: pion.Header{Version: 2, SequenceNumber: 2}})
	feed(t, r, 0, 0, pkts[2])
	if len(s.units) != 1 || len(s.units[0].Data) != 3*604 {
		t.Fatalf("%d units", len(s.units))
	}
}

func TestARecoveryPointIsAKeyframe(t *testing.T) {
	f := h264Format()
	r, s := reader(t, session(f))
	var seq uint16
	timing, recovery := []byte{6, 1, 1, 0x12, 0x80}, []byte{6, 1, 1, 0x12, 6, 1, 0xc4, 0x80}
	feed(t, r, 0, 0, packets(t, f, 0, &seq, recovery, nalu(0x41, 100))...) // an open GOP, or an intra refresh
	feed(t, r, 0, 0, packets(t, f, 3600, &seq, timing, nalu(0x41, 100))...)
	feed(t, r, 0, 0, packets(t, f, 7200, &seq, recovery, nalu(0x01, 100))...)
	if len(s.units) != 3 || !s.units[0].Key || s.units[1].Key || !s.units[2].Key || s.units[2].Disposable {
		t.Fatalf("%+v", s.units)
	}
}

// layered265 is a parameter set with the level of a temporal layer in it.
func layered265() []byte {
	set := append([]byte{0x42, 0x01, 0x03}, sps265[3:18]...) // one more layer; general profile and level, with emulation prevention
	return append(set, 0x40, 0x01, 0x5a, 0xa0, 0x0a, 0x08, 0x0b, 0x9f, 0x79, 0x65, 0x65, 0x92, 0x4c, 0xaf)
}

func TestAnSPSThatTheLibraryCannotParseIsUsed(t *testing.T) {
	f := &format.H265{PayloadTyp: 96}
	r, s := reader(t, session(f))
	var seq uint16
	feed(t, r, 0, 0, packets(t, f, 0, &seq, vps265, layered265(), pps265, nalu(19<<1, 400))...)
	if len(s.units) != 1 || !bytes.Contains(s.generations[0][0].Config, layered265()) {
		t.Fatalf("%d units", len(s.units))
	}
	feed(t, r, 0, 0, packets(t, f, 3600, &seq, []byte{0x42, 0x01, 0x03}, nalu(1<<1, 400))...)
	if len(s.units) != 2 || len(s.generations) != 1 {
		t.Fatal("an empty parameter set was used")
	}
}
