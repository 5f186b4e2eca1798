package obs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/andreykaipov/goobs/api/requests/outputs"
	"github.com/andreykaipov/goobs/api/requests/record"
	"github.com/andreykaipov/goobs/api/requests/stream"

	"obvan/internal/retry"
	"obvan/mixer"
	"obvan/mixer/obs/mirror"
	"obvan/mixer/obs/wire"
)

// Times for starting and stopping an output.
const (
	outputTimeout = 20 * time.Second // a start or stop usually takes no longer
	// afterLogin is how long an output that looks off right after connecting may already
	// be starting: OBS does not report that. A stream to the studio starts quickly.
	afterLogin   = 3 * time.Second
	afterRestart = 700 * time.Millisecond
)

var startRequests = map[string]wire.Params{
	mirror.Stream: &stream.StartStreamParams{}, mirror.Record: &record.StartRecordParams{},
	mirror.Replay: &outputs.StartReplayBufferParams{}, mirror.VirtualCam: &outputs.StartVirtualCamParams{},
}

var stopRequests = map[string]wire.Params{
	mirror.Stream: &stream.StopStreamParams{}, mirror.Record: &record.StopRecordParams{},
	mirror.Replay: &outputs.StopReplayBufferParams{}, mirror.VirtualCam: &outputs.StopVirtualCamParams{},
}

// StartOutput starts an output and returns once it runs, or the reason why it does not.
func (m *Mixer) StartOutput(ctx context.Context, output string) error {
	err := m.start(ctx, output, afterLogin)
	if output != mirror.Stream || !errors.Is(err, mixer.ErrNotNow) || m.cfg.Program == "" {
		return err
	}
	// Each profile has its own stream address, and OBS does not report that it is missing.
	if conn, offline := m.shared.online(); offline == nil && !m.streamsToStudio(ctx, conn) {
		return fmt.Errorf("%w: OBS' stream did not start: in this OBS profile it does not go to the studio; set OBS up again", mixer.ErrNotNow)
	}
	return err
}

func (m *Mixer) start(ctx context.Context, output string, uncertain time.Duration) error {
	return m.changeOutput(ctx, output, starting(output, uncertain))
}

func starting(output string, uncertain time.Duration) outputChange {
	return outputChange{startRequests[output], uncertain, func(state string) bool { return state != mirror.Off }, func(o *mixer.Output) error {
		if o.State != mirror.Off {
			return nil
		}
		return fmt.Errorf("%w: OBS' %s did not start: %s", mixer.ErrNotNow, output, o.Reason)
	}}
}

// StopOutput stops an output and returns once it is off.
func (m *Mixer) StopOutput(ctx context.Context, output string) error {
	if output == mirror.Stream {
		m.restarting.Store(false)
	}
	return m.changeOutput(ctx, output, stopping(output))
}

func stopping(output string) outputChange {
	return outputChange{stopRequests[output], 0, func(state string) bool { return state == mirror.Off }, func(o *mixer.Output) error {
		if o.State == mirror.Off {
			return nil
		}
		return fmt.Errorf("%w: OBS' %s did not stop", mixer.ErrNotNow, output)
	}}
}

// outputChange is a start or a stop.
type outputChange struct {
	request   wire.Params
	uncertain time.Duration                   // time after connecting in which the output may be starting already
	done      func(state string) bool         // there is nothing to do
	result    func(after *mixer.Output) error // once OBS has finished
}

// changeOutput serializes the starting and stopping of one output: OBS does not handle
// overlapping requests for it reliably. So a command keeps the output's lock until OBS
// has reported the result. It waits until the output is neither starting nor stopping,
// sends the request unless the output is already as requested, and waits for its effect.
func (m *Mixer) changeOutput(ctx context.Context, name string, c outputChange) error {
	outputLock := m.outputLocks[name]
	if outputLock == nil {
		return fmt.Errorf("%w: %q", mixer.ErrNoOutput, name)
	}
	ctx, cancel := context.WithTimeout(ctx, outputTimeout)
	defer cancel()
	release, err := lock(ctx, outputLock)
	if err != nil {
		return err
	}
	defer release()
	if err := m.awaitIdle(ctx, name, c.uncertain); err != nil {
		return err
	}
	v, _ := m.shared.current()
	before := findOutput(&v, name)
	switch {
	case before == nil:
		return fmt.Errorf("%w: OBS has no %s", mixer.ErrNoOutput, name)
	case c.done(before.State):
		return nil
	}
	if err := m.call(ctx, mixer.ErrNoOutput, c.request, nil); err != nil {
		return err
	}
	if err := m.shared.await(ctx, func(now *view) bool { return now.outputEvents[name] != v.outputEvents[name] }); err != nil {
		return fmt.Errorf("%w: %w", mixer.ErrUnsure, err)
	}
	if err := m.shared.await(ctx, func(v *view) bool { return idle(findOutput(v, name)) }); err != nil {
		return fmt.Errorf("%w: %w", mixer.ErrUnsure, err)
	}
	v, _ = m.shared.current()
	if after := findOutput(&v, name); after != nil {
		return c.result(after)
	}
	return mixer.ErrNoOutput
}

// awaitIdle waits until the output is neither starting nor stopping, and that is certain.
func (m *Mixer) awaitIdle(ctx context.Context, name string, uncertain time.Duration) error {
	v, _ := m.shared.current()
	if o := findOutput(&v, name); o != nil && o.State == mirror.Off {
		if wait := time.Until(v.since.Add(uncertain)); wait > 0 {
			if err := retry.Sleep(ctx, wait); err != nil {
				return fmt.Errorf("%w: %w", mixer.ErrBusy, err)
			}
		}
	}
	err := m.shared.await(ctx, func(v *view) bool { return idle(findOutput(v, name)) })
	if ctx.Err() != nil {
		return fmt.Errorf("%w: OBS' %s is still starting or stopping: %w", mixer.ErrBusy, name, err)
	}
	return err
}

func findOutput(v *view, name string) *mixer.Output {
	for i := range v.Outputs {
		if v.Outputs[i].Name == name {
			return &v.Outputs[i]
		}
	}
	return nil
}

func idle(o *mixer.Output) bool {
	return o == nil || o.State != mirror.Starting && o.State != mirror.Stopping
}
