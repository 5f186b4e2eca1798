package server

import (
	"context"
	"encoding/json"

	"obvan/mixer"
)

// levels is the mixer's levels on their way to one socket. Only the newest waits: a
// needle that lags is worse than one that skips.
type meterQueue struct {
	newest chan []byte
	stop   context.CancelFunc // nil while nobody looks; of the worker of the area audio
}

// levelsMessage is the notification's params.
type metersMessage struct {
	Inputs []mixer.Meter `json:"inputs"`
}

// sendMeters has the levels written to the socket, or not any more.
func (k *socket) sendMeters(desk mixer.AudioMixer, on bool) {
	if on == (k.meters.stop != nil) {
		return
	}
	if !on {
		k.meters.stop()
		k.meters.stop = nil
		return
	}
	ctx, stop := context.WithCancel(k.server.clients.ctx)
	k.meters.stop = stop
	k.workers.Go(func() {
		select {
		case <-k.closing:
		case <-ctx.Done():
		}
		stop()
	})
	k.workers.Go(func() {
		if err := desk.Meters(ctx, k.queueMeters); err != nil {
			k.server.log.Warn("no levels", "who", k.who.Name, "err", err)
		}
	})
}

// level hands the newest levels to the writer, in place of those it did not take.
func (k *socket) queueMeters(all []mixer.Meter) {
	note, err := json.Marshal(notification{"2.0", "meters", metersMessage{all}})
	if err != nil {
		return // a level that is no number
	}
	select {
	case <-k.meters.newest:
	default:
	}
	select {
	case k.meters.newest <- note:
	default: // somebody who looks again was quicker
	}
}
