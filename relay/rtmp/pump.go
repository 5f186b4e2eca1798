package rtmp

import (
	"context"
	"sync"
	"time"
)

// pump writes for all destinations that keep up, in one goroutine, at each tick:
// waking one goroutine a destination costs as much as the writes do. It never
// waits: a destination whose socket is full goes back to its own goroutine, with
// what is left of the write, and stays there until it has caught up. So the worst
// destination costs the others one system call that says "full".
type pump struct {
	every time.Duration

	mu      sync.Mutex
	joining []*sender
	running bool
}

// loan is a sender's side of it.
type loan struct {
	pump *pump // nil where there is none
	ctx  context.Context
	back chan error // s is needed by its own goroutine
}

// lend has the pump send for s until s is needed by its own goroutine again: the
// socket is full, the program ended, or ctx is done.
func (p *pump) lend(ctx context.Context, s *sender) error {
	s.loan.ctx = ctx
	p.mu.Lock()
	p.joining = append(p.joining, s)
	if !p.running {
		p.running = true
		go p.run()
	}
	p.mu.Unlock()
	return <-s.loan.back
}

// run ends when nobody is left.
func (p *pump) run() {
	var members []*sender
	for {
		p.mu.Lock()
		members, p.joining = append(members, p.joining...), p.joining[:0]
		if len(members) == 0 {
			p.running = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		sleepToTick(p.every)
		stay := members[:0]
		for _, s := range members {
			if ok, err := s.step(); ok {
				stay = append(stay, s)
			} else {
				s.loan.back <- err
			}
		}
		clear(members[len(stay):])
		members = stay
	}
}

// sleepToTick sleeps until all destinations write: at the same moments, so that
// the processor finds the pictures in its caches.
func sleepToTick(every time.Duration) {
	time.Sleep(every - time.Duration(time.Now().UnixNano())%every)
}

// step sends what there is without waiting. It is not ok when s has to go on by
// itself.
func (s *sender) step() (ok bool, err error) {
	if s.loan.ctx.Err() != nil {
		return false, nil
	}
	_, more, err := s.fill()
	if err != nil {
		return false, err // what was collected before it is flushed by s itself
	}
	if err := s.flush(); err != nil {
		return false, err
	}
	if s.line.full() {
		return false, nil
	}
	s.oldest.Store(0)
	s.prove()
	return !more, nil
}
