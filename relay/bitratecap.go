package relay

import (
	"fmt"
	"sync/atomic"
	"time"

	"obvan/media"
)

// MinKbps is the lowest bitrate limit: audio, and a video frame now and then.
const MinKbps = 200

// capWindow is how long a destination may exceed its limit: a keyframe is many times as
// large as other frames.
const capWindow = 2 * time.Second

// bitrateCap is the bitrate limit of a destination. It sits in front of the outputs, so
// that there is one for all of them.
type bitrateCap struct {
	kbps     atomic.Int64              // 0 is none; it may change at any time
	lastDrop atomic.Pointer[time.Time] // when a frame was dropped last
}

// warning is one sentence while frames are dropped, else "".
func (b *bitrateCap) warning(who string, now time.Time, programKbps int) string {
	if at := b.lastDrop.Load(); at == nil || now.Sub(*at) > rateWindow {
		return ""
	}
	return fmt.Sprintf("%s is limited to %.1f of the program's %.1f Mbit/s: frames are dropped; raise its bitrate limit, or lower the program's bitrate", who, float64(b.kbps.Load())/1000, float64(programKbps)/1000)
}

// capFilter keeps one connection to the limit. It computes how far behind a server would
// be that receives at just that rate, and drops what would be dropped for such a server.
type capFilter struct {
	*bitrateCap
	link    *Link
	dropper FrameDropper
	backlog float64       // bytes that such a server would not have yet
	lastDTS time.Duration // of the newest unit

	tracks *media.Tracks // of the unit that was read last
}

func (b *bitrateCap) newFilter(link *Link) *capFilter {
	return &capFilter{bitrateCap: b, link: link, dropper: FrameDropper{Limit: capWindow}}
}

// active reports whether it may drop anything. Without a limit a destination shares the
// batches of the others, and costs next to nothing.
func (s *capFilter) active() bool { return s.kbps.Load() > 0 || s.dropper.broken }

// shouldSend reports whether to send a unit.
func (s *capFilter) shouldSend(au *media.AccessUnit) bool {
	s.tracks = au.Tracks
	age, speed := time.Duration(0), float64(s.kbps.Load()*125)
	since := max(0, au.DTS-s.lastDTS)
	s.lastDTS += since
	if s.backlog = max(0, s.backlog-speed*since.Seconds()); speed > 0 {
		age = time.Duration(s.backlog / speed * float64(time.Second))
	} else {
		s.backlog = 0
	}
	if !s.dropper.ShouldSend(au, age) {
		if au.Video() {
			s.link.Dropped.Add(1)
			now := time.Now()
			s.lastDrop.Store(&now)
		}
		return false
	}
	s.backlog += float64(len(au.Data))
	return true
}
