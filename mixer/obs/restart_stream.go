package obs

import (
	"context"
	"time"

	"obvan/internal/retry"
	"obvan/mixer/obs/mirror"
	"obvan/mixer/obs/wire"
)

// Times for restarting OBS' stream. OBS waits longer after each failed attempt, minutes
// in the end: after an outage of the studio the studio would be back long before OBS'
// stream.
const (
	ownRetryTime   = 6 * time.Second // OBS may reconnect without our help
	maxRestartWait = time.Minute     // between two attempts of ours: OBS opens a dialog for each that fails
	checkEvery     = 500 * time.Millisecond
)

// watchStream restarts OBS' stream when OBS waits to reconnect it, and no stream arrives
// although the studio is listening. It ends with the connection.
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
			m.log.Warn("OBS is waiting to reconnect its stream: restarting it")
			if err := m.restartStream(ctx); err != nil && ctx.Err() == nil {
				m.log.Warn("could not restart OBS' stream", "err", err)
			}
			since, wait = time.Now(), min(2*wait, maxRestartWait)
		}
	}
}

// stuck reports whether OBS' stream is waiting to reconnect, or was stopped by us and has
// not started since.
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

// restartStream stops and starts the stream, unless an operator stops it meanwhile.
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
