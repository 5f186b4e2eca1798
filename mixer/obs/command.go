package obs

import (
	"context"
	"errors"
	"fmt"

	"obvan/mixer"
	"obvan/mixer/obs/wire"
)

// Call sends OBS a request that has no command of its own. Its errors are those of
// commands.
func (m *Mixer) Call(ctx context.Context, params wire.Params, response any) error {
	return m.call(ctx, mixer.ErrNoInput, params, response)
}

// call sends OBS a request; missing is the error for what OBS does not have.
func (m *Mixer) call(ctx context.Context, missing error, params wire.Params, response any) error {
	conn, err := m.shared.online()
	if err != nil {
		return err
	}
	return outcome(conn.Call(ctx, params, response), missing)
}

// outcome turns the result of a request into one of the mixer's errors.
func outcome(err, missing error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, wire.ErrUnanswered):
		return fmt.Errorf("%w: %w", mixer.ErrUnsure, err)
	case errors.Is(err, wire.ErrClosed):
		return fmt.Errorf("%w: %w", mixer.ErrOffline, err)
	}
	switch wire.Refusal(err) {
	case 0:
		return err
	case wire.CodeNotFound, wire.CodeWrongType:
		return fmt.Errorf("%w: %w", missing, err)
	case wire.CodeNotReady:
		return fmt.Errorf("%w: %w", mixer.ErrBusy, err)
	}
	return fmt.Errorf("%w: %w", mixer.ErrNotNow, err)
}

// lock takes a lock's token, unless ctx ends first: requests of one command must not mix
// with another's.
func lock(ctx context.Context, turn chan struct{}) (release func(), err error) {
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", mixer.ErrBusy, ctx.Err())
	}
}

// awaitEvents waits until every event that OBS has sent so far is in the view: an answer
// reaches its command directly, but an event before it may still be in the queue.
func (m *Mixer) awaitEvents(ctx context.Context, conn *wire.Conn) error {
	mark := make(chan struct{})
	select {
	case m.eventMarks <- mark:
	case <-conn.Done():
		return mixer.ErrOffline
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-mark:
		return nil
	case <-conn.Done():
		return mixer.ErrOffline
	case <-ctx.Done():
		return ctx.Err()
	}
}
