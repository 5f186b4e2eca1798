package preview

import (
	"encoding/binary"
	"errors"
	"time"

	"obvan/media"
	"obvan/media/flv"
	"obvan/media/mpegts"
)

// container is the format in which ffmpeg gets frames. Append appends one to b, its
// timestamps increased by shift.
type container interface {
	Append(b []byte, au *media.AccessUnit, shift time.Duration) ([]byte, error)
}

// chooseContainer chooses the container and returns ffmpeg's name of it. In FLV a frame's
// length is known. In a transport stream a frame ends where the next one starts, which adds
// two frames of delay in ffmpeg. But ffmpeg reads only H.264 from FLV.
func (c *transcode) chooseContainer() (format string, err error) {
	if c.tracks[0].Codec == media.H264 {
		c.to = &flvFile{}
		return "flv", nil
	}
	c.to, err = mpegts.NewWriter(&c.tracks)
	return "mpegts", err
}

const maxFrame = 1<<24 - 1 - flv.MaxHeader // a tag's length has 24 bits

var errTooLong = errors.New("the frame is too large")

// flvFile is an endless FLV file (annex E).
type flvFile struct{ begun bool }

func (f *flvFile) Append(b []byte, au *media.AccessUnit, shift time.Duration) ([]byte, error) {
	at := au.DTS + shift
	if len(au.Data) > maxFrame {
		return b, errTooLong
	}
	if !f.begun {
		f.begun = true
		b = append(b, 'F', 'L', 'V', 1, 1, 0, 0, 0, 9, 0, 0, 0, 0)
		b = appendTag(b, at, flv.VideoConfig(au.Info()))
	}
	head := flv.AppendVideoHeader(make([]byte, 0, flv.MaxHeader), au.Info(), au)
	return appendTag(b, at, head, au.Data), nil
}

func appendTag(b []byte, at time.Duration, parts ...[]byte) []byte {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	ms := uint32(at.Milliseconds())
	b = binary.BigEndian.AppendUint32(b, videoTag<<24|uint32(size))
	b = append(b, byte(ms>>16), byte(ms>>8), byte(ms), byte(ms>>24), 0, 0, 0)
	for _, p := range parts {
		b = append(b, p...)
	}
	return binary.BigEndian.AppendUint32(b, uint32(size+11))
}
