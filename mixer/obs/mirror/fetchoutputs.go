package mirror

import (
	"context"
	"time"

	"github.com/andreykaipov/goobs/api/requests/outputs"
	"github.com/andreykaipov/goobs/api/requests/record"
	"github.com/andreykaipov/goobs/api/requests/stream"

	"obvan/mixer"
	"obvan/mixer/obs/wire"
)

// fetchOutputs fetches which outputs are on. It can't see that an output is starting:
// only the event reports that.
func fetchOutputs(ctx context.Context, c Caller) (Patch, error) {
	all := map[string]*mixer.Output{}
	var streaming stream.GetStreamStatusResponse
	var recording record.GetRecordStatusResponse
	var replay, camera outputs.GetReplayBufferStatusResponse
	for _, ask := range []struct {
		name   string
		params wire.Params
		answer any
		state  func() (string, *time.Time)
	}{
		{Stream, &stream.GetStreamStatusParams{}, &streaming, func() (string, *time.Time) {
			if streaming.OutputReconnecting {
				return Reconnecting, since(streaming.OutputDuration)
			}
			return active(streaming.OutputActive, streaming.OutputDuration)
		}},
		{Record, &record.GetRecordStatusParams{}, &recording, func() (string, *time.Time) {
			if recording.OutputPaused {
				return Paused, since(recording.OutputDuration)
			}
			return active(recording.OutputActive, recording.OutputDuration)
		}},
		{Replay, &outputs.GetReplayBufferStatusParams{}, &replay, func() (string, *time.Time) { return active(replay.OutputActive, 0) }},
		{VirtualCam, &outputs.GetVirtualCamStatusParams{}, &camera, func() (string, *time.Time) { return active(camera.OutputActive, 0) }},
	} {
		err := c.Call(ctx, ask.params, ask.answer)
		if wire.Refusal(err) != 0 && optional(err) == nil {
			continue
		}
		if err != nil {
			return nil, err
		}
		state, began := ask.state()
		all[ask.name] = &mixer.Output{Name: ask.name, State: state, Since: began}
	}
	return func(m *Mirror) { m.putOutputs(all) }, nil
}

func active(is bool, ms float64) (string, *time.Time) {
	if is {
		return On, since(ms)
	}
	return Off, nil
}

func (m *Mirror) putOutputs(all map[string]*mixer.Output) {
	for name, o := range all {
		old := m.outputs.all[name]
		if old == nil {
			continue
		}
		// What is between off and on is known only from events.
		between := time.Since(m.outputs.changing) < changeTimeout &&
			(old.State == Starting && o.State == Off || old.State == Stopping && o.State == On)
		if between || old.State == o.State {
			all[name] = old
		}
	}
	m.outputs.all = all
}
