package control

import (
	"fmt"
	"sync"

	"golang.org/x/time/rate"
)

// How many commands a websocket may give, and a token by POST.
const (
	commandsAfter = 100 // a second, in the long run
	commandsBurst = 200
)

func newFlood() *rate.Limiter { return rate.NewLimiter(commandsAfter, commandsBurst) }

// tooFast is what the sender of a flood is told.
func tooFast() error {
	return fmt.Errorf("more than %d commands a second: %w", commandsAfter, ErrTooMany)
}

// floods bounds the commands that come by POST, for each token alone: a script that
// runs wild does not keep the others' commands waiting.
type floods struct {
	mu sync.Mutex
	by map[string]*rate.Limiter // whose token it is
}

// of is the bound of a token.
func (f *floods) of(name string) *rate.Limiter {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by == nil {
		f.by = map[string]*rate.Limiter{}
	}
	l := f.by[name]
	if l == nil {
		l = newFlood()
		f.by[name] = l
	}
	return l
}

// forget makes room for others when a token is taken away.
func (f *floods) forget(name string) {
	f.mu.Lock()
	delete(f.by, name)
	f.mu.Unlock()
}
