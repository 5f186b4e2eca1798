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
	defaultInterval = 1200 * time.Millisecond
	maxInterval     = 6 * time.Second

	// Of 256 packets: from lossy on pictures that no other refers to are left out, from
	// hopeless on all up to the next key frame.
	lossyPath    = 13 // 5 %
	hopelessPath = 51 // 20 %
	recoverAfter = 3 * time.Second
)

// ear is what the receiver reports.
type receiverReports struct {
	mu           sync.Mutex
	lastReport   time.Time // of a report
	interval     time.Duration
	received     bool      // a report said that packets arrived
	level        int       // how much is left out
	since        time.Time // of the level
	broken       bool      // a picture was left out: the next must be a key frame
	sentAtReport uint64    // bytes at the last look after a report
	fresh        bool      // a report came since

	rtt atomic.Int64
	pli atomic.Bool // a key frame was asked for
}

func (e *receiverReports) start(now time.Time) { e.lastReport, e.interval = now, defaultInterval }

// listen reads one stream's reports until it ends.
func (e *receiverReports) listen(from *webrtc.RTPSender) {
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

func (e *receiverReports) report(reports []rtcp.ReceptionReport, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if gap := now.Sub(e.lastReport); gap > e.interval {
		e.interval = min(gap, maxInterval)
	}
	e.lastReport, e.fresh = now, true
	for _, r := range reports {
		e.received = e.received || r.LastSequenceNumber > 0
		if r.LastSenderReport != 0 {
			// In units of 1/65536 s (RFC 3550, 6.4.1).
			middle := uint32(rtp.NTP(now) >> 16)
			if d := middle - r.LastSenderReport - r.Delay; d < 60<<16 {
				e.rtt.Store(int64(time.Duration(d) * time.Second >> 16))
			}
		}
		e.setLevel(r.FractionLost, now)
	}
}

// judge sets how much is left out by what got lost.
func (e *receiverReports) setLevel(lost uint8, now time.Time) {
	level := 0
	switch {
	case lost >= hopelessPath:
		level = 2
	case lost >= lossyPath:
		level = 1
	}
	if level > e.level || level < e.level && now.Sub(e.since) > recoverAfter {
		e.level, e.since = level, now
	} else if level == e.level {
		e.since = now
	}
}

// keeps says whether a picture is worth sending over a path that loses as much.
func (e *receiverReports) shouldSend(au *media.AccessUnit) bool {
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
func (e *receiverReports) proven() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.received
}

// asked says whether the receiver asked for a key frame since the last call.
func (e *receiverReports) keyframeRequested() bool { return e.pli.Swap(false) }

// quiet is how long nothing was reported.
func (e *receiverReports) silentFor(now time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return now.Sub(e.lastReport)
}

// unheard is how many of the bytes sent the receiver has not confirmed although it
// should have, by its own habit.
func (e *receiverReports) unconfirmed(sent uint64, now time.Time) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fresh || now.Sub(e.lastReport) < e.interval*3/2 {
		e.fresh, e.sentAtReport = false, sent
		return 0
	}
	return sent - e.sentAtReport
}
