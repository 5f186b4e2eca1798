package whip

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"obvan/media"
	"obvan/media/rtp"
)

const (
	// usualReports is how often a receiver reports before its own habit is known, and
	// longestHabit what is believed at most.
	usualReports = 1200 * time.Millisecond
	longestHabit = 6 * time.Second

	// Of 256 packets: from lossy on pictures that no other refers to are left out, from
	// hopeless on all up to the next key frame.
	lossy    = 13 // 5 %
	hopeless = 51 // 20 %
	calm     = 3 * time.Second
)

// ear is what the receiver reports.
type ear struct {
	mu     sync.Mutex
	last   time.Time // of a report
	habit  time.Duration
	taken  bool      // a report said that packets arrived
	level  int       // how much is left out
	since  time.Time // of the level
	broken bool      // a picture was left out: the next must be a key frame
	sent   uint64    // bytes at the last look after a report
	fresh  bool      // a report came since

	rtt atomic.Int64
	pli atomic.Bool // a key frame was asked for
}

func (e *ear) start(now time.Time) { e.last, e.habit = now, usualReports }

// listen reads one stream's reports until it ends.
func (e *ear) listen(from *webrtc.RTPSender) {
	for {
		packets, _, err := from.ReadRTCP()
		if err != nil {
			return
		}
		now := time.Now()
		for _, p := range packets {
			switch p := p.(type) {
			case *rtcp.ReceiverReport:
				e.report(p.Reports, now)
			case *rtcp.SenderReport:
				e.report(p.Reports, now)
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				e.pli.Store(true)
			}
		}
	}
}

func (e *ear) report(reports []rtcp.ReceptionReport, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if gap := now.Sub(e.last); gap > e.habit {
		e.habit = min(gap, longestHabit)
	}
	e.last, e.fresh = now, true
	for _, r := range reports {
		e.taken = e.taken || r.LastSequenceNumber > 0
		if r.LastSenderReport != 0 {
			// In units of 1/65536 s (RFC 3550, 6.4.1).
			middle := uint32(rtp.NTP(now) >> 16)
			if d := middle - r.LastSenderReport - r.Delay; d < 60<<16 {
				e.rtt.Store(int64(time.Duration(d) * time.Second >> 16))
			}
		}
		e.judge(r.FractionLost, now)
	}
}

// judge sets how much is left out by what got lost.
func (e *ear) judge(lost uint8, now time.Time) {
	level := 0
	switch {
	case lost >= hopeless:
		level = 2
	case lost >= lossy:
		level = 1
	}
	if level > e.level || level < e.level && now.Sub(e.since) > calm {
		e.level, e.since = level, now
	} else if level == e.level {
		e.since = now
	}
}

// keeps says whether a picture is worth sending over a path that loses as much.
func (e *ear) keeps(au *media.AccessUnit) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case au.Key:
		e.broken = false
	case e.broken:
		return false
	case e.level == 2:
		e.broken = true
		return false
	case e.level == 1 && au.Disposable:
		return false
	}
	return true
}

// proven says whether the receiver said that it takes packets.
func (e *ear) proven() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.taken
}

// asked says whether the receiver asked for a key frame since the last call.
func (e *ear) asked() bool { return e.pli.Swap(false) }

// quiet is how long nothing was reported.
func (e *ear) quiet(now time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return now.Sub(e.last)
}

// unheard is how many of the bytes sent the receiver has not confirmed although it
// should have, by its own habit.
func (e *ear) unheard(sent uint64, now time.Time) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fresh || now.Sub(e.last) < e.habit*3/2 {
		e.fresh, e.sent = false, sent
		return 0
	}
	return sent - e.sent
}
