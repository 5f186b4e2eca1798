package relay

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"obvan/hub"
)

// Relay supervises the destinations. Its methods are safe for concurrent use, and
// none of them waits for the network.
type Relay struct {
	hub     *hub.Hub
	outputs Protocols
	log     *slog.Logger
	dirty   chan struct{} // holds one token: some status changed

	mu          sync.Mutex
	list        []*destination  // in the order they were added
	running     context.Context // Run's; nil while it does not run
	program     bitrate
	connections sync.WaitGroup
}

// New makes a relay of h's program over outputs, by URL scheme.
func New(h *hub.Hub, outputs Protocols, log *slog.Logger) *Relay {
	return &Relay{hub: h, outputs: outputs, log: log, dirty: make(chan struct{}, 1), program: newBitrate()}
}

// Run keeps the started destinations connected until ctx is done and each has unpublished.
// changed gets all statuses whenever one changed, and once a second while one is started;
// it must not block.
func (r *Relay) Run(ctx context.Context, changed func([]Status)) error {
	r.begin(ctx)
	measure := time.NewTicker(measureEvery)
	defer measure.Stop()
	for count := 1; ; {
		select {
		case <-ctx.Done():
			r.end()
			changed(r.Statuses())
			return nil
		case <-r.dirty:
			changed(r.Statuses())
		case <-measure.C:
			if started := r.measure(time.Now()); started && count%measuresPerSecond == 0 {
				changed(r.Statuses())
			}
			count++
		}
	}
}

// begin connects what was started before Run.
func (r *Relay) begin(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = ctx
	for _, d := range r.list {
		if d.started {
			r.launchAll(d)
		}
	}
	r.notify()
}

// end waits until all destinations, in parallel, have unpublished; ctx is done.
func (r *Relay) end() {
	r.mu.Lock()
	r.running = nil // no more are launched
	r.mu.Unlock()
	r.connections.Wait()
}

// notify tells Run that a status changed.
func (r *Relay) notify() {
	select {
	case r.dirty <- struct{}{}:
	default:
	}
}

// launchAll starts a connection for each of d's endpoints; r.mu is held.
func (r *Relay) launchAll(d *destination) {
	for i := range d.active() {
		r.launch(&d.endpoints[i])
	}
}

// launch starts a connection for e; r.mu is held. The one it had, if any, ends first.
func (r *Relay) launch(e *endpoint) {
	if r.running == nil {
		return
	}
	ctx, cancel := context.WithCancel(r.running)
	c := &connection{relay: r, endpoint: e, cancel: cancel, retry: make(chan struct{}, 1), ended: make(chan struct{}), previous: e.connection}
	if c.previous != nil {
		c.previous.cancel()
		c.previous.addTotals()
	}
	c.bitrateCap.kbps.Store(int64(e.dest.spec.MaxKbps))
	e.connection = c
	e.setState(Connecting, "")
	r.connections.Add(1)
	go c.run(ctx)
}

// Put adds a destination or replaces the one with its ID. Where one is started and the
// address, key or delay of a connection changed, that connection is made again; a new name
// costs nothing. ErrAddress for an invalid address, as a sentence for an operator. key ""
// is no key.
func (r *Relay) Put(d Destination, key string) error {
	if d.ID == "" {
		return fmt.Errorf("put a destination: %w", ErrUnknown)
	}
	if err := r.outputs.checkAddresses(&d, key); err != nil {
		return err
	}
	d.HasKey, d.DelayMs = key != "", min(max(d.DelayMs, 0), MaxDelay.Milliseconds())
	if d.MaxKbps != 0 {
		d.MaxKbps = max(d.MaxKbps, MinKbps)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.notify()
	old := r.find(d.ID)
	if old == nil {
		r.list = append(r.list, newDestination(d, key))
		return nil
	}
	reconnect := old.change(d, key)
	for i := range old.endpoints {
		if c := old.endpoints[i].connection; c != nil {
			c.bitrateCap.kbps.Store(int64(d.MaxKbps)) // it applies at once
		}
	}
	for _, e := range reconnect {
		switch {
		case e.shouldConnect():
			r.launch(e)
		case e.connection != nil:
			e.connection.cancel()
		}
	}
	return nil
}

// Remove stops a destination and removes it. ErrUnknown.
func (r *Relay) Remove(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.find(id)
	if d == nil {
		return fmt.Errorf("remove %s: %w", id, ErrUnknown)
	}
	r.halt(d)
	r.list = slices.DeleteFunc(r.list, func(other *destination) bool { return other == d })
	r.notify()
	return nil
}

// Start connects a destination, or retries now when it waits. ErrUnknown.
func (r *Relay) Start(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.find(id)
	if d == nil {
		return fmt.Errorf("start %s: %w", id, ErrUnknown)
	}
	defer r.notify()
	if d.started && d.endpoints[0].connection != nil {
		for _, e := range d.active() {
			if e.connection != nil {
				e.connection.retryNow()
			}
		}
		return nil
	}
	d.started = true
	for i := range d.endpoints {
		d.endpoints[i].attempt, d.endpoints[i].backup = 0, i > 0
	}
	r.launchAll(d)
	for i := range d.endpoints {
		d.endpoints[i].finished = counts{}
	}
	return nil
}

// Stop ends it with a proper unpublish: it is off once that is done, within two seconds.
// ErrUnknown.
func (r *Relay) Stop(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.find(id)
	if d == nil {
		return fmt.Errorf("stop %s: %w", id, ErrUnknown)
	}
	r.halt(d)
	r.notify()
	return nil
}

// halt ends d's connections; r.mu is held.
func (r *Relay) halt(d *destination) {
	d.started = false
	for i := range d.endpoints {
		e := &d.endpoints[i]
		e.graceEnds = time.Time{}
		if e.connection == nil {
			e.setState(Off, "")
			continue
		}
		e.connection.cancel()
		e.reason, e.nextTry = "stopping", time.Time{}
	}
}

// Statuses is the status of all destinations, in the order they were added.
func (r *Relay) Statuses() []Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Status, len(r.list))
	for i, d := range r.list {
		all[i] = d.status()
	}
	return all
}

func (r *Relay) find(id string) *destination {
	for _, d := range r.list {
		if d.spec.ID == id {
			return d
		}
	}
	return nil
}

// activeConnections is the connections with an attempt under way, and whether any
// destination is started; r.mu is held.
func (r *Relay) activeConnections() (under []*connection, started bool) {
	for _, d := range r.list {
		started = started || d.started
		for i := range d.endpoints {
			if c := d.endpoints[i].connection; c != nil && c.stats != nil {
				under = append(under, c)
			}
		}
	}
	return under, started
}

// measure brings the links' counters up to date and ends the state live of those that
// stopped confirming. It reports whether any destination is started.
func (r *Relay) measure(now time.Time) bool {
	r.mu.Lock()
	under, started := r.activeConnections()
	links := make([]*Link, len(under))
	for i, c := range under {
		links[i] = c.stats.link
	}
	r.mu.Unlock()
	for _, link := range links {
		link.Measure() // asks the system: not under the mutex
	}
	r.hub.Keep(hub.Program, r.longestDelay())
	program, _ := r.hub.Stream(hub.Program)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.program.Add(now, program.Bytes)
	under, _ = r.activeConnections()
	for _, c := range under {
		c.checkProof(now, r.program.kbps())
	}
	return started
}
