package relay

import (
	"context"
	"time"

	"obvan/hub"
	"obvan/media"
)

// waitForChange waits until the program is coded in another way than what the output
// could not carry. The program may be so already: the refusal took its time, and a
// destination that stays behind comes to it later.
func (k *connection) waitForCodecChange(ctx context.Context) {
	k.relay.mu.Lock()
	delay := k.endpoint.dest.spec.delay()
	k.relay.mu.Unlock()
	look := time.NewTicker(measureEvery)
	defer look.Stop()
	if delay == 0 {
		look.Stop() // it is told of changes
	}
	for {
		changed := k.relay.hub.Changed()
		if now := k.tracksAt(delay); now != nil && now != k.history.tracks {
			return
		}
		select {
		case <-changed:
		case <-look.C:
		case <-k.retry:
			return
		case <-ctx.Done():
			return
		}
	}
}

// coded is how the program is coded so far behind, where the next attempt would begin;
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
