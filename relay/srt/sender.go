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
	// start is the first unit's time in the stream: decoders consider times near zero
	// invalid, and the clock runs ahead of them.
	start = time.Second

	// leaveTimeout is how long leaving may take in total: packets in flight arrive, and the
	// receiver plays what it holds back before the connection is shut down.
	leaveTimeout = 1500 * time.Millisecond
	playSlack    = 100 * time.Millisecond // receivers do not play to the millisecond

	// liveAfter is how long a receiver must have taken data to count as live. Those that
	// accept first and check the stream ID then close within it.
	liveAfter = time.Second

	pollInterval = 100 * time.Millisecond // when nothing happens
)

// errNewCodec ends a connection whose receiver can't continue with the program's new
// codec; another one is made.
var errNewCodec = errors.New("the program's codec changed: reconnecting")

// sender writes the program to a connection.
type sender struct {
	*conn
	sub     *hub.Subscriber
	pending *media.AccessUnit // the first unit of tracks that need a connection of their own
	stall   time.Duration

	accepted time.Time

	muxed
	dropper    relay.FrameDropper
	pacer      relay.Pacer
	congestion congestionWindow
}

// muxed is the program as a transport stream.
type muxed struct {
	ts        *mpegts.Writer
	tracks    *media.Tracks
	started   bool
	base      time.Duration // decode time of the session's first unit
	tsPackets []byte        // transport packets to be sent
}

func newSender(c *conn, sub *hub.Subscriber, o *Output, first *media.AccessUnit) *sender {
	if sub.SkipToKeyframe() > 0 { // the position became old while connecting
		first = nil
	}
	now := time.Now()
	return &sender{
		conn: c, sub: sub, stall: max(o.Stall, 2*c.tooOld()), dropper: relay.FrameDropper{Limit: o.Backlog}, pending: first, accepted: now,
		congestion: newCongestionWindow(c.latency, now),
	}
}

// next is the next unit.
func (s *sender) next() (au media.AccessUnit, err error) {
	if s.pending != nil {
		au, s.pending = *s.pending, nil
		return au, nil
	}
	return s.sub.TryNext()
}

// run sends until ctx is done or the program ends (nil), or the server fails.
func (s *sender) run(ctx context.Context) error {
	within, lost := context.WithCancel(ctx)
	defer lost()
	var remoteErr error
	closed := make(chan struct{})
	go func() {
		remoteErr = s.listen()
		lost()
		close(closed)
	}()
	err := s.loop(within)
	if ctx.Err() != nil || err == nil && within.Err() == nil {
		if relay.Abandoned(ctx) {
			s.shutdown() // at once: packets in flight are lost
		} else {
			s.leave(closed)
		}
		s.Close()
		<-closed
		return nil
	}
	s.Close()
	if <-closed; err == nil {
		err = remoteErr
	}
	return err
}

// loop returns nil when ctx is done or the program ended.
func (s *sender) loop(ctx context.Context) error {
	tick := time.NewTimer(pollInterval)
	defer tick.Stop()
	for ctx.Err() == nil {
		now := time.Now()
		if err := s.processFeedback(now); err != nil {
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
		if wait < pollInterval { // there is something to send, and no room for it yet
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

// processFeedback handles what the receiver sent, and what it did not.
func (s *sender) processFeedback(now time.Time) error {
	n := s.readFeedback(now)
	s.detectLoss(now)
	s.congestion.round.lost += n.lost
	if n.rtt > 0 {
		s.congestion.addSample(n.rtt, now)
	}
	rtt := time.Duration(s.rtt.Load())
	s.congestion.update(rtt, now)
	s.pacer.Limit = s.congestion.speed(rtt)
	if n.skipped+s.dropTooOld(now) > 0 {
		s.dropper.FrameLost() // the receiver has a gap in the video: continue at a keyframe
		s.congestion.onLoss(now)
	}
	if s.acked.Load() > 0 && now.Sub(s.accepted) >= max(liveAfter, s.latency) {
		s.link.Live()
	}
	quiet := s.silentFor(now)
	s.link.SilentFor.Store(int64(quiet)) // what is too old is dropped, so unsent bytes say little
	if quiet > s.stall {
		return fmt.Errorf("%w for %v", relay.ErrStalled, s.stall)
	}
	return s.sendKeepAlive(now)
}

// maySend permits bytes that are sent at once.
func (s *sender) maySend(bytes int) bool {
	if s.pacer.Wait() > 0 || !s.congestion.room(s.bytesInFlight) {
		return false
	}
	s.pacer.Take(bytes)
	s.congestion.round.sent += bytes
	return true
}

// fill sends what there is, and returns when to check again.
func (s *sender) fill(now time.Time) (wait time.Duration, err error) {
	s.pacer.Refill(now)
	// Lost packets come first: new ones may refer to them.
	if all, err := s.repeat(now, s.maySend); err != nil || !all {
		return s.retryIn(), err
	}
	for {
		for len(s.tsPackets) >= s.payload {
			if sent, err := s.sendPending(s.payload, now); err != nil || !sent {
				return s.retryIn(), err
			}
		}
		au, err := s.next()
		if err == hub.ErrNotYet || err == io.EOF {
			if len(s.tsPackets) > 0 { // nothing more is available to fill it
				if sent, err := s.sendPending(len(s.tsPackets), now); err != nil || !sent {
					return s.retryIn(), err
				}
			}
			s.dropper.CaughtUp(now)
			s.sendLatency.Store(0)
			if err == io.EOF {
				return 0, err
			}
			return pollInterval, nil
		}
		if err != nil {
			return 0, err
		}
		if err := s.add(&au, now); err != nil {
			return 0, err
		}
	}
}

// retryIn is when to retry what could not be sent.
func (s *sender) retryIn() time.Duration {
	if wait := s.pacer.Wait(); wait > 0 {
		return wait
	}
	return pollInterval / 4 // an acknowledgement wakes us earlier
}

// sendPending sends n bytes of what is pending, if it may.
func (s *sender) sendPending(n int, now time.Time) (sent bool, err error) {
	if len(s.inFlight) >= s.window || !s.maySend(n+headerSize) {
		return false, nil
	}
	err = s.send(s.tsPackets[:n], now)
	s.tsPackets = append(s.tsPackets[:0], s.tsPackets[n:]...)
	return true, err
}

// add makes transport packets of one unit, unless it is dropped.
func (s *sender) add(au *media.AccessUnit, now time.Time) error {
	if au.Tracks != s.tracks {
		if err := s.announce(au); err != nil {
			return err
		}
	}
	if !s.started {
		if !au.Key || !au.Video() && s.tracks.Video() >= 0 {
			return nil // a session starts with a keyframe
		}
		s.started, s.base = true, au.DTS
		s.dropper.Start(au.DTS, now)
	}
	if au.DTS < s.base {
		return nil // audio from before the first video frame
	}
	s.pacer.CountUnit(len(au.Data), au.DTS)
	age := s.dropper.Age(au.DTS, now)
	s.sendLatency.Store(int64(age))
	if !s.dropper.ShouldSend(au, age) {
		if au.Video() {
			s.link.Dropped.Add(1)
		}
		return nil
	}
	var err error
	s.tsPackets, err = s.ts.Append(s.tsPackets, au, start-s.base)
	if errors.Is(err, mpegts.ErrNotCarried) {
		return nil // one frame that can't be carried: nothing else is affected
	}
	return err
}

// announce takes a new generation of tracks. Parameter sets travel with the video; another
// codec is more than receivers can handle.
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
		s.pending = au
		return errNewCodec
	}
	return s.ts.SetTracks(tracks)
}

// leave ends the connection once what is in flight has arrived and was played.
func (s *sender) leave(closed <-chan struct{}) {
	end := time.Now().Add(leaveTimeout)
	played := s.lastNew.Add(s.latency + playSlack)
	for now := time.Now(); now.Before(end) && (len(s.inFlight) > 0 || now.Before(played)); now = time.Now() {
		s.readFeedback(now)
		s.detectLoss(now)
		s.pacer.Refill(now)
		if _, err := s.repeat(now, s.maySend); err != nil {
			return
		}
		select {
		case <-s.inbox.wake:
		case <-time.After(10 * time.Millisecond):
		case <-closed:
			return
		}
	}
	s.shutdown()
}
