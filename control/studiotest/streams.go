package studiotest

import (
	"fmt"
	"testing"
	"time"

	"obvan/control"
	"obvan/hub"
	"obvan/media"
	"obvan/mixer"
)

// Tracks is H.264 720p30 and AAC.
func Tracks() media.Tracks {
	return media.Tracks{
		{Codec: media.H264, Config: []byte{1, 100, 0, 31}, Width: 1280, Height: 720, FrameRate: 30},
		{Codec: media.AAC, Config: []byte{0x11, 0x90}, SampleRate: 48000, Channels: 2},
	}
}

// Camera publishes a stream by hand, at 30 frames a second of the test's clock.
type Camera struct {
	*hub.Publisher
	Sent int // frames
	GOP  int // frames from one keyframe to the next
}

// NewCamera starts to publish a stream.
func NewCamera(t testing.TB, h *hub.Hub, name string, tracks media.Tracks, gop int) *Camera {
	t.Helper()
	p, err := h.Publish(name, hub.Origin{Proto: "rtmp", Remote: "10.0.0.7:5"})
	if err != nil {
		t.Fatal(err)
	}
	p.SetTracks(tracks)
	return &Camera{Publisher: p, GOP: gop}
}

// Roll sends frames for d; with reorder, as an encoder with B-frames does.
func (c *Camera) Roll(d time.Duration, reorder bool) {
	for range int(d * 30 / time.Second) {
		at := time.Duration(c.Sent) * time.Second / 30
		au := media.AccessUnit{PTS: at, DTS: at, Key: c.Sent%c.GOP == 0, Data: make([]byte, 10_000)}
		if reorder && !au.Key {
			au.PTS += time.Duration(1-2*(c.Sent%2)) * 2 * time.Second / 30
		}
		c.Write(au)
		c.Sent++
		time.Sleep(time.Second / 30)
	}
}

// FullShow is a state as large as shows get.
func FullShow(st *control.State) {
	for i := range 16 {
		st.Feeds = append(st.Feeds, control.Feed{ID: fmt.Sprintf("cam%d", i), Name: "Camera", State: control.FeedLive, Video: &control.CodecInfo{Codec: "H264", Width: 1920, Height: 1080}, Notes: []string{"no audio"}})
		st.Mixer.Sources = append(st.Mixer.Sources, mixer.Source{Name: fmt.Sprintf("cam%d", i), Feeds: []string{fmt.Sprintf("cam%d", i)}})
	}
	for range 200 {
		st.Log = append(st.Log, control.LogEntry{Level: control.Info, Who: "admin", Text: "cut to the camera behind the goal"})
	}
}
