package wire

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/andreykaipov/goobs/api/events"
	"github.com/andreykaipov/goobs/api/opcodes"
)

// EventsLost is delivered in place of events that arrived faster than they were read: the
// reader has to fetch everything again.
type EventsLost struct{}

const volumeMeters = "InputVolumeMeters"

// inbox is the bounded queue between the socket and the reader of events. When it is full
// all of it is replaced by one EventsLost: a flood costs a resync, not memory.
type inbox struct {
	mu    sync.Mutex
	queue []opcodes.Event
	bytes int
	lost  bool
	ready chan struct{}
}

func (b *inbox) put(ev opcodes.Event) {
	b.mu.Lock()
	if len(b.queue) >= maxQueued || b.bytes > maxMessage {
		b.queue, b.bytes, b.lost = nil, 0, true
	}
	b.queue = append(b.queue, ev)
	b.bytes += len(ev.Data)
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

func (b *inbox) take() (all []opcodes.Event, lost bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all, lost = b.queue, b.lost
	b.queue, b.bytes, b.lost = nil, 0, false
	return all, lost
}

// event queues an event; of the meters, which have their own channel, only the newest.
func (c *Conn) event(raw json.RawMessage) {
	var ev opcodes.Event
	if json.Unmarshal(raw, &ev) != nil || ev.Type == "" {
		return
	}
	if ev.Type == volumeMeters {
		select {
		case <-c.meters:
		default:
		}
		c.meters <- ev.Data // only this goroutine sends to it
		return
	}
	if c.opts.UsesEvent == nil || c.opts.UsesEvent(ev.Type) {
		c.inbox.put(ev)
	}
}

// Ready gets a token when Events has something new.
func (c *Conn) Ready() <-chan struct{} { return c.inbox.ready }

// Events is what has arrived since the last call, in order, as goobs' event types and
// EventsLost. Unknown and malformed events are left out. It has one reader.
func (c *Conn) Events() []any {
	queued, lost := c.inbox.take()
	var all []any
	if lost {
		all = append(all, EventsLost{})
	}
	for _, ev := range queued {
		typed := events.GetType(ev.Type)
		if typed == nil {
			continue
		}
		if len(ev.Data) > 0 && json.Unmarshal(ev.Data, typed) != nil {
			continue
		}
		all = append(all, typed)
	}
	return all
}

// Meters gets the newest volume meters while they are subscribed to; DecodeMeters
// reads them.
func (c *Conn) Meters() <-chan json.RawMessage { return c.meters }

// DecodeMeters reads what Meters gets.
func DecodeMeters(raw json.RawMessage) (*events.InputVolumeMeters, error) {
	m := &events.InputVolumeMeters{}
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("volume meters: %w", err)
	}
	return m, nil
}
