package whep

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"obvan/internal/testkit"
	"obvan/media"
	"obvan/media/silence"
)

var stereo = media.Track{Codec: media.AAC, SampleRate: 48000, Channels: 2, Config: []byte{0x11, 0x90}}

// speak publishes a camera's sound in real time until the test ends: silence, which
// has to be coded like anything else.
func (c *camera) speak(t *testing.T, track media.Track) {
	step := track.FrameDuration()
	stop, ended := make(chan struct{}), make(chan struct{})
	start := time.Now()
	go func() {
		defer close(ended)
		for n := time.Duration(0); ; n++ {
			select {
			case <-time.After(time.Until(start.Add(n * step))):
				c.Write(media.AccessUnit{Track: 1, PTS: n * step, DTS: n * step, Key: true, Data: silence.Frame(&(*c.Tracks())[1])})
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-ended })
}

func (d *desk) transcoding() int {
	d.whep.sounds.mu.Lock()
	defer d.whep.sounds.mu.Unlock()
	return len(d.whep.sounds.made)
}

func TestAACIsHeardAsOpusMadeOnceForAll(t *testing.T) {
	d := newDesk(t)
	cam := d.camera("cam1", small, stereo)
	cam.shoot(true)
	if n := d.transcoding(); n != 0 {
		t.Fatalf("%d sounds are made for nobody", n)
	}
	cam.speak(t, stereo)
	p1, p2 := d.watch("cam1"), d.watch("cam1")
	testkit.Eventually(t, 5*time.Second, func() bool { return len(p1.heard()) > 20 && len(p2.heard()) > 20 }, "both hear")
	for n, s := range p1.heard()[1:] {
		if step := s.time - p1.heard()[n].time; step != 960 {
			t.Errorf("packet %d comes %d samples after the one before", n+1, step)
		}
	}
	a, b := p1.heard(), p2.heard()
	same := 0
	for _, x := range a {
		for _, y := range b {
			if x.time == y.time && bytes.Equal(x.data, y.data) {
				same++
			}
		}
	}
	if n := d.transcoding(); n != 1 || same < 10 {
		t.Errorf("%d sounds are made, %d packets are the same", n, same)
	}
	p1.mu.Lock()
	if held := p1.delays[fmt.Sprintf("%x", playInSync(0))]; held == 0 {
		t.Errorf("pictures with sound have playout delays %v", p1.delays)
	}
	p1.mu.Unlock()
	p1.leave()
	p2.leave()
	testkit.Eventually(t, 5*time.Second, func() bool { return d.transcoding() == 0 }, "the transcoder ends with its last listener")
}

func TestSoundAndPictureTellOneClock(t *testing.T) {
	epoch := time.Now().Add(-time.Hour)
	now := epoch.Add(10 * time.Second)
	for kind, want := range map[webrtc.RTPCodecType]uint32{webrtc.RTPCodecTypeVideo: 900000, webrtc.RTPCodecTypeAudio: 480000} {
		s := newSender(kind, "cam1")
		if s.report(now, epoch) != nil {
			t.Errorf("%v: a report before the first packet", kind)
		}
		s.packets = 1
		if r := s.report(now, epoch); r.RTPTime != want || r.NTPTime>>32 != uint64(now.Unix()+2208988800) {
			t.Errorf("%v: %+v", kind, r)
		}
	}
}

func TestSoundThatCanNotBePlayedLeavesThePictureAlone(t *testing.T) {
	d := newDesk(t)
	d.whep.sounds.ffmpeg = ""
	surround := media.Track{Codec: media.AAC, SampleRate: 48000, Channels: 6, Config: []byte{0x11, 0xb0}}
	cam := d.camera("cam1", small, surround)
	cam.roll(t)
	cam.speak(t, surround)
	p := d.watch("cam1")
	p.await(10)
	if ok, why := d.whep.Watch("cam1"); !ok {
		t.Error(why)
	}
	cam.SetTracks(media.Tracks{small, stereo}) // and when it changes, it is heard
	testkit.Eventually(t, 5*time.Second, func() bool { return len(p.heard()) > 5 }, "the new sound is heard")
}

func TestOpusIsHeardAsItIs(t *testing.T) {
	d := newDesk(t)
	track := media.Track{Codec: media.Opus, SampleRate: 48000, Channels: 2}
	cam := d.camera("cam1", small, track)
	cam.shoot(true)
	cam.speak(t, track)
	p := d.watch("cam1")
	testkit.Eventually(t, 5*time.Second, func() bool { return len(p.heard()) > 5 }, "it is heard")
	if got := p.heard()[0]; !bytes.Equal(got.data, silence.Frame(&track)) {
		t.Errorf("%x", got.data)
	}
}
