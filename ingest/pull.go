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

// Errors of pulling a camera.
var (
	ErrScheme      = errors.New("cameras can't be pulled over this protocol")
	ErrCredentials = errors.New("the camera wants another user name or password")
	ErrEnded       = errors.New("the camera ended the stream")
)

const (
	pullMinWait = 500 * time.Millisecond
	pullMaxWait = 10 * time.Second
	// Cameras lock an account after some wrong passwords: ask seldom.
	pullRefusedWait = 30 * time.Second
	// After this long live a failure is a new one: try again at once.
	pullStableAfter = 10 * time.Second
)

// The states of a pull.
const (
	PullConnecting = "connecting"
	PullLive       = "live"
	PullRetrying   = "retrying"
)

// PullState is how a camera that we dial fares.
type PullState struct {
	State   string    // "connecting", "live", "retrying"
	Problem string    // the last error, in words, without credentials
	NextTry time.Time // while retrying
}

// Pulls dials the cameras that do not dial us, and dials them again when they
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

// pull is one camera. The URL does not change: another one is another pull.
type pull struct {
	feed         string
	u            *url.URL
	connect      func(ctx context.Context, u *url.URL, env Env, feed string, live func()) error
	cancel       context.CancelFunc // nil before it runs
	previousDone <-chan struct{}    // closed once the one before it has let go of the feed's name; nil for none
	done         chan struct{}
	state        PullState // guarded by Pulls.mu
}

// NewPulls pulls over ways, by URL scheme. A camera that we dial needs no key: an
// operator chose it.
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
	p.ctx = nil // nothing starts any more
	p.mu.Unlock()
	p.startPulls.Wait()
	p.mu.Lock()
	p.changed = func() {}
	p.mu.Unlock()
	return nil
}

// Put pulls feed from u, in place of what it was pulled from before. It fails with
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

// State is how feed's pull fares; false when it is not pulled.
func (p *Pulls) State(feed string) (PullState, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.pulls[feed]
	if one == nil {
		return PullState{}, false
	}
	return one.state, true
}

// stop ends a pull; what it returns closes once the feed's name is free.
func (one *pull) stop() <-chan struct{} {
	if one.cancel == nil {
		return one.previousDone
	}
	one.cancel()
	return one.done
}

// start runs one when Run does; p.mu is held.
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

// keep dials again and again.
func (p *Pulls) redial(ctx context.Context, one *pull) {
	wait := retry.Backoff{Min: pullMinWait, Max: pullMaxWait}
	log := p.env.Log.With("feed", one.feed, "proto", one.u.Scheme, "remote", one.u.Host)
	for ctx.Err() == nil {
		p.setState(one, PullState{State: PullConnecting, Problem: one.state.Problem})
		var since time.Time
		err := one.connect(ctx, one.u, p.env, one.feed, func() {
			since = time.Now()
			p.setState(one, PullState{State: PullLive})
			log.Info("camera pulled")
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
		problem := plain(err, one.u)
		if problem != one.state.Problem {
			log.Log(ctx, slog.LevelWarn, "camera can't be pulled", "err", problem)
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

// plain is an error in words that hold no credentials, whatever the protocol put in.
func plain(err error, u *url.URL) string {
	if u.User == nil {
		return err.Error()
	}
	password, _ := u.User.Password()
	return redact.Text(err.Error(), u.User.String(), password)
}
