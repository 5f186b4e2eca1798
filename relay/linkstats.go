package relay

import (
	"fmt"
	"time"

	"obvan/internal/ratewindow"
)

// How often links are measured, and what is concluded from it.
const (
	measureEvery      = 250 * time.Millisecond
	measuresPerSecond = int(time.Second / measureEvery)
	rateWindow        = 3 * time.Second
	proofTimeout      = 1500 * time.Millisecond // and up to two measurements until it is noticed
	overdueGrace      = 500 * time.Millisecond  // a burst may be ahead of its acknowledgement for this long
	ackInterval       = time.Second             // an acknowledgement is missed about this long after the last one
	stableAfter       = 2 * time.Second         // confirmations that return are trusted after this long: a server that receives some data now and then is not live
	lateAfter         = time.Second
	resetAfter        = 30 * time.Second // after this long live the next failure counts as the first
)

// linkStats turns a link's counters into what a status shows, and watches whether the
// receiver still takes what it is sent.
type linkStats struct {
	link *Link
	sent bitrate // of what left the machine

	drained, acked uint64 // the newest, to detect changes
	drainedAt      time.Time
	ackedAt        time.Time
	overdueSince   time.Time // zero while no acknowledgement is overdue
}

// bitrate is of a counter of bytes, over the last seconds.
type bitrate struct{ ratewindow.Window[uint64] }

func (b *bitrate) kbps() int {
	first, last, ok := b.Ends()
	if !ok || last.Value <= first.Value {
		return 0
	}
	// The burst at the start of a session is not a bitrate.
	return int(ratewindow.Kbps(last.Value-first.Value, max(last.At.Sub(first.At), time.Second)))
}

func newBitrate() bitrate { return bitrate{ratewindow.Window[uint64]{Over: rateWindow}} }

func newLinkStats(link *Link, now time.Time) *linkStats {
	m := &linkStats{link: link, sent: newBitrate(), drainedAt: now, ackedAt: now}
	m.sent.Add(now, 0)
	return m
}

// sample notes the current counters.
func (m *linkStats) sample(now time.Time) {
	unsent := m.link.Unsent.Load()
	left := m.link.Sent.Load() - min(uint64(max(unsent, 0)), m.link.Sent.Load())
	// A receiver confirms by taking bytes, or by having taken everything.
	if left > m.drained || unsent <= 0 {
		m.drained, m.drainedAt = max(left, m.drained), now
	}
	if acked := m.link.Acked.Load(); acked != m.acked {
		m.acked, m.ackedAt = acked, now
	}
	if m.link.OverdueAcks.Load() <= 0 {
		m.overdueSince = time.Time{}
	} else if m.overdueSince.IsZero() {
		m.overdueSince = now
	}
	m.sent.Add(now, m.drained)
}

// silence is how long the receiver has confirmed nothing, and what it stopped doing:
// receiving although data is waiting, or answering. It is 0 while all is well.
func (m *linkStats) silence(now time.Time) (since time.Duration, stopped string) {
	last := m.drainedAt
	if !m.overdueSince.IsZero() && now.Sub(m.overdueSince) >= overdueGrace {
		acked := m.overdueSince.Add(-ackInterval) // the last one may be old because there was nothing to acknowledge
		if acked.Before(m.ackedAt) {
			acked = m.ackedAt
		}
		if acked.Before(last) {
			last = acked
		}
	}
	if since = now.Sub(last); since >= proofTimeout {
		return since, "receiving data"
	}
	if since = time.Duration(m.link.SilentFor.Load()); since >= proofTimeout {
		return since, "responding"
	}
	return 0, ""
}

// lastProof is when the receiver last confirmed that it gets what it is sent.
func (m *linkStats) lastProof(now time.Time) time.Time {
	silent, _ := m.silence(now)
	return now.Add(-silent)
}

// lateText is one sentence about a receiver that takes data too slowly; "" when it keeps
// up.
func (m *linkStats) lateText(who string, programKbps int) string {
	behind := m.link.ViewerLatency()
	if behind < lateAfter {
		return ""
	}
	do := "lower the program's bitrate, or check what else uses the uplink"
	if kept := time.Duration(m.link.RemoteBuffer.Load()); kept > behind/2 {
		do = "its server reads more slowly than the network delivers"
	}
	return fmt.Sprintf("%s is %.1f s behind: %.1f of %.1f Mbit/s leave this machine; %s", who, behind.Seconds(),
		float64(m.sent.kbps())/1000, float64(programKbps)/1000, do)
}
