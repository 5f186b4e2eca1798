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

	muxed
	shed relay.FrameDropper
	pace relay.Pacer
	path window
}

// muxed is the program as a transport stream.
type muxed struct {
	ts      *mpegts.Writer
	tracks  *media.Tracks
	started bool
	base    time.Duration // decode time of the session's first unit
	pending []byte        // transport packets to be sent
}

func newSender(c *conn, sub *hub.Subscriber, o *Output, held *media.AccessUnit) *sender {
	if sub.SkipToKeyframe() > 0 { // it grew old while we dialled
		held = nil
	}
	now := time.Now()
	return &sender{
		conn: c, sub: sub, stall: max(o.Stall, 2*c.tooOld()), shed: relay.FrameDropper{Limit: o.Backlog}, held: held, accepted: now,
		path: newWindow(c.latency, now),
	}
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
	n := s.take(now)
	s.suspect(now)
	s.path.turn.lost += n.lost
	if n.took > 0 {
		s.path.answered(n.took, now)
	}
	rtt := time.Duration(s.rtt.Load())
	s.path.look(rtt, now)
	s.pace.Limit = s.path.speed(rtt)
	if n.skipped+s.dropTooOld(now) > 0 {
		s.shed.FrameLost() // the receiver has a hole where pictures were: go on at a key frame
		s.path.late(now)
	}
	if s.acked.Load() > 0 && now.Sub(s.accepted) >= max(proof, s.latency) {
		s.link.Live()
	}
	quiet := s.silent(now)
	s.link.SilentFor.Store(int64(quiet)) // what is too old is dropped, so unsent bytes say little
	if quiet > s.stall {
		return fmt.Errorf("%w for %v", relay.ErrStalled, s.stall)
	}
	return s.stayAlive(now)
}

// may allows bytes that are sent at once.
func (s *sender) may(bytes int) bool {
	if s.pace.Wait() > 0 || !s.path.room(s.way) {
		return false
	}
	s.pace.Take(bytes)
	s.path.turn.sent += bytes
	return true
}

// fill sends what there is, and says when to look again.
func (s *sender) fill(now time.Time) (wait time.Duration, err error) {
	s.pace.Refill(now)
	// What is lost comes first: what is new may refer to it.
	if all, err := s.repeat(now, s.may); err != nil || !all {
		return s.later(), err
	}
	for {
		for len(s.pending) >= s.payload {
			if sent, err := s.one(s.payload, now); err != nil || !sent {
				return s.later(), err
			}
		}
		au, err := s.next()
		if err == hub.ErrNotYet || err == io.EOF {
			if len(s.pending) > 0 { // nothing more comes at once to fill it with
				if sent, err := s.one(len(s.pending), now); err != nil || !sent {
					return s.later(), err
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

// later is when to try again what could not be sent.
func (s *sender) later() time.Duration {
	if wait := s.pace.Wait(); wait > 0 {
		return wait
	}
	return lookEvery / 4 // an acknowledgement wakes us earlier
}

// one sends n bytes of what is pending, if it may.
func (s *sender) one(n int, now time.Time) (sent bool, err error) {
	if len(s.flight) >= s.window || !s.may(n+headerSize) {
		return false, nil
	}
	err = s.send(s.pending[:n], now)
	s.pending = append(s.pending[:0], s.pending[n:]...)
	return true, err
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
	s.pace.CountUnit(len(au.Data), au.DTS)
	age := s.shed.Age(au.DTS, now)
	s.lag.Store(int64(age))
	if !s.shed.ShouldSend(au, age) {
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
		s.suspect(now)
		s.pace.Refill(now)
		if _, err := s.repeat(now, s.may); err != nil {
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
