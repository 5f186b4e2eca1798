package preview

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/media/flv"
)

const (
	maxTag   = 4 << 20
	videoTag = 9
)

var errNotFLV = errors.New("ffmpeg's output is not FLV")

// read publishes ffmpeg's output: an endless FLV file (Adobe "Video File Format
// Specification 10.1", annex E).
func (c *transcode) read(out io.Reader, to *hub.Publisher) (err error) {
	defer func() {
		if p := recover(); p != nil { // only this stream is affected
			err = fmt.Errorf("read from ffmpeg: %v", p)
		}
	}()
	r := bufio.NewReaderSize(out, 1<<16)
	if _, err := r.Discard(9 + 4); err != nil {
		return fmt.Errorf("read from ffmpeg: %w", err)
	}
	var frames flv.Reader
	for {
		at, body, err := tag(r)
		if err != nil {
			return fmt.Errorf("read from ffmpeg: %w", err)
		}
		if body == nil {
			continue
		}
		p, err := frames.Video(at, body)
		if err != nil {
			continue
		}
		if p.Config != nil {
			to.SetTracks(media.Tracks{*p.Config})
		}
		if len(p.Unit.Data) == 0 {
			continue
		}
		if of, ok := c.original(p.Unit.PTS); ok {
			p.Unit.PTS, p.Unit.DTS, p.Unit.Arrived = of.pts, of.pts, of.arrived
			to.Write(p.Unit)
		}
	}
}

// tag reads the next tag: a frame's bytes, or nil when it is not a video tag.
func tag(r *bufio.Reader) (at time.Duration, body []byte, err error) {
	var head [11]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := int(binary.BigEndian.Uint32(head[0:]) & 0xffffff)
	at = time.Duration(uint32(head[7])<<24|binary.BigEndian.Uint32(head[4:])>>8) * time.Millisecond
	if size > maxTag {
		return 0, nil, errNotFLV
	}
	if head[0]&0x1f != videoTag {
		_, err := r.Discard(size + 4)
		return 0, nil, err
	}
	body = make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, err
	}
	_, err = r.Discard(4)
	return at, body, err
}
