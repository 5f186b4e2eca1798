package obs

import (
	"context"
	"time"

	"obvan/internal/retry"
	"obvan/mixer/obs/mirror"
	"obvan/mixer/obs/wire"
)

// Times of bringing OBS' stream back. OBS waits longer after each attempt that failed,
// minutes at last: after an outage of the studio it would be there long before its
// program is.
const (
	forItself = 6 * time.Second // OBS may come back alone
	atMost    = time.Minute     // between two attempts of ours: OBS shows each that fails in a box
	lookAgain = 500 * time.Millisecond
)

// revive starts OBS' stream anew when OBS waits to send it again, and nothing comes
// though the studio listens. It ends with the connection.
func (m *Mixer) revive(ctx context.Context, conn *wire.Conn) {
	if m.cfg.Arrives == nil {
		return
	}
	since, wait := time.Now(), forItself
	for retry.Sleep(ctx, lookAgain) == nil {
		switch v, _ := m.board.now(); {
		case !m.stuck(&v):
			since, wait = time.Now(), forItself
		case time.Since(since) < wait:
		case m.sendsToUs(ctx, conn):
			m.log.Warn("OBS waits before it sends its stream again: it is started anew")
			if err := m.restart(ctx); err != nil && ctx.Err() == nil {
				m.log.Warn("OBS' stream could not be started anew", "err", err)
			}
			since, wait = time.Now(), min(2*wait, atMost)
		}
	}
}

// stuck says whether OBS' stream waits, or was stopped by us and did not start since.
func (m *Mixer) stuck(v *view) bool {
	o := find(v, mirror.Stream)
	if o == nil || !v.Connected {
		return false
	}
	if o.State == mirror.On {
		m.revival.Store(false)
	}
	return (o.State == mirror.Reconnecting || o.State == mirror.Off && m.revival.Load()) && !m.cfg.Arrives()
}

// restart stops and starts the stream, unless somebody stops it for good meanwhile.
func (m *Mixer) restart(ctx context.Context) error {
	m.revival.Store(true)
	off, on := stopping(mirror.Stream), starting(mirror.Stream, 0)
	off.there = func(state string) bool { return state != mirror.Reconnecting || !m.revival.Load() }
	on.there = func(state string) bool { return state != mirror.Off || !m.revival.Load() }
	if err := m.settle(ctx, mirror.Stream, off); err != nil {
		return err
	}
	return m.settle(ctx, mirror.Stream, on)
}
