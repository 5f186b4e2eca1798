package srt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/media/mpegts"
	"obvan/relay"
)

const (
	// start is the first unit's time in the stream: decoders take times near zero for
	// broken, and the clock runs ahead of them.
	start = time.Second

	// goodbye is how long leaving may take in all: what is in flight arrives, and the
	// receiver plays what it holds back before it is told to hang up.
	goodbye   = 1500 * time.Millisecond
	playSlack = 100 * time.Millisecond // receivers do not play to the millisecond

	// proof is for how long a receiver must have taken data to count as live. Those
	// that agree first and look at the stream id then hang up within it.
	proof = time.Second

	lookEvery = 100 * time.Millisecond // at the clock, when nothing happens
)

// errTracks ends a connection whose receiver can't go on with the program's new
// coding; another one is made.
var errTracks = errors.New("the program is coded in another way now: connecting anew")

// sender writes the program to a connection.
type sender struct {
	*conn
	sub   *hub.Subscriber
	held  *media.AccessUnit // the first unit of tracks that need a connection of their own
	stall time.Duration

	accepted time.Time

	ts      *mpegts.Writer
	tracks  *media.Tracks
	started bool
	base    time.Duration // decode time of the session's first unit
	pending []byte        // transport packets to be sent
	shed    relay.Shed
	pace    pace
}

func newSender(c *conn, sub *hub.Subscriber, o *Output, held *media.AccessUnit) *sender {
	if sub.SkipToKey() > 0 { // it grew old while we dialled
		held = nil
	}
	return &sender{conn: c, sub: sub, stall: max(o.Stall, 2*c.tooOld()), shed: relay.Shed{Limit: o.Backlog}, held: held, accepted: time.Now()}
}

// next is the next unit.
func (s *sender) next() (au media.AccessUnit, err error) {
	if s.held != nil {
		au, s.held = *s.held, nil
		return au, nil
	}
	return s.sub.TryNext()
}

// run sends until ctx is done or the program ends (nil), or the far end fails.
func (s *sender) run(ctx context.Context) error {
	within, lost := context.WithCancel(ctx)
	defer lost()
	var heard error
	gone := make(chan struct{})
	go func() {
		heard = s.listen()
		lost()
		close(gone)
	}()
	err := s.loop(within)
	if ctx.Err() != nil || err == nil && within.Err() == nil {
		if relay.Abandoned(ctx) {
			s.shutdown() // at once: what is in flight is lost
		} else {
			s.leave(gone)
		}
		s.Close()
		<-gone
		return nil
	}
	s.Close()
	if <-gone; err == nil {
		err = heard
	}
	return err
}

// loop returns nil when ctx is done or the program ended.
func (s *sender) loop(ctx context.Context) error {
	tick := time.NewTimer(lookEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		now := time.Now()
		if err := s.keepUp(now); err != nil {
			return err
		}
		wait, err := s.fill(now)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		tick.Reset(wait)
		ready := s.sub.Ready()
		if wait < lookEvery { // there is something to send, and no room for it yet
			ready = nil
		}
		select {
		case <-ready:
		case <-s.inbox.wake:
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// keepUp deals with what the receiver said, and did not.
func (s *sender) keepUp(now time.Time) error {
	s.take(now)
	if s.acked.Load() > 0 && now.Sub(s.accepted) >= max(proof, s.latency) {
		s.link.Live()
	}
	if n := s.dropTooOld(now); n > 0 {
		s.shed.Lost() // the receiver has a hole where pictures were: go on at a key frame
		s.pace.full(now)
	}
	if quiet := s.silent(now); quiet > s.stall {
		return fmt.Errorf("%w for %v", relay.ErrStalled, s.stall)
	}
	s.pace.delivered(s.acked.Load(), now)
	if s.waiting(now) > s.patience() {
		s.pace.full(now)
	}
	if err := s.repeat(now, s.pace.may); err != nil {
		return err
	}
	return s.stayAlive(now)
}

// patience is how long a packet may be on its way before the path counts as full. A
// repeat takes one round trip and a half.
func (s *sender) patience() time.Duration {
	return max(s.latency/2, 2*time.Duration(s.rtt.Load())+50*time.Millisecond)
}

// fill sends what there is, and says when to look again.
func (s *sender) fill(now time.Time) (wait time.Duration, err error) {
	s.pace.earn(now)
	for {
		for len(s.pending) >= s.payload {
			if wait := s.blocked(now); wait > 0 {
				return wait, nil
			}
			if err := s.one(s.payload, now); err != nil {
				return 0, err
			}
		}
		if wait := s.blocked(now); wait > 0 {
			return wait, nil
		}
		au, err := s.next()
		if err == hub.ErrNotYet || err == io.EOF {
			if len(s.pending) > 0 { // nothing more comes at once to fill it with
				if err := s.one(len(s.pending), now); err != nil {
					return 0, err
				}
			}
			s.shed.CaughtUp(now)
			s.lag.Store(0)
			if err == io.EOF {
				return 0, err
			}
			return lookEvery, nil
		}
		if err != nil {
			return 0, err
		}
		if err := s.add(&au, now); err != nil {
			return 0, err
		}
	}
}

// blocked is how long nothing new can be sent; 0 when it can.
func (s *sender) blocked(now time.Time) time.Duration {
	if len(s.flight) >= s.window || s.waiting(now) > s.patience() {
		return lookEvery / 4 // an acknowledgement wakes us earlier
	}
	return s.pace.Wait()
}

// one sends n bytes of what is pending.
func (s *sender) one(n int, now time.Time) error {
	s.pace.Spend(n + headerSize)
	err := s.send(s.pending[:n], now)
	s.pending = append(s.pending[:0], s.pending[n:]...)
	return err
}

// add makes transport packets of one unit, unless it is left out.
func (s *sender) add(au *media.AccessUnit, now time.Time) error {
	if au.Tracks != s.tracks {
		if err := s.announce(au); err != nil {
			return err
		}
	}
	if !s.started {
		if !au.Key || !au.Video() && s.tracks.Video() >= 0 {
			return nil // a session starts with a key frame
		}
		s.started, s.base = true, au.DTS
		s.shed.Start(au.DTS, now)
	}
	if au.DTS < s.base {
		return nil // sound from before the first picture
	}
	s.pace.Made(len(au.Data), au.DTS)
	age := s.shed.Age(au.DTS, now)
	s.lag.Store(int64(age))
	if !s.shed.Keeps(au, age) {
		if au.Video() {
			s.link.Dropped.Add(1)
		}
		return nil
	}
	var err error
	s.pending, err = s.ts.Append(s.pending, au, start-s.base)
	if errors.Is(err, mpegts.ErrNotCarried) {
		return nil // one frame that can't be: nothing else suffers
	}
	return err
}

// announce takes a new generation of tracks. Parameter sets travel with the pictures;
// another codec is more than receivers cope with.
func (s *sender) announce(au *media.AccessUnit) error {
	tracks := au.Tracks
	if err := canCarry(tracks); err != nil {
		return err
	}
	s.tracks = tracks
	if s.ts == nil {
		ts, err := mpegts.NewWriter(tracks)
		s.ts = ts
		return err
	}
	if !s.ts.Fits(tracks) {
		s.held = au
		return errTracks
	}
	return s.ts.SetTracks(tracks)
}

// leave says goodbye, once what is in flight has arrived and was played.
func (s *sender) leave(gone <-chan struct{}) {
	end := time.Now().Add(goodbye)
	played := s.newest.Add(s.latency + playSlack)
	for now := time.Now(); now.Before(end) && (len(s.flight) > 0 || now.Before(played)); now = time.Now() {
		s.take(now)
		s.pace.earn(now)
		if s.repeat(now, s.pace.may) != nil {
			return
		}
		select {
		case <-s.inbox.wake:
		case <-time.After(10 * time.Millisecond):
		case <-gone:
			return
		}
	}
	s.shutdown()
}
