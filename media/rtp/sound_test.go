package rtp_test

import (
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v4/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"obvan/media"
	"obvan/media/rtp"
)

// heAAC is HE-AAC that says so: 24 kHz are coded, 48 kHz are heard, and the RTP clock is
// that of what is heard.
var heAAC = []byte{0x2b, 0x11, 0x88, 0x00}

func TestTheClockOfHEAACIsThatOfWhatIsHeard(t *testing.T) {
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(heAAC); err != nil {
		t.Fatal(err)
	}
	f := &format.MPEG4Audio{PayloadTyp: 97, Config: &c, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3}
	r, s := reader(t, session(f))
	r.Ready()
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
		t.Fatalf("a second is %d of %s", d, rtpmap)
	}
}
