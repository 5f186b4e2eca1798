package relay

import (
	"fmt"
	"sync/atomic"
	"time"

	"obvan/media"
)

// LeastKbps is the lowest limit that makes sense: sound, and a picture now and then.
const MinKbps = 200

// limitOver is over how long a destination may have had more than its limit: a key
// frame is many times as large as other pictures.
const capWindow = 2 * time.Second

// limit is how much a destination is sent at most. It is in front of the outputs, so
// that it is one for all of them.
type bitrateCap struct {
	kbps     atomic.Int64              // 0 is none; it may change while it is at work
	lastDrop atomic.Pointer[time.Time] // when a picture was left out last
}

// says is one sentence while pictures are left out, "" else.
func (l *bitrateCap) warning(who string, now time.Time, programKbps int) string {
	if at := l.lastDrop.Load(); at == nil || now.Sub(*at) > rateWindow {
		return ""
	}
	return fmt.Sprintf("%s may have %.1f of the program's %.1f Mbit/s: pictures are left out; raise its limit, or lower the program's bitrate", who, float64(l.kbps.Load())/1000, float64(programKbps)/1000)
}

// sieve holds one connection to its limit. It works out how far behind a far end would
// be that takes just so much, and leaves out what it would have left out for that.
type filter struct {
	*bitrateCap
	link    *Link
	dropper FrameDropper
	backlog float64       // bytes that such a far end would not have yet
	lastDTS time.Duration // decode time of the newest unit

	tracks *media.Tracks // of the unit that was read last
}

func (l *bitrateCap) filter(link *Link) *filter {
	return &filter{bitrateCap: l, link: link, dropper: FrameDropper{Limit: capWindow}}
}

// works reports whether it may leave something out. Without a limit a destination goes
// along with the others, and costs next to nothing.
func (s *filter) active() bool { return s.kbps.Load() > 0 || s.dropper.broken }

// keeps says whether to send a unit.
func (s *filter) shouldSend(au *media.AccessUnit) bool {
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
