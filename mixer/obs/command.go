package obs

import (
	"context"
	"errors"
	"fmt"

	"obvan/mixer"
	"obvan/mixer/obs/wire"
)

// online is the connection, once OBS told all about itself.
func (m *Mixer) online() (*wire.Conn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn == nil || !m.view.Connected {
		return nil, mixer.ErrOffline
	}
	return m.conn, nil
}

// Call asks OBS for something that has no command of its own. Its errors are those
// of commands.
func (m *Mixer) Call(ctx context.Context, params wire.Params, response any) error {
	return m.call(ctx, mixer.ErrNoInput, params, response)
}

// call asks OBS; missing is the error for what it does not have.
func (m *Mixer) call(ctx context.Context, missing error, params wire.Params, response any) error {
	conn, err := m.online()
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
func hold(ctx context.Context, turn chan struct{}) (release func(), err error) {
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", mixer.ErrBusy, ctx.Err())
	}
}
