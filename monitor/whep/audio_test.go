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

// publishAudio publishes a camera's audio in real time until the test ends: silence, which
// is encoded like any other audio.
func (c *camera) publishAudio(t *testing.T, track media.Track) {
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

func (d *rig) transcoding() int {
	d.whep.transcoders.mu.Lock()
	defer d.whep.transcoders.mu.Unlock()
	return len(d.whep.transcoders.streams)
}

func TestAACIsTranscodedToOpusOnceForAllViewers(t *testing.T) {
	d := newRig(t)
	cam := d.camera("cam1", track180p, stereo)
	cam.publish(true)
	if n := d.transcoding(); n != 0 {
		t.Fatalf("%d streams are transcoded without a viewer", n)
	}
	cam.publishAudio(t, stereo)
	p1, p2 := d.watch("cam1"), d.watch("cam1")
	testkit.Eventually(t, 5*time.Second, func() bool { return len(p1.audioReceived()) > 20 && len(p2.audioReceived()) > 20 }, "both receive audio")
	for n, s := range p1.audioReceived()[1:] {
		if step := s.time - p1.audioReceived()[n].time; step != 960 {
			t.Errorf("packet %d is %d samples after the one before", n+1, step)
		}
	}
	a, b := p1.audioReceived(), p2.audioReceived()
	same := 0
	for _, x := range a {
		for _, y := range b {
			if x.time == y.time && bytes.Equal(x.data, y.data) {
				same++
			}
		}
	}
	if n := d.transcoding(); n != 1 || same < 10 {
		t.Errorf("%d transcoders run, %d packets are the same", n, same)
	}
	p1.mu.Lock()
	if n := p1.delays[fmt.Sprintf("%x", playInSync(0))]; n == 0 {
		t.Errorf("frames with audio have playout delays %v", p1.delays)
	}
	p1.mu.Unlock()
	p1.leave()
	p2.leave()
	testkit.Eventually(t, 5*time.Second, func() bool { return d.transcoding() == 0 }, "the transcoder ends with its last viewer")
}

func TestAudioAndVideoReportTheSameClock(t *testing.T) {
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

func TestUnsupportedAudioDoesNotAffectVideo(t *testing.T) {
	d := newRig(t)
	d.whep.transcoders.ffmpeg = ""
	surround := media.Track{Codec: media.AAC, SampleRate: 48000, Channels: 6, Config: []byte{0x11, 0xb0}}
	cam := d.camera("cam1", track180p, surround)
	cam.run(t)
	cam.publishAudio(t, surround)
	p := d.watch("cam1")
	p.await(10)
	if ok, reason := d.whep.Watch("cam1"); !ok {
		t.Error(reason)
	}
	cam.SetTracks(media.Tracks{track180p, stereo}) // a supported codec is transcoded in the same session
	testkit.Eventually(t, 5*time.Second, func() bool { return len(p.audioReceived()) > 5 }, "the new audio arrives")
}

func TestOpusIsForwardedUnchanged(t *testing.T) {
	d := newRig(t)
	track := media.Track{Codec: media.Opus, SampleRate: 48000, Channels: 2}
	cam := d.camera("cam1", track180p, track)
	cam.publish(true)
	cam.publishAudio(t, track)
	p := d.watch("cam1")
	testkit.Eventually(t, 5*time.Second, func() bool { return len(p.audioReceived()) > 5 }, "the audio arrives")
	if got := p.audioReceived()[0]; !bytes.Equal(got.data, silence.Frame(&track)) {
		t.Errorf("%x", got.data)
	}
}
