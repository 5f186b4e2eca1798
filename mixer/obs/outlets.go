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
	settleTime = 20 * time.Second // a start or stop takes no longer on a good day
	// afterLogin is how long an output that seems off right after connecting may be
	// starting already: OBS does not say. A stream to the studio starts quickly.
	afterLogin   = 3 * time.Second
	afterRestart = 700 * time.Millisecond
)

var starters = map[string]wire.Params{
	mirror.Stream: &stream.StartStreamParams{}, mirror.Record: &record.StartRecordParams{},
	mirror.Replay: &outputs.StartReplayBufferParams{}, mirror.VirtualCam: &outputs.StartVirtualCamParams{},
}

var stoppers = map[string]wire.Params{
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
	if conn, away := m.board.online(); away == nil && !m.sendsToUs(ctx, conn) {
		return fmt.Errorf("%w: OBS' stream did not start: it does not go to the studio in this profile of OBS; set OBS up again", mixer.ErrNotNow)
	}
	return err
}

func (m *Mixer) start(ctx context.Context, output string, unsure time.Duration) error {
	return m.settle(ctx, output, starting(output, unsure))
}

func starting(output string, unsure time.Duration) change {
	return change{starters[output], unsure, func(state string) bool { return state != mirror.Off }, func(o *mixer.Output) error {
		if o.State != mirror.Off {
			return nil
		}
		return fmt.Errorf("%w: OBS' %s did not start: %s", mixer.ErrNotNow, output, o.Reason)
	}}
}

// StopOutput stops an output and returns once it is off.
func (m *Mixer) StopOutput(ctx context.Context, output string) error {
	if output == mirror.Stream {
		m.revival.Store(false)
	}
	return m.settle(ctx, output, stopping(output))
}

func stopping(output string) change {
	return change{stoppers[output], 0, func(state string) bool { return state == mirror.Off }, func(o *mixer.Output) error {
		if o.State == mirror.Off {
			return nil
		}
		return fmt.Errorf("%w: OBS' %s did not stop", mixer.ErrNotNow, output)
	}}
}

// change is a start or a stop.
type change struct {
	request wire.Params
	unsure  time.Duration                   // after connecting; an output may be starting then
	there   func(state string) bool         // nothing needs to be done
	verdict func(after *mixer.Output) error // once OBS is through with it
}

// settle serialises the starting and stopping of one output. OBS crashes when it
// is asked to start a stream that is starting, and ignores a stop right after a
// start: so a command holds its turn until OBS reported what became of it. It waits
// until the output neither starts nor stops, sends the request unless the output is
// as wanted, and waits for its effect.
func (m *Mixer) settle(ctx context.Context, name string, c change) error {
	lane := m.outs[name]
	if lane == nil {
		return fmt.Errorf("%w: %q", mixer.ErrNoOutput, name)
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	release, err := hold(ctx, lane)
	if err != nil {
		return err
	}
	defer release()
	if err := m.quiet(ctx, name, c.unsure); err != nil {
		return err
	}
	v, _ := m.board.now()
	before := find(&v, name)
	switch {
	case before == nil:
		return fmt.Errorf("%w: OBS has no %s", mixer.ErrNoOutput, name)
	case c.there(before.State):
		return nil
	}
	if err := m.call(ctx, mixer.ErrNoOutput, c.request, nil); err != nil {
		return err
	}
	if err := m.board.await(ctx, func(now *view) bool { return now.words[name] != v.words[name] }); err != nil {
		return fmt.Errorf("%w: %w", mixer.ErrUnsure, err)
	}
	if err := m.board.await(ctx, func(v *view) bool { return still(find(v, name)) }); err != nil {
		return fmt.Errorf("%w: %w", mixer.ErrUnsure, err)
	}
	v, _ = m.board.now()
	if after := find(&v, name); after != nil {
		return c.verdict(after)
	}
	return mixer.ErrNoOutput
}

// quiet waits until the output neither starts nor stops, and until that is sure.
func (m *Mixer) quiet(ctx context.Context, name string, unsure time.Duration) error {
	v, _ := m.board.now()
	if o := find(&v, name); o != nil && o.State == mirror.Off {
		if wait := time.Until(v.since.Add(unsure)); wait > 0 {
			if err := retry.Sleep(ctx, wait); err != nil {
				return fmt.Errorf("%w: %w", mixer.ErrBusy, err)
			}
		}
	}
	err := m.board.await(ctx, func(v *view) bool { return still(find(v, name)) })
	if ctx.Err() != nil {
		return fmt.Errorf("%w: OBS' %s is still busy: %w", mixer.ErrBusy, name, err)
	}
	return err
}

func find(v *view, name string) *mixer.Output {
	for i := range v.Outputs {
		if v.Outputs[i].Name == name {
			return &v.Outputs[i]
		}
	}
	return nil
}

func still(o *mixer.Output) bool {
	return o == nil || o.State != mirror.Starting && o.State != mirror.Stopping
}
