package rtp_test

import (
	"testing"

	"github.com/bluenviron/gortsplib/v4/pkg/description"
	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/gortsplib/v4/pkg/sdp"
	pion "github.com/pion/rtp"

	"obvan/media/rtp"
)

func FuzzReader(f *testing.F) {
	mux, _ := latm(f)
	f.Add([]byte{0x41, 6, 4, 1, 2, 3, 4, 0})
	f.Add([]byte{0, 5, 0x67, 1, 2, 3, 4, 1, 3, 0, 16, 0, 8})
	f.Add(append([]byte{0x40, 26}, sps...))
	f.Add(append([]byte{0x44, 43}, sps265...))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, video := range []format.Format{h264Format(), &format.H265{PayloadTyp: 96}, &format.AV1{PayloadTyp: 96}} {
			var audio format.Format = aacFormat()
			if _, ok := video.(*format.AV1); ok {
				audio = mux
			}
			r, s := reader(t, session(video, audio))
			for rest, seq := data, uint16(0); len(rest) >= 2; seq++ {
				head, size := rest[0], min(int(rest[1]), len(rest)-2)
				p := &pion.Packet{Header: pion.Header{Version: 2, Marker: head&0x40 != 0, SequenceNumber: seq + uint16(head>>5&1), Timestamp: uint32(head&0x1e) * 1000}, Payload: rest[2 : 2+size]}
				video.PTSEqualsDTS(p)
				_ = r.Packet(int(head&1), p, epoch)
				rest = rest[2+size:]
			}
			for _, au := range s.units {
				if len(au.Data) == 0 || au.Track >= len(*au.Tracks) {
					t.Fatalf("unit %+v", au)
				}
			}
		}
	})
}

func FuzzDescription(f *testing.F) {
	d := session(h264Format(), aacFormat())
	text, _ := d.Marshal(false)
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		var parsed sdp.SessionDescription
		var d description.Session
		if parsed.Unmarshal(text) != nil || d.Unmarshal(&parsed) != nil {
			return
		}
		s := &stream{}
		r, err := rtp.NewReader(&d, s)
		if err != nil {
			return
		}
		r.AnnounceTracks()
		for i := range r.Formats() {
			_ = r.Packet(i, &pion.Packet{Header: pion.Header{Marker: true}, Payload: []byte{0x65, 1, 2, 3, 4}}, epoch)
		}
		if len(s.generations) > 0 {
			_, _ = rtp.NewWriter(&s.generations[0])
		}
	})
}
