package relay

import "time"

// How often links are measured, and what is concluded from it.
const (
	measureEvery = 500 * time.Millisecond
	rateOver     = 3 * time.Second
	proofLasts   = 1500 * time.Millisecond // and half a second until it is noticed
	settledAfter = 30 * time.Second        // live for so long: the next failure starts anew
)

// meter turns a link's counters into what a status shows, and watches whether the
// far end still takes what it is sent.
type meter struct {
	link *Link
	from []sample // of the last seconds, oldest first

	drained, acked uint64 // the newest, to see them move
	drainedAt      time.Time
	ackedAt        time.Time
}

// sample is how many bytes had left the machine.
type sample struct {
	at    time.Time
	bytes uint64
}

func newMeter(link *Link, now time.Time) *meter {
	return &meter{link: link, from: []sample{{at: now}}, drainedAt: now, ackedAt: now}
}

// take notes the counters as they are now.
func (m *meter) take(now time.Time) {
	unsent := m.link.Unsent.Load()
	left := m.link.Sent.Load() - min(uint64(max(unsent, 0)), m.link.Sent.Load())
	// A far end proves itself by taking bytes, or by having taken all there were.
	if left > m.drained || unsent <= 0 {
		m.drained, m.drainedAt = max(left, m.drained), now
	}
	if acked := m.link.Acked.Load(); acked != m.acked || m.link.Owed.Load() <= 0 {
		m.acked, m.ackedAt = acked, now
	}
	m.from = append(m.from, sample{now, m.drained})
	for len(m.from) > 2 && now.Sub(m.from[1].at) >= rateOver {
		m.from = m.from[1:]
	}
}

// silence is for how long the far end has taken nothing although there was
// something to take; 0 when it takes what it gets.
func (m *meter) silence(now time.Time) time.Duration {
	if since := now.Sub(earlier(m.drainedAt, m.ackedAt)); since >= proofLasts {
		return since
	}
	return 0
}

// kbps is what left this machine over the last seconds.
func (m *meter) kbps() int {
	first, last := m.from[0], m.from[len(m.from)-1]
	if over := last.at.Sub(first.at); over > 0 {
		return int(float64(last.bytes-first.bytes) * 8 / 1000 / over.Seconds())
	}
	return 0
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
