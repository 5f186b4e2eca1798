package obs

import (
	"context"
	"errors"
	"fmt"

	"obvan/mixer"
	"obvan/mixer/obs/wire"
)

// Call asks OBS for something that has no command of its own. Its errors are those
// of commands.
func (m *Mixer) Call(ctx context.Context, params wire.Params, response any) error {
	return m.call(ctx, mixer.ErrNoInput, params, response)
}

// call asks OBS; missing is the error for what it does not have.
func (m *Mixer) call(ctx context.Context, missing error, params wire.Params, response any) error {
	conn, err := m.shared.online()
	if err != nil {
		return err
	}
	return outcome(conn.Call(ctx, params, response), missing)
}

// outcome is what became of a request in the mixer's words.
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

// hold takes a turn; commands that belong together must not mix with others.
func lock(ctx context.Context, turn chan struct{}) (release func(), err error) {
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", mixer.ErrBusy, ctx.Err())
	}
}

// heard waits until everything that OBS said so far is in the view: an answer
// comes to its command at once, but an event before it may still be in the queue.
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
