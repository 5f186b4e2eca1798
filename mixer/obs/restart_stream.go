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
	ownRetryTime   = 6 * time.Second // OBS may come back alone
	maxRestartWait = time.Minute     // between two attempts of ours: OBS shows each that fails in a box
	checkEvery     = 500 * time.Millisecond
)

// revive starts OBS' stream anew when OBS waits to send it again, and nothing comes
// though the studio listens. It ends with the connection.
func (m *Mixer) watchStream(ctx context.Context, conn *wire.Conn) {
	if m.cfg.StreamArrives == nil {
		return
	}
	since, wait := time.Now(), ownRetryTime
	for retry.Sleep(ctx, checkEvery) == nil {
		switch v, _ := m.shared.current(); {
		case !m.stuck(&v):
			since, wait = time.Now(), ownRetryTime
		case time.Since(since) < wait:
		case m.streamsToStudio(ctx, conn):
			m.log.Warn("OBS waits before it sends its stream again: it is started anew")
			if err := m.restartStream(ctx); err != nil && ctx.Err() == nil {
				m.log.Warn("OBS' stream could not be started anew", "err", err)
			}
			since, wait = time.Now(), min(2*wait, maxRestartWait)
		}
	}
}

// stuck says whether OBS' stream waits, or was stopped by us and did not start since.
func (m *Mixer) stuck(v *view) bool {
	o := findOutput(v, mirror.Stream)
	if o == nil || !v.Connected {
		return false
	}
	if o.State == mirror.On {
		m.restarting.Store(false)
	}
	return (o.State == mirror.Reconnecting || o.State == mirror.Off && m.restarting.Load()) && !m.cfg.StreamArrives()
}

// restart stops and starts the stream, unless somebody stops it for good meanwhile.
func (m *Mixer) restartStream(ctx context.Context) error {
	m.restarting.Store(true)
	off, on := stopping(mirror.Stream), starting(mirror.Stream, 0)
	off.done = func(state string) bool { return state != mirror.Reconnecting || !m.restarting.Load() }
	on.done = func(state string) bool { return state != mirror.Off || !m.restarting.Load() }
	if err := m.changeOutput(ctx, mirror.Stream, off); err != nil {
		return err
	}
	return m.changeOutput(ctx, mirror.Stream, on)
}
