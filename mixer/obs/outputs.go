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

// Times of starting and stopping.
const (
	outputTimeout = 20 * time.Second // a start or stop takes no longer on a good day
	// afterLogin is how long an output that seems off right after connecting may be
	// starting already: OBS does not say. A stream to the studio starts quickly.
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

// StartOutput starts an output and returns once it runs, or why it does not.
func (m *Mixer) StartOutput(ctx context.Context, output string) error {
	err := m.start(ctx, output, afterLogin)
	if output != mirror.Stream || !errors.Is(err, mixer.ErrNotNow) || m.cfg.Program == "" {
		return err
	}
	// Each profile has an address of its own, and OBS does not say that it is none.
	if conn, away := m.shared.online(); away == nil && !m.streamsToStudio(ctx, conn) {
		return fmt.Errorf("%w: OBS' stream did not start: it does not go to the studio in this profile of OBS; set OBS up again", mixer.ErrNotNow)
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

// change is a start or a stop.
type outputChange struct {
	request   wire.Params
	uncertain time.Duration                   // after connecting; an output may be starting then
	done      func(state string) bool         // nothing needs to be done
	result    func(after *mixer.Output) error // once OBS is through with it
}

// settle serialises the starting and stopping of one output. OBS crashes when it
// is asked to start a stream that is starting, and ignores a stop right after a
// start: so a command holds its turn until OBS reported what became of it. It waits
// until the output neither starts nor stops, sends the request unless the output is
// as wanted, and waits for its effect.
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

// quiet waits until the output neither starts nor stops, and until that is sure.
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
		return fmt.Errorf("%w: OBS' %s is still busy: %w", mixer.ErrBusy, name, err)
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
