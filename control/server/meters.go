package server

import (
	"context"
	"encoding/json"

	"obvan/mixer"
)

// meterQueue is the mixer's audio levels on their way to one websocket. Only the newest wait:
// a meter that lags is worse than one that skips.
type meterQueue struct {
	newest chan []byte
	stop   context.CancelFunc // nil while they are off; of the worker of the area audio
}

// metersMessage is the params of the notification.
type metersMessage struct {
	Inputs []mixer.Meter `json:"inputs"`
}

// sendMeters starts or stops writing the levels to the websocket.
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
			k.server.log.Warn("no audio levels", "who", k.who.Name, "err", err)
		}
	})
}

// queueMeters hands the newest levels to the writer, in place of those it has not written.
func (k *socket) queueMeters(all []mixer.Meter) {
	note, err := json.Marshal(notification{"2.0", "meters", metersMessage{all}})
	if err != nil {
		return // a level that is not a number
	}
	select {
	case <-k.meters.newest:
	default:
	}
	select {
	case k.meters.newest <- note:
	default: // newer ones were queued meanwhile
	}
}
