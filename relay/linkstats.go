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
	proofTimeout      = 1500 * time.Millisecond // and up to two looks until it is noticed
	overdueGrace      = 500 * time.Millisecond  // a burst may be ahead of its acknowledgement for so long
	ackInterval       = time.Second             // an acknowledgement is missed about so long after the last one came
	stableAfter       = 2 * time.Second         // proof lost is believed again after so long: a far end that takes some now and then is not live
	lateAfter         = time.Second
	resetAfter        = 30 * time.Second // live for so long: the next failure starts anew
)

// meter turns a link's counters into what a status shows, and watches whether the
// far end still takes what it is sent.
type linkStats struct {
	link *Link
	sent bitrate // of what left the machine

	drained, acked uint64 // the newest, to see them move
	drainedAt      time.Time
	ackedAt        time.Time
	overdueSince   time.Time // zero while nothing is owed
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

// take notes the counters as they are now.
func (m *linkStats) sample(now time.Time) {
	unsent := m.link.Unsent.Load()
	left := m.link.Sent.Load() - min(uint64(max(unsent, 0)), m.link.Sent.Load())
	// A far end proves itself by taking bytes, or by having taken all there were.
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

// silence is for how long the far end has proved nothing, and what it does not do:
// it takes nothing although there is something to take, or does not answer. It is 0
// when all is well.
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
		return since, "taking data"
	}
	if since = time.Duration(m.link.SilentFor.Load()); since >= proofTimeout {
		return since, "answering"
	}
	return 0, ""
}

// proven is when the far end last proved that it gets what it is sent.
func (m *linkStats) lastProof(now time.Time) time.Time {
	silent, _ := m.silence(now)
	return now.Add(-silent)
}

// late is one sentence about a far end that takes data, but too slowly; "" when it
// keeps up.
func (m *linkStats) lateText(who string, programKbps int) string {
	behind := m.link.ViewerLatency()
	if behind < lateAfter {
		return ""
	}
	do := "lower the program's bitrate, or see who else uses the uplink"
	if kept := time.Duration(m.link.RemoteBuffer.Load()); kept > behind/2 {
		do = "it reads slower than the way to it is"
	}
	return fmt.Sprintf("%s is %.1f s behind: %.1f of %.1f Mbit/s leave this machine; %s", who, behind.Seconds(),
		float64(m.sent.kbps())/1000, float64(programKbps)/1000, do)
}
