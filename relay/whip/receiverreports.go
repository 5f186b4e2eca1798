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
	// defaultInterval is how often a receiver is assumed to report before its own interval is
	// known, and maxInterval the longest that is accepted.
	defaultInterval = 1200 * time.Millisecond
	maxInterval     = 6 * time.Second

	// Lost packets of 256: from lossyPath on frames that no other refers to are dropped,
	// from hopelessPath on all frames up to the next keyframe.
	lossyPath    = 13 // 5 %
	hopelessPath = 51 // 20 %
	recoverAfter = 3 * time.Second
)

// receiverReports is what the receiver reports.
type receiverReports struct {
	mu           sync.Mutex
	lastReport   time.Time // when it reported last
	interval     time.Duration
	received     bool      // a report confirmed that packets arrived
	level        int       // how much is dropped
	since        time.Time // of the level
	broken       bool      // a frame was dropped: the next must be a keyframe
	sentAtReport uint64    // bytes sent when last checked after a report
	fresh        bool      // a report came since

	rtt atomic.Int64
	pli atomic.Bool // a keyframe was requested
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

// setLevel sets how much is dropped by how much was lost.
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

// shouldSend reports whether a frame is worth sending over a path that loses that much.
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

// proven reports whether the receiver confirmed that it receives packets.
func (e *receiverReports) proven() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.received
}

// keyframeRequested reports whether the receiver requested a keyframe since the last call.
func (e *receiverReports) keyframeRequested() bool { return e.pli.Swap(false) }

// silentFor is how long nothing was reported.
func (e *receiverReports) silentFor(now time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return now.Sub(e.lastReport)
}

// unconfirmed is how many of the bytes sent the receiver has not confirmed although it
// should have, by its own interval.
func (e *receiverReports) unconfirmed(sent uint64, now time.Time) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fresh || now.Sub(e.lastReport) < e.interval*3/2 {
		e.fresh, e.sentAtReport = false, sent
		return 0
	}
	return sent - e.sentAtReport
}
