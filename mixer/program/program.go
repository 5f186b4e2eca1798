// Package program makes the hub stream "program": the unbroken stream that every
// output follows, whatever happens to the mixer behind it.
//
// Downstream never sees a discontinuity: decode timestamps only increase, audio stays
// on its frame grid, and a splice happens on a keyframe with that source's parameter
// sets. The failover chain, best level first: the mixer's output, the backup feeds, the
// freeze frame.
package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"obvan/hub"
	"obvan/mixer"
)

// Errors a caller can act on.
var (
	ErrNoLevel = errors.New("no such fallback level: use mixer, freeze or a backup feed")
	ErrNoFault = errors.New("a failover trigger is one of freeze, black, silence, bitrate, keyframes")
	ErrTimeout = errors.New("the signal-loss timeout is out of bounds")
)

// The levels of the failover chain. A backup may also be named by its feed.
const (
	LevelNone   = "none"
	LevelMixer  = "mixer"
	LevelBackup = "backup"
	LevelFreeze = "freeze"
)

// State is what is on air and why.
type State struct {
	OnAir       string    `json:"onAir"`                 // the hub stream that is on air now; "" during a freeze frame
	Target      string    `json:"target"`                // the stream that should be on air: the mixer's output
	Pending     string    `json:"pending,omitempty"`     // a stream that waits for its keyframe
	Since       time.Time `json:"since"`                 // of this OnAir
	Level       string    `json:"level"`                 // "mixer", "backup", "freeze" (the last frame is repeated), or "none" before the first frame
	Reason      string    `json:"reason,omitempty"`      // a sentence that says why the mixer's output is not on air
	FailoverOff bool      `json:"failoverOff,omitempty"` // the operator switched automatic failover off: the program stays on this level
	Locked      string    `json:"locked,omitempty"`      // the fallback level the operator locked the program to: "mixer", "freeze" or a feed
	Backups     []string  `json:"backups,omitempty"`     // feeds to fail over to, in order
	Splices     uint64    `json:"splices"`               // changes of source so far

	Warnings  []string `json:"warnings,omitempty"` // sentences about what seems to be wrong with what is on air
	Triggers  []Fault  `json:"triggers,omitempty"` // what a stream fails over for besides loss of signal: "freeze", "black", "silence", "bitrate", "keyframes"
	TimeoutMs int      `json:"timeoutMs"`          // the signal-loss timeout: how long a stream may send no video before the program fails over

	Timeouts map[string]int `json:"timeouts,omitempty"` // the same, in ms, for levels that have their own: "mixer", or a backup
}

// Program writes the program. Its methods are safe for concurrent use.
type Program struct {
	hub *hub.Hub
	log *slog.Logger
	pub *hub.Publisher

	wake chan struct{} // the request changed

	mu           sync.Mutex
	request      request
	state        State
	onAirChanged chan struct{} // closes when state.OnAir changes
	decoder      decoderWatch
}

// request is what the operator and the mixer requested of the program.
type request struct {
	target           string
	when             mixer.When
	follows          uint64 // counts Follow
	backups          []string
	locked           string // a fallback level, "" for automatic
	failoverOffLevel string // the level to stay on while failover is off, "" while it is on
	triggers         []Fault
	timeout          time.Duration
	timeouts         map[string]time.Duration // for levels that have their own; never modified
}

// lockedLevel is the only level allowed, "" when all are.
func (req *request) lockedLevel() string {
	if req.locked != "" {
		return req.locked
	}
	return req.failoverOffLevel
}

// New claims the stream "program" in h.
func New(h *hub.Hub, log *slog.Logger) (*Program, error) {
	pub, err := h.Publish(hub.Program, hub.Origin{Proto: "program"})
	if err != nil {
		return nil, fmt.Errorf("program: %w", err)
	}
	return &Program{
		hub: h, log: log, pub: pub,
		wake:         make(chan struct{}, 1),
		onAirChanged: make(chan struct{}),
		decoder:      decoderWatch{changed: make(chan struct{})},
		request:      request{timeout: DefaultTimeout},
		state:        State{Level: LevelNone, Since: time.Now(), TimeoutMs: int(DefaultTimeout.Milliseconds())},
	}, nil
}

// Follow makes stream the program's source, from its next possible splice point on.
// What is on air stays there until then.
func (p *Program) Follow(stream string, when mixer.When) {
	if stream == hub.Program {
		panic("program: it can't follow itself")
	}
	p.change(func(req *request) {
		req.target, req.when = stream, when
		req.follows++
	})
}

// SetBackups names the feeds to fail over to when the mixer's output fails, best first.
func (p *Program) SetBackups(feeds []string) {
	var backups []string
	for _, feed := range feeds {
		if feed != "" && feed != hub.Program && !slices.Contains(backups, feed) {
			backups = append(backups, feed)
		}
	}
	p.change(func(req *request) {
		req.backups = backups
		req.timeouts = maps.Clone(req.timeouts)
		maps.DeleteFunc(req.timeouts, func(level string, _ time.Duration) bool { return !req.has(level) })
	})
}

// SetTriggers says what a stream fails over for besides loss of signal, as long as a
// lower level is healthy; other faults only cause a warning. It fails with ErrNoFault.
func (p *Program) SetTriggers(faults []Fault) error {
	for _, fault := range faults {
		if !slices.Contains(Faults(), fault) {
			return fmt.Errorf("%q: %w", string(fault), ErrNoFault)
		}
	}
	triggers := slices.Clone(faults)
	p.change(func(req *request) { req.triggers = triggers })
	return nil
}

// SetFailover switches automatic failover on or off. While it is off the program stays
// on its fallback level: no failover, no failback. When that level's source sends no
// video, its last frame is frozen.
func (p *Program) SetFailover(on bool) {
	p.change(func(req *request) {
		switch {
		case on:
			req.failoverOffLevel = ""
		case req.failoverOffLevel == "": // it may be off already, with a freeze frame for now
			req.failoverOffLevel = p.level()
		}
	})
}

// level is the present level, a backup by its name; p.mu is locked.
func (p *Program) level() string {
	switch p.state.Level {
	case LevelBackup:
		return p.state.OnAir
	case LevelFreeze:
		return LevelFreeze
	}
	return LevelMixer
}

// Lock switches to a level and stays there: "mixer", "freeze" or one of the backup
// feeds; "" goes back to automatic. It fails with ErrNoLevel.
func (p *Program) Lock(level string) error {
	p.mu.Lock()
	known := level == "" || level == LevelFreeze || p.request.has(level)
	p.mu.Unlock()
	if !known {
		return fmt.Errorf("lock %q: %w", level, ErrNoLevel)
	}
	p.change(func(req *request) { req.locked = level })
	return nil
}

func (p *Program) change(change func(req *request)) {
	p.mu.Lock()
	change(&p.request)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *Program) requested() request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.request
}

// OnAir is the stream on air, "" during a freeze frame, and a channel that closes when
// that changes.
func (p *Program) OnAir() (stream string, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.OnAir, p.onAirChanged
}

// State is what is on air and why.
func (p *Program) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// setState makes s the state, and reports whether it differs from the last one.
func (p *Program) setState(s State) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.state
	if s.OnAir == old.OnAir && s.Target == old.Target && s.Pending == old.Pending && s.Level == old.Level &&
		s.Reason == old.Reason && s.FailoverOff == old.FailoverOff && s.Locked == old.Locked && s.Splices == old.Splices && slices.Equal(s.Backups, old.Backups) &&
		slices.Equal(s.Warnings, old.Warnings) && slices.Equal(s.Triggers, old.Triggers) &&
		s.TimeoutMs == old.TimeoutMs && maps.Equal(s.Timeouts, old.Timeouts) {
		return false
	}
	s.Since = old.Since
	if s.OnAir != old.OnAir || s.Level != old.Level {
		s.Since = time.Now()
	}
	p.state = s
	if s.OnAir != old.OnAir {
		close(p.onAirChanged)
		p.onAirChanged = make(chan struct{})
	}
	return true
}

// Run keeps the program going until ctx is done; then the stream ends. changed
// gets each new state, also at once at the start.
func (p *Program) Run(ctx context.Context, changed func(State)) error {
	defer p.pub.Close()
	r := newRun(p, changed)
	defer r.close()
	changed(p.State())
	for ctx.Err() == nil {
		r.step(ctx)
	}
	return nil
}
