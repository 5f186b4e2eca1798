package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"obvan/internal/redact"
	"obvan/internal/retry"
)

// Errors of a pull.
var (
	ErrScheme      = errors.New("cameras can't be pulled over this protocol")
	ErrCredentials = errors.New("the camera refused the user name or password")
	ErrEnded       = errors.New("the camera ended the stream")
)

const (
	pullMinWait = 500 * time.Millisecond
	pullMaxWait = 10 * time.Second
	// Cameras lock an account after a few wrong passwords: retry rarely.
	pullRefusedWait = 30 * time.Second
	// A failure after this long live resets the back-off.
	pullStableAfter = 10 * time.Second
)

// The states of a pull.
const (
	PullConnecting = "connecting"
	PullLive       = "live"
	PullRetrying   = "retrying"
)

// PullState is the state of a pull.
type PullState struct {
	State   string    // "connecting", "live", "retrying"
	Problem string    // the last error as text, without credentials
	NextTry time.Time // while retrying
}

// Pulls connects to the cameras that do not connect to us, and reconnects when they
// fail. Its methods are safe for concurrent use.
type Pulls struct {
	env       Env
	protocols Protocols

	mu         sync.Mutex
	pulls      map[string]*pull
	ctx        context.Context // Run's; nil while it does not run
	changed    func()
	startPulls sync.WaitGroup
}

// pull is one camera. Its URL does not change: a new URL is a new pull.
type pull struct {
	feed         string
	u            *url.URL
	connect      func(ctx context.Context, u *url.URL, env Env, feed string, live func()) error
	cancel       context.CancelFunc // nil before it runs
	previousDone <-chan struct{}    // closed when the previous pull has freed the feed's name; nil for none
	done         chan struct{}
	state        PullState // guarded by Pulls.mu
}

// NewPulls pulls over protocols, by URL scheme. A camera that we connect to needs no
// key: an operator chose it.
func NewPulls(env Env, protocols Protocols) *Pulls {
	env.Authorise = func(Request) error { return nil }
	return &Pulls{env: env, protocols: protocols, pulls: map[string]*pull{}, changed: func() {}}
}

// Run keeps the pulls going until ctx is done. changed is called after each
// change of a PullState; it must not block.
func (p *Pulls) Run(ctx context.Context, changed func()) error {
	p.mu.Lock()
	p.ctx, p.changed = ctx, changed
	for _, one := range p.pulls {
		p.start(one)
	}
	p.mu.Unlock()
	<-ctx.Done()
	p.mu.Lock()
	p.ctx = nil // no pull starts from here on
	p.mu.Unlock()
	p.startPulls.Wait()
	p.mu.Lock()
	p.changed = func() {}
	p.mu.Unlock()
	return nil
}

// Put pulls feed from u, instead of its previous address. It fails with
// ErrScheme, ErrBadName and ErrReserved.
func (p *Pulls) Put(feed string, u *url.URL) error {
	if err := CheckName(feed); err != nil {
		return fmt.Errorf("pull: %w", err)
	}
	way := p.protocols[u.Scheme]
	if way.Pull == nil {
		return fmt.Errorf("pull %s: %w: %q", feed, ErrScheme, u.Scheme)
	}
	p.mu.Lock()
	old := p.pulls[feed]
	if old != nil && old.u.String() == u.String() {
		p.mu.Unlock()
		return nil
	}
	parseURL := *u
	one := &pull{feed: feed, u: &parseURL, connect: way.Pull, done: make(chan struct{}), state: PullState{State: PullConnecting}}
	if old != nil {
		one.previousDone = old.stop()
	}
	p.pulls[feed] = one
	p.start(one)
	changed := p.changed
	p.mu.Unlock()
	changed()
	return nil
}

// Remove stops pulling feed.
func (p *Pulls) Remove(feed string) {
	p.mu.Lock()
	if one := p.pulls[feed]; one != nil {
		one.stop()
		delete(p.pulls, feed)
	}
	changed := p.changed
	p.mu.Unlock()
	changed()
}

// State is the state of feed's pull; false when it is not pulled.
func (p *Pulls) State(feed string) (PullState, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.pulls[feed]
	if one == nil {
		return PullState{}, false
	}
	return one.state, true
}

// stop ends a pull; the channel it returns is closed when the feed's name is free.
func (one *pull) stop() <-chan struct{} {
	if one.cancel == nil {
		return one.previousDone
	}
	one.cancel()
	return one.done
}

// start runs one if Run is running; the caller holds p.mu.
func (p *Pulls) start(one *pull) {
	if p.ctx == nil {
		return
	}
	ctx, cancel := context.WithCancel(p.ctx)
	one.cancel = cancel
	p.startPulls.Go(func() {
		defer close(one.done)
		defer cancel()
		if one.previousDone != nil {
			<-one.previousDone
		}
		p.redial(ctx, one)
	})
}

// redial connects, and reconnects after each failure, until ctx is done.
func (p *Pulls) redial(ctx context.Context, one *pull) {
	wait := retry.Backoff{Min: pullMinWait, Max: pullMaxWait}
	log := p.env.Log.With("feed", one.feed, "proto", one.u.Scheme, "remote", one.u.Host)
	for ctx.Err() == nil {
		p.setState(one, PullState{State: PullConnecting, Problem: one.state.Problem})
		var since time.Time
		err := one.connect(ctx, one.u, p.env, one.feed, func() {
			since = time.Now()
			p.setState(one, PullState{State: PullLive})
			log.Info("pulling camera")
		})
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = ErrEnded
		}
		if !since.IsZero() && time.Since(since) >= pullStableAfter {
			wait.Reset()
		}
		pause := wait.Next()
		if errors.Is(err, ErrCredentials) {
			pause = pullRefusedWait
		}
		problem := publicText(err, one.u)
		if problem != one.state.Problem {
			log.Log(ctx, slog.LevelWarn, "pulling camera failed", "err", problem)
		}
		p.setState(one, PullState{State: PullRetrying, Problem: problem, NextTry: time.Now().Add(pause)})
		if retry.Sleep(ctx, pause) != nil {
			return
		}
	}
}

func (p *Pulls) setState(one *pull, s PullState) {
	p.mu.Lock()
	one.state = s
	changed := p.changed
	p.mu.Unlock()
	changed()
}

// publicText is an error text without credentials, whatever the protocol put in.
func publicText(err error, u *url.URL) string {
	if u.User == nil {
		return err.Error()
	}
	password, _ := u.User.Password()
	return redact.Text(err.Error(), u.User.String(), password)
}
