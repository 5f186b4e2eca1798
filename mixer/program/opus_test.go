package program_test

import (
	"context"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/thesyncim/gopus"

	"obvan/hub"
	"obvan/media"
	"obvan/mixer"
)

// opusCamera is a camera that sends Opus: a tone, 20 ms a packet.
func opusCamera(t *testing.T, h *hub.Hub) {
	t.Helper()
	enc, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: 48000, Channels: 2, Application: gopus.ApplicationAudio})
	if err != nil {
		t.Fatal(err)
	}
	pcm, packet := make([]float32, 2*960), make([]byte, 4000)
	for i := range pcm {
		pcm[i] = float32(0.5 * math.Sin(2*math.Pi*500*float64(i/2)/48000)) // ten periods: it repeats seamlessly
	}
	n, err := enc.Encode(pcm, packet)
	if err != nil {
		t.Fatal(err)
	}
	c := camera{name: "phone", fps: 30, gop: 60, start: 7 * time.Minute, config: 9}
	pub, err := h.Publish(c.name, hub.Origin{Proto: "test"})
	if err != nil {
		t.Fatal(err)
	}
	pub.SetTracks(append(c.tracks(), media.Track{Codec: media.Opus, SampleRate: 48000, Channels: 2}))
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		defer pub.Close()
		begin := time.Now()
		for i := 0; ctx.Err() == nil; i++ { // 100 steps a second
			time.Sleep(time.Until(begin.Add(time.Duration(i) * 10 * time.Millisecond)))
			at := c.start + time.Duration(i)*10*time.Millisecond
			if i%2 == 0 {
				pub.Write(media.AccessUnit{Track: 1, Key: true, PTS: at, DTS: at, Data: packet[:n]})
			}
			if i%4 == 0 {
				pub.Write(c.frame(i/4, at))
			}
		}
	})
	t.Cleanup(func() { cancel(); done.Wait() })
}

func TestAPhonesOpusGoesOnAirAsAAC(t *testing.T) {
	inStudio(t, func(t *testing.T, s *studio) {
		cam1.publish(t, s.hub)
		opusCamera(t, s.hub)
		s.Follow("cam1", mixer.Instant)
		time.Sleep(2 * time.Second)
		for range 3 {
			from := len(s.written(0))
			s.Follow("phone", mixer.Instant)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			heard, audioFrames := 0, 0
			for _, u := range s.written(from) {
				if (*u.Tracks)[1].Codec != media.AAC {
					t.Fatalf("the program's audio is %v", (*u.Tracks)[1].Codec)
				}
				if !u.Video() {
					audioFrames++
					if len(u.Data) > 100 { // a tone; silence is some bytes
						heard++
					}
				}
			}
			if heard < 70 || audioFrames < 85 {
				t.Errorf("of %d frames in 2 s, %d have the tone", audioFrames, heard)
			}
			s.Follow("cam1", mixer.Instant)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		checkSeamless(t, s.written(0))
	})
}
