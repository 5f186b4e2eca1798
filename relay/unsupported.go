package relay

import (
	"context"
	"time"

	"obvan/hub"
	"obvan/media"
)

// waitForCodecChange waits until the program's codecs differ from those that the output
// could not carry. That may be the case already: the refusal took time, and a delayed
// destination gets there later.
func (k *connection) waitForCodecChange(ctx context.Context) {
	k.relay.mu.Lock()
	delay := k.endpoint.dest.spec.delay()
	k.relay.mu.Unlock()
	poll := time.NewTicker(measureEvery)
	defer poll.Stop()
	if delay == 0 {
		poll.Stop() // it is notified of changes
	}
	for {
		changed := k.relay.hub.Changed()
		if now := k.tracksAt(delay); now != nil && now != k.history.tracks {
			return
		}
		select {
		case <-changed:
		case <-poll.C:
		case <-k.retry:
			return
		case <-ctx.Done():
			return
		}
	}
}

// tracksAt is the program's tracks that far behind, where the next attempt would begin;
// nil when that is not known.
func (k *connection) tracksAt(behind time.Duration) *media.Tracks {
	if behind == 0 {
		st, _ := k.relay.hub.Stream(hub.Program)
		return st.Tracks
	}
	sub, err := k.relay.hub.Subscribe(hub.Program)
	if err != nil {
		return nil
	}
	defer sub.Close()
	if _, ready := sub.Delay(behind); !ready {
		return nil
	}
	au, err := sub.TryNext()
	if err != nil {
		return nil
	}
	return au.Tracks
}
