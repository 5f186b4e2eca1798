package obs

import (
	"context"
	"sync"

	"obvan/mixer"
	"obvan/mixer/obs/wire"
)

// sharedState is where the session writes what it knows about OBS, and commands read it.
type sharedState struct {
	mu      sync.Mutex
	conn    *wire.Conn // nil while offline
	view    view
	changed chan struct{}     // closes when the view changes
	onState func(mixer.State) // reports to whoever called Run
}

func newSharedState() sharedState {
	return sharedState{changed: make(chan struct{}), onState: func(mixer.State) {}}
}

// setOnState makes states go to changed from now on; for the goroutine that publishes.
func (b *sharedState) setOnState(changed func(mixer.State)) { b.onState = changed }

// publish makes v what commands see, and reports its state to the studio.
func (b *sharedState) publish(conn *wire.Conn, v view) {
	b.mu.Lock()
	b.conn, b.view = conn, v
	close(b.changed)
	b.changed = make(chan struct{})
	b.mu.Unlock()
	b.onState(v.State)
}

// online is the connection, once the complete state of OBS was fetched.
func (b *sharedState) online() (*wire.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn == nil || !b.view.Connected {
		return nil, mixer.ErrOffline
	}
	return b.conn, nil
}

// current is what is known, and a channel that closes when that changes.
func (b *sharedState) current() (view, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.view, b.changed
}

// await waits until fact is true. It fails with ErrOffline when OBS disconnects
// meanwhile.
func (b *sharedState) await(ctx context.Context, fact func(v *view) bool) error {
	for {
		v, changed := b.current()
		switch {
		case !v.Connected:
			return mixer.ErrOffline
		case fact(&v):
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awaitOnline waits until commands are accepted.
func (b *sharedState) awaitOnline(ctx context.Context) error {
	for {
		v, changed := b.current()
		if v.Connected {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
