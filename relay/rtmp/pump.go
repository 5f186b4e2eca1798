package rtmp

import (
	"context"
	"sync"
	"time"

	"obvan/hub"
)

// pump writes for all destinations that keep up, in one goroutine: waking one goroutine
// per destination costs as much as the writes do. It never waits for a server: a
// destination whose socket is full goes back to its own goroutine, with what is left of
// the write, and stays there until it has caught up. So the slowest destination costs the
// others one system call that returns "full".
type pump struct {
	maxWait time.Duration // how long a unit may wait for others
	wakeUp  chan struct{} // holds one token: a member needs attention

	mu      sync.Mutex
	joining []*sender
	program *hub.Subscriber // the stream that all members read; nil while it does not run
}

// handOff is the sender's side of the pump.
type handOff struct {
	pump     *pump // nil where there is none
	ctx      context.Context
	returned chan error // the sender is needed by its own goroutine
}

// sendFor has the pump send for s until s is needed by its own goroutine again: the socket
// is full, the program ended, or ctx is done. It is not ok when s reads another stream
// than the others: that would not wake the pump.
func (p *pump) sendFor(ctx context.Context, s *sender) (ok bool, err error) {
	s.handOff.ctx = ctx
	if !p.join(s) {
		return false, nil
	}
	p.wake()
	for {
		select {
		case err := <-s.handOff.returned:
			return true, err
		case <-s.due.wake:
			p.wake()
		case <-ctx.Done():
			p.wake()
			return true, <-s.handOff.returned
		}
	}
}

func (p *pump) join(s *sender) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.program == nil:
		p.program = s.sub
		go p.run()
	case !p.program.SameStream(s.sub):
		return false
	}
	p.joining = append(p.joining, s)
	return true
}

// wake has the pump check its members now.
func (p *pump) wake() {
	select {
	case p.wakeUp <- struct{}{}:
	default:
	}
}

// run ends when no members are left.
func (p *pump) run() {
	var members []*sender
	timer, batch := newBatchTimer(p.maxWait, p.program.Watch()), newSharedBatch(p.program)
	defer batch.zeroCopy.close()
	for {
		batch.read(len(members))
		members = p.sendBatch(members, batch)
		if members = p.admit(members); len(members) == 0 {
			return
		}
		timer.await(p.wakeUp)
	}
}

// admit adds those that joined. Units written since they last read may not have woken the
// pump.
func (p *pump) admit(members []*sender) []*sender {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := len(members)
	members, p.joining = append(members, p.joining...), p.joining[:0]
	if old < len(members) {
		p.wake()
	}
	if len(members) == 0 {
		p.program = nil
	}
	return members
}

// sendBatch has all members send what is new, and returns those that stay.
func (p *pump) sendBatch(members []*sender, batch *sharedBatch) []*sender {
	stay := members[:0]
	for _, s := range members {
		if ok, err := s.sendWithoutWaiting(batch); ok {
			stay = append(stay, s)
		} else {
			s.handOff.returned <- err
		}
	}
	clear(members[len(stay):])
	return stay
}

// sleepToTick sleeps until a moment that is common to all destinations that write on their
// own: the processor then finds the units in its caches.
func sleepToTick(every time.Duration) {
	time.Sleep(every - time.Duration(time.Now().UnixNano())%every)
}

// sendWithoutWaiting sends what there is without waiting. It is not ok when s has to
// continue on its own goroutine.
func (s *sender) sendWithoutWaiting(batch *sharedBatch) (ok bool, err error) {
	if s.handOff.ctx.Err() != nil {
		return false, nil
	}
	s.conn.setZeroCopy(batch.zeroCopy)
	_, more, err := s.fill(batch)
	if err != nil {
		return false, err // what was collected before it is flushed by s itself
	}
	if err := s.write(); err != nil {
		return false, err
	}
	if s.conn.hasRest() {
		return false, nil
	}
	s.prove()
	return !more, nil
}
