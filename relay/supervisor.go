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

	mu      sync.Mutex
	list    []*destination  // in the order they were added
	running context.Context // Run's; nil while it does not run
	program pace
	keepers sync.WaitGroup
}

// New makes a relay of h's program over outputs, by URL scheme.
func New(h *hub.Hub, outputs Protocols, log *slog.Logger) *Relay {
	return &Relay{hub: h, outputs: outputs, log: log, dirty: make(chan struct{}, 1)}
}

// Run keeps the started destinations going until ctx is done and each has
// unpublished. changed gets all statuses whenever one changed, and once a second
// while one is started; it must not block.
func (r *Relay) Run(ctx context.Context, changed func([]Status)) error {
	r.begin(ctx)
	measure := time.NewTicker(measureEvery)
	defer measure.Stop()
	for looks := 1; ; {
		select {
		case <-ctx.Done():
			r.end()
			changed(r.Statuses())
			return nil
		case <-r.dirty:
			changed(r.Statuses())
		case <-measure.C:
			if started := r.measure(time.Now()); started && looks%looksASecond == 0 {
				changed(r.Statuses())
			}
			looks++
		}
	}
}

// begin launches what was started before Run.
func (r *Relay) begin(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = ctx
	for _, d := range r.list {
		if d.wanted {
			r.launch(d)
		}
	}
	r.note()
}

// end waits until every destination, all at once, has unpublished; ctx is done.
func (r *Relay) end() {
	r.mu.Lock()
	r.running = nil // no more are launched
	r.mu.Unlock()
	r.keepers.Wait()
}

// note tells Run that there is something to tell.
func (r *Relay) note() {
	select {
	case r.dirty <- struct{}{}:
	default:
	}
}

// launch gives d a keeper; r.mu is held. The one it had, if any, ends first.
func (r *Relay) launch(d *destination) {
	if r.running == nil {
		return
	}
	ctx, cancel := context.WithCancel(r.running)
	k := &keeper{relay: r, dest: d, cancel: cancel, again: make(chan struct{}, 1), ended: make(chan struct{}), before: d.keeper}
	if k.before != nil {
		k.before.cancel()
		k.before.settle()
	}
	d.keeper = k
	d.become(Connecting, "")
	r.keepers.Add(1)
	go k.run(ctx)
}

// Put adds a destination or replaces the one with its ID. One that is started and
// whose address, key or delay changed reconnects; a new name costs nothing. ErrUnsupported
// for an unknown scheme, ErrAddress for an address that makes no sense. key "" is
// no key.
func (r *Relay) Put(d Destination, key string) error {
	if d.ID == "" {
		return fmt.Errorf("put a destination: %w", ErrUnknown)
	}
	if _, err := r.outputs.address(d.URL, key); err != nil {
		return fmt.Errorf("put %s: %w", d.ID, err)
	}
	if d.BackupURL != "" {
		if _, err := r.outputs.address(d.BackupURL, key); err != nil {
			return fmt.Errorf("put %s: backup: %w", d.ID, err)
		}
	}
	d.HasKey, d.DelayMs = key != "", min(max(d.DelayMs, 0), MaxDelay.Milliseconds())
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.note()
	old := r.find(d.ID)
	if old == nil {
		r.list = append(r.list, &destination{spec: d, key: key, state: Off, since: time.Now()})
		return nil
	}
	same := old.sameFarEnd(d, key)
	old.spec, old.key = d, key
	if old.wanted && !same {
		old.backup, old.starves = false, time.Time{}
		r.launch(old)
	}
	return nil
}

// Remove stops a destination and forgets it. ErrUnknown.
func (r *Relay) Remove(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.find(id)
	if d == nil {
		return fmt.Errorf("remove %s: %w", id, ErrUnknown)
	}
	r.halt(d)
	r.list = slices.DeleteFunc(r.list, func(other *destination) bool { return other == d })
	r.note()
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
	defer r.note()
	if d.wanted && d.keeper != nil {
		d.keeper.retryNow()
		return nil
	}
	d.wanted, d.attempt, d.backup = true, 0, false
	r.launch(d)
	d.past = counts{}
	return nil
}

// Stop ends it with a proper unpublish: it is off once that is done, within two
// seconds. ErrUnknown.
func (r *Relay) Stop(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := r.find(id)
	if d == nil {
		return fmt.Errorf("stop %s: %w", id, ErrUnknown)
	}
	r.halt(d)
	r.note()
	return nil
}

// halt tells d's keeper to end; r.mu is held.
func (r *Relay) halt(d *destination) {
	d.wanted, d.starves = false, time.Time{}
	if d.keeper == nil {
		d.become(Off, "")
		return
	}
	d.keeper.cancel()
	d.reason, d.nextTry = "stopping", time.Time{}
}

// Statuses is how all destinations fare, in the order they were added.
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

// measure brings the links' counters up to date and takes the word "live" from
// those that stopped proving it. It reports whether any destination is started.
func (r *Relay) measure(now time.Time) bool {
	r.mu.Lock()
	var meters []*meter
	started := false
	for _, d := range r.list {
		started = started || d.wanted
		if d.keeper != nil && d.keeper.meter != nil {
			meters = append(meters, d.keeper.meter)
		}
	}
	r.mu.Unlock()
	for _, m := range meters {
		m.link.Measure() // asks the system: not under the mutex
	}
	r.hub.Keep(hub.Program, r.longestDelay())
	program, _ := r.hub.Stream(hub.Program)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.program.add(now, program.Bytes)
	for _, d := range r.list {
		if d.keeper != nil && d.keeper.meter != nil {
			d.keeper.look(now, r.program.kbps())
		}
	}
	return started
}
