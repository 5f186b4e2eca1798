package ingesttest

import (
	"encoding/binary"
	"encoding/hex"
	"time"

	"obvan/media"
)

// Tracks is what most devices send: H.264 baseline, 320x180 at 25 frames/s, and AAC-LC,
// stereo at 48 kHz.
func Tracks() media.Tracks {
	avc, err := hex.DecodeString("0142c00cffe100176742c00cda05067e7c0440000003004000000c83c50aa801000468ce0fc8")
	if err != nil {
		panic(err)
	}
	return media.Tracks{
		{Codec: media.H264, Config: avc, Width: 320, Height: 180, FrameRate: 25},
		{Codec: media.AAC, Config: []byte{0x11, 0x90}, SampleRate: 48000, Channels: 2},
	}
}

const (
	rate = 25
	gop  = 10 // video frames from keyframe to keyframe
)

// Units is the first n video frames and the audio frames between them, in the order of
// their timestamps, with a keyframe every 10 frames. Each is different; none can be
// decoded.
func Units(tracks media.Tracks, n int) []media.AccessUnit {
	video, audio := tracks.Video(), tracks.Audio()
	var units []media.AccessUnit
	audioFrames := 0
	for i := range n {
		at := time.Duration(i) * time.Second / rate
		if video >= 0 {
			units = append(units, media.AccessUnit{
				Track: video, PTS: at, DTS: at, Key: i%gop == 0, Data: videoFrame(tracks[video].Codec, i),
			})
		}
		if audio < 0 {
			continue
		}
		for frame := tracks[audio].FrameDuration(); time.Duration(audioFrames)*frame < at+time.Second/rate; audioFrames++ {
			pts := time.Duration(audioFrames) * frame
			units = append(units, media.AccessUnit{Track: audio, PTS: pts, DTS: pts, Key: true, Data: audioFrame(audioFrames)})
		}
	}
	return units
}

// videoFrame is NAL units, or an OBU, of plausible sizes: a keyframe is large.
func videoFrame(c media.Codec, i int) []byte {
	size := 700
	if i%gop == 0 {
		size = 9000
	}
	switch head := []byte{0x41}; c {
	case media.H265:
		if head = []byte{1 << 1, 1}; i%gop == 0 {
			head[0] = 19 << 1
		}
		return nal(head, i, size)
	case media.AV1:
		return append([]byte{6<<3 | 2, 0x81, 0x01}, filling(i, 129)...)
	default:
		if i%gop == 0 {
			head[0] = 0x65
		}
		return append(nal(head, i, size), nal(head, i+1000, 50)...) // two slices
	}
}

func nal(head []byte, i, size int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(size))
	b = append(b, head...)
	return append(b, filling(i, size-len(head))...)
}

// audioFrame has no byte that could be mistaken for an AAC syncword.
func audioFrame(i int) []byte { return append([]byte{0x21}, filling(i, 200+i%50)...) }

// filling is n bytes, none of them 0, that differ from those of the neighbors of i.
func filling(i, n int) []byte {
	b := make([]byte, n)
	for k := range b {
		b[k] = byte((i*31+k*7)%255) + 1
	}
	return b
}
