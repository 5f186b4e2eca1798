package relaytest

import (
	"encoding/binary"
	"testing"
	"time"

	"obvan/hub"
	"obvan/media"
)

// Program is a synthetic program: video frames that decode to nothing but are structured
// like real ones, and audio to go with them. Write may run faster than real time.
type Program struct {
	*hub.Publisher
	Hub *hub.Hub

	Sent []media.AccessUnit // everything that was written

	next      int           // video frame
	nextAudio int           // audio frame
	start     time.Duration // of the program's clock: outputs must rebase it
	size      int           // bytes of an ordinary video frame
}

// Shape of the program: 25 frames a second, a keyframe every second, AAC at 48 kHz.
const (
	FrameRate  = 25
	frame      = time.Second / FrameRate
	audioFrame = 1024 * time.Second / 48000
)

var (
	sps = []byte{0x67, 0x4d, 0x40, 0x1f, 0xec, 0xa0, 0x28, 0x02, 0xdd, 0x80, 0x88, 0x00, 0x00, 0x03, 0x00, 0x08, 0x00, 0x00, 0x03, 0x01, 0xe0, 0x78, 0xc1, 0x8c, 0xb0}
	pps = []byte{0x68, 0xee, 0x06, 0xf2}
)

// Tracks is a generation of tracks; each n has another configuration.
func Tracks(n int) media.Tracks {
	video, err := media.H264Track(sps, append(append([]byte(nil), pps...), byte(n)))
	if err != nil {
		panic(err) // the bytes above are not parameter sets
	}
	config := []byte{0x11, 0x90} // AAC-LC, 48 kHz, stereo
	if n%2 == 1 {
		config = []byte{0x11, 0x88} // mono
	}
	return media.Tracks{video, {Codec: media.AAC, Config: config, SampleRate: 48000, Channels: 2 - n%2}}
}

// NewProgram publishes one, of about size bytes per video frame.
func NewProgram(t testing.TB, size int) *Program {
	h := hub.New()
	pub, err := h.Publish(hub.Program, hub.Origin{Proto: "program"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pub.Close)
	pub.SetTracks(Tracks(0))
	return &Program{Publisher: pub, Hub: h, start: 5 * time.Hour, size: size}
}

// WriteFrame writes the next video frame and the audio up to the one after it.
func (p *Program) WriteFrame() {
	at := p.start + time.Duration(p.next)*frame
	key := p.next%FrameRate == 0
	size := p.size
	if key {
		size *= 4
	}
	unit := media.AccessUnit{Track: 0, DTS: at, PTS: at + frame, Key: key, Disposable: !key && p.next%2 == 1, Data: nal(p.next, size, key)}
	p.write(unit)
	for ; p.start+time.Duration(p.nextAudio)*audioFrame < at+frame; p.nextAudio++ {
		at := p.start + time.Duration(p.nextAudio)*audioFrame
		data := make([]byte, 200)
		binary.BigEndian.PutUint32(data, uint32(p.nextAudio))
		p.write(media.AccessUnit{Track: 1, DTS: at, PTS: at, Key: true, Data: data})
	}
	p.next++
}

func (p *Program) write(au media.AccessUnit) {
	au.Arrived = time.Now()
	p.Write(au)
	p.Sent = append(p.Sent, au)
}

// WriteFrames writes n at once.
func (p *Program) WriteFrames(n int) {
	for range n {
		p.WriteFrame()
	}
}

// nal is one slice with its length: number n, which a receiver can read back.
func nal(n, size int, key bool) []byte {
	data := make([]byte, 4+max(size, 16))
	binary.BigEndian.PutUint32(data, uint32(len(data)-4))
	switch {
	case key:
		data[4] = 0x65
	case n%2 == 1:
		data[4] = 0x01 // no other frame refers to it
	default:
		data[4] = 0x41
	}
	binary.BigEndian.PutUint32(data[5:], uint32(n)|0x80000000)
	return data
}

// FrameNumber is the number of the frame that data is.
func FrameNumber(data []byte) int { return int(binary.BigEndian.Uint32(data[5:]) & 0x7fffffff) }
