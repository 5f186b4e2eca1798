// Package demo is four built-in cameras, for trying the studio without any device:
// embedded clips that loop seamlessly, with timestamps that only increase.
package demo

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"obvan/hub"
	"obvan/ingest"
	"obvan/internal/retry"
	"obvan/media"
)

//go:embed clips/*.h264 clips/*.aac
var clips embed.FS

// Cameras are the names of the built-in cameras: demo://cam1 and so on.
var Cameras = [...]string{"cam1", "cam2", "cam3", "cam4"}

// frameRate is the clips' (see clips/make.sh).
const frameRate = 30

// ErrNoCamera is returned for a name that is not in Cameras.
var ErrNoCamera = errors.New("there is no such demo camera: use demo://cam1 to demo://cam4")

// Pull plays the camera that u names (demo://cam1) to feed until ctx is done.
func Pull(ctx context.Context, u *url.URL, env ingest.Env, feed string, live func()) error {
	c, err := load(u.Host)
	if err != nil {
		return fmt.Errorf("demo %s: %w", u.Host, err)
	}
	p, err := env.Hub.Publish(feed, hub.Origin{Proto: "demo"})
	if err != nil {
		return fmt.Errorf("publish %s: %w", feed, err)
	}
	defer p.Close()
	p.SetTracks(c.tracks)
	live()
	c.play(ctx, p)
	return nil
}

// clip is a loop of video frames and a loop of audio frames, each of its own length.
type clip struct {
	tracks media.Tracks
	video  []media.AccessUnit // without times
	audio  []media.AccessUnit
}

func load(camera string) (*clip, error) {
	annexB, err := clips.ReadFile("clips/" + camera + ".h264")
	if err != nil {
		return nil, ErrNoCamera
	}
	c := &clip{tracks: make(media.Tracks, 2)}
	if err := c.loadVideo(annexB); err != nil {
		return nil, err
	}
	adts, err := clips.ReadFile("clips/" + camera + ".aac")
	if err != nil {
		return nil, err
	}
	return c, c.loadAudio(adts)
}

// loadVideo splits the clip at its slices: each of its frames is one slice.
func (c *clip) loadVideo(data []byte) error {
	var sps, pps []byte
	for nalu := range bytes.SplitSeq(data, []byte{0, 0, 1}) {
		nalu = bytes.TrimRight(nalu, "\x00") // a NAL unit ends in a stop bit; zeros belong to the next start code
		if len(nalu) == 0 {
			continue
		}
		switch kind := h264.NALUType(nalu[0] & 0x1f); kind {
		case h264.NALUTypeSPS:
			sps = nalu
		case h264.NALUTypePPS:
			pps = nalu
		case h264.NALUTypeIDR, h264.NALUTypeNonIDR:
			au, err := h264.AVCC{nalu}.Marshal()
			if err != nil {
				return fmt.Errorf("clip: %w", err)
			}
			c.video = append(c.video, media.AccessUnit{Key: kind == h264.NALUTypeIDR, Data: au})
		}
	}
	var err error
	c.tracks[0], err = media.H264Track(sps, pps)
	c.tracks[0].FrameRate = frameRate
	return err
}

func (c *clip) loadAudio(data []byte) error {
	var packets mpeg4audio.ADTSPackets
	if err := packets.Unmarshal(data); err != nil {
		return fmt.Errorf("clip: %w", err)
	}
	for _, p := range packets {
		c.audio = append(c.audio, media.AccessUnit{Track: 1, Key: true, Data: p.AU})
	}
	config := mpeg4audio.AudioSpecificConfig{Type: packets[0].Type, SampleRate: packets[0].SampleRate, ChannelConfig: packets[0].ChannelConfig}
	asc, err := config.Marshal()
	c.tracks[1] = media.Track{Codec: media.AAC, Config: asc, SampleRate: packets[0].SampleRate, Channels: 2}
	return err
}

// play writes both loops in the order of their timestamps, each unit when it is due.
func (c *clip) play(ctx context.Context, p *hub.Publisher) {
	start := time.Now()
	audioTrack := &c.tracks[1]
	for videoFrame, audioFrame := 0, 0; ; {
		at := time.Duration(videoFrame) * time.Second / frameRate
		audioAt := time.Duration(audioFrame) * time.Duration(audioTrack.SamplesPerFrame()) * time.Second / time.Duration(audioTrack.SampleRate)
		au := c.video[videoFrame%len(c.video)]
		if audioAt < at {
			au, at = c.audio[audioFrame%len(c.audio)], audioAt
			audioFrame++
		} else {
			videoFrame++
		}
		if retry.Sleep(ctx, time.Until(start.Add(at))) != nil {
			return
		}
		au.PTS, au.DTS = at, at
		p.Write(au)
	}
}
