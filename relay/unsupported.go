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
func (c *connection) waitForCodecChange(ctx context.Context) {
	c.relay.mu.Lock()
	delay := c.endpoint.dest.spec.delay()
	c.relay.mu.Unlock()
	poll := time.NewTicker(measureEvery)
	defer poll.Stop()
	if delay == 0 {
		poll.Stop() // it is notified of changes
	}
	for {
		changed := c.relay.hub.Changed()
		if now := c.tracksAt(delay); now != nil && now != c.history.tracks {
			return
		}
		select {
		case <-changed:
		case <-poll.C:
		case <-c.retry:
			return
		case <-ctx.Done():
			return
		}
	}
}

// tracksAt is the program's tracks that far behind, where the next attempt would begin;
// nil when that is not known.
func (c *connection) tracksAt(behind time.Duration) *media.Tracks {
	if behind == 0 {
		st, _ := c.relay.hub.Stream(hub.Program)
		return st.Tracks
	}
	sub, err := c.relay.hub.Subscribe(hub.Program)
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
