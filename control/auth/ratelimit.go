package auth

import (
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"obvan/control"
	"obvan/internal/netaddr"
)

// How often an address may show a wrong token.
const (
	failedLoginsBurst = 10
	failedLoginsEvery = time.Second
	addressGroups     = 1024
)

// How often a refused token or publisher is logged.
const (
	refusalLogEvery = 5 * time.Second
	refusalLogBurst = 5
)

// How many commands a websocket may give, and a token by POST.
const (
	CommandsPerSecond = 100 // in the long run
	CommandsBurst     = 200
)

// loginLimit counts failed logins by address, in a fixed space: addresses share groups.
type loginLimit struct {
	seed   maphash.Seed
	mu     sync.Mutex
	groups [addressGroups]*rate.Limiter
}

func newLoginLimit() *loginLimit { return &loginLimit{seed: maphash.MakeSeed()} }

// group is the limiter of an address; l.mu is held.
func (l *loginLimit) group(remote string) *rate.Limiter {
	i := maphash.String(l.seed, netaddr.Network(remote)) % addressGroups
	if l.groups[i] == nil {
		l.groups[i] = rate.NewLimiter(rate.Every(failedLoginsEvery), failedLoginsBurst)
	}
	return l.groups[i]
}

func (l *loginLimit) allowed(remote string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.group(remote).Tokens() >= 1
}

func (l *loginLimit) failed(remote string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.group(remote).Allow()
}

func newRefusalLogLimit() *rate.Limiter {
	return rate.NewLimiter(rate.Every(refusalLogEvery), refusalLogBurst)
}

// LogRefusal reports whether a refusal should be logged: not as often as someone can try.
func (a *Access) LogRefusal() bool { return a.refusals.Allow() }

// NewCommandLimit bounds the commands of one websocket.
func NewCommandLimit() *rate.Limiter { return rate.NewLimiter(CommandsPerSecond, CommandsBurst) }

// TooFast is the error for the sender of too many commands.
func TooFast() error {
	return fmt.Errorf("more than %d commands a second: %w", CommandsPerSecond, control.ErrTooMany)
}

// CommandLimit bounds the commands that a token gives by POST.
func (a *Access) CommandLimit(name string) *rate.Limiter { return a.commands.of(name) }

// commandLimits bounds the commands that come by POST, for each token alone: a script
// that runs wild does not delay the commands of others.
type commandLimits struct {
	mu     sync.Mutex
	byName map[string]*rate.Limiter // of the token
}

func (c *commandLimits) of(name string) *rate.Limiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byName == nil {
		c.byName = map[string]*rate.Limiter{}
	}
	l := c.byName[name]
	if l == nil {
		l = NewCommandLimit()
		c.byName[name] = l
	}
	return l
}

// forget frees the limit of a token that was revoked.
func (c *commandLimits) forget(name string) {
	c.mu.Lock()
	delete(c.byName, name)
	c.mu.Unlock()
}
