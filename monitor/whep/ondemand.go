package whep

import (
	"context"
	"sync"
	"time"

	"obvan/hub"
)

// onDemand derives streams from other streams: each once for all viewers, and only while it has
// a viewer.
type onDemand struct {
	feeds   *hub.Hub
	origin  hub.Origin
	produce func(ctx context.Context, stream string, from *hub.Subscriber, to *hub.Publisher) // until ctx is done or from ends

	mu      sync.Mutex
	streams map[string]*derived // by name of the original stream
	ended   sync.WaitGroup
}

// derived is a stream produced from another one. It has its own hub and the same name in it: a
// hub already provides one writer and many readers that don't wait for each other.
type derived struct {
	hub    *hub.Hub
	source *source
	users  int
	stop   context.CancelFunc
}

// join adds a user of a derived stream, and starts producing it for the first one. The function
// it returns removes the user; without users it stops.
func (w *onDemand) join(stream string) (*derived, func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := w.streams[stream]
	if m != nil {
		if _, live := m.hub.Stream(stream); !live { // producing it failed, or its source ended
			m = nil
		}
	}
	if m == nil {
		fresh, err := w.start(stream)
		if err != nil {
			return nil, nil, err
		}
		m = fresh
		w.streams[stream] = m
	}
	m.users++
	return m, sync.OnceFunc(func() { w.leave(stream, m) }), nil
}

func (w *onDemand) leave(stream string, m *derived) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.users--; m.users > 0 {
		return
	}
	m.stop()
	if w.streams[stream] == m {
		delete(w.streams, stream)
	}
}

func (w *onDemand) start(stream string) (*derived, error) {
	from, err := w.feeds.Subscribe(stream)
	if err != nil {
		return nil, err
	}
	m := &derived{hub: hub.New(), source: newSource(time.Now())}
	m.source.derived = true
	to, err := m.hub.Publish(stream, w.origin)
	if err != nil {
		from.Close()
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	w.ended.Go(func() {
		defer from.Close()
		defer to.Close()
		w.produce(ctx, stream, from, to)
	})
	return m, nil
}
