package rtmp

import (
	"context"
	"errors"
	"io"
	"time"

	"obvan/hub"
	"obvan/internal/sock"
	"obvan/media"
	"obvan/media/flv"
	chunks "obvan/media/rtmp"
	"obvan/relay"
)

const (
	maxBatch = 256 << 10 // one write; a keyframe may be more

	// What a destination that is late is given at once, and what its socket may hold unsent:
	// what was written can't be dropped any more, and 128 kB are three seconds to a server
	// that receives 400 kbit/s.
	lateAfter = 300 * time.Millisecond
	lateBatch = 16 << 10

	// drainProof is how long a server that acknowledges nothing must have taken data, and
	// kept the connection, to count as live. Servers that accept first and check the key then
	// close within it.
	drainProof = 1500 * time.Millisecond

	// unpublishTimeout is how long unpublishing may take in total.
	unpublishTimeout = 1500 * time.Millisecond
	linger           = 400 * time.Millisecond // of it, to let the server close first
)

// sender writes the program to an accepted session. It is for one goroutine at a time: its
// own, or the pump's after the hand-off.
type sender struct {
	*session
	sub       *hub.Subscriber
	merge     time.Duration
	handOff   handOff
	announced announced
	dropper   relay.FrameDropper
	accepted  time.Time
	head      [flv.MaxHeader]byte
	late      bool // by lateAfter
	batchRoom int  // bytes of a batch

	oldestDue time.Time // when the oldest collected unit could have been sent; zero when there is none
	sendQueue sendQueue
}

// announced is what the server knows.
type announced struct {
	tracks  *media.Tracks // the generation that was announced
	video   []byte        // configurations that were sent
	audio   []byte
	started bool
	base    time.Duration // decode time of the session's first unit
	now     uint32        // timestamp of the newest unit
}

func newSender(s *session, sub *hub.Subscriber, o *Output) *sender {
	sub.SkipToKeyframe() // the position became old while connecting
	s.acks.sentAtPublish.Store(s.acks.sent.Load())
	s.acks.windowSize = firstWindow
	sd := &sender{session: s, sub: sub, merge: o.Merge, dropper: relay.FrameDropper{Limit: o.Backlog}, accepted: time.Now(), batchRoom: maxBatch}
	if s.conn.prepareNonblocking() {
		sd.handOff = handOff{pump: o.pump(), returned: make(chan error, 1)}
	}
	return sd
}

// run sends until ctx is done or the program ends (nil), or the server fails.
func (s *sender) run(ctx context.Context) error {
	within, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	readerEnded := make(chan error, 1)
	go func() {
		err := s.listen()
		lost(err)
		s.due.note(func(*replies) {}) // wakes the sender
		readerEnded <- err
		s.conn.finishBy(time.Now().Add(linger)) // a write under way may be blocked
	}()
	stop := context.AfterFunc(ctx, func() {
		if relay.Abandoned(ctx) {
			s.conn.interrupt()
		}
		s.conn.finishBy(time.Now().Add(unpublishTimeout))
	})
	defer stop()

	err := s.send(within)
	if ctx.Err() != nil || err == nil && within.Err() == nil {
		s.unpublish(err == nil && !relay.Abandoned(ctx), readerEnded)
		return nil
	}
	if err != nil && !errors.Is(err, relay.ErrStalled) {
		// What the server sent before it closed says more than the closing.
		s.conn.finishBy(time.Now().Add(linger))
	} else {
		s.conn.interrupt()
	}
	if remote := <-readerEnded; err == nil || errors.Is(remote, relay.ErrRefused) {
		return remote
	}
	return err
}

// unpublish ends the stream properly, as far as the server permits: whole is false when a
// message was cut short and commands can't follow it.
func (s *sender) unpublish(whole bool, readerEnded <-chan error) {
	s.conn.finishBy(time.Now().Add(unpublishTimeout))
	if whole {
		s.w.Command(0, "FCUnpublish", txUnpublish, nil, s.to.name)
		s.w.Command(0, "deleteStream", txDelete, nil, float64(s.stream))
		if s.flush() == nil {
			// Our end first; then the server has a moment to read everything: closing at
			// once could discard what it has not read yet.
			s.conn.endWriting()
			s.conn.finishBy(time.Now().Add(linger))
		}
	} else {
		s.conn.interrupt()
	}
	<-readerEnded
}

// send is the loop. It returns nil when ctx is done or the program ended.
func (s *sender) send(ctx context.Context) error {
	for ctx.Err() == nil {
		n, more, err := s.fill(nil)
		if err != nil && err != io.EOF {
			return err
		}
		if err := s.write(); err != nil {
			return err
		}
		s.prove()
		switch {
		case err == io.EOF:
			return nil
		case more:
		case s.handOff.pump != nil:
			err = s.sendShared(ctx)
		case n > 0 && s.merge > 0:
			// The next units come soon: sleep through them instead of waking for each.
			sleepToTick(s.merge)
		default:
			select {
			case <-s.sub.Ready():
			case <-s.due.wake:
			case <-ctx.Done():
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sendShared lets the pump send, and finishes the write that it could not.
func (s *sender) sendShared(ctx context.Context) error {
	s.conn.setNonblocking(true)
	ok, err := s.handOff.pump.sendFor(ctx, s)
	s.conn.setNonblocking(false)
	if !ok {
		s.handOff.pump = nil
	}
	if e := s.conn.writeRest(); e != nil {
		return e
	}
	if err == io.EOF {
		return nil // the loop gets there again
	}
	return err
}

// fill collects what there is to send, from a shared batch where one is given; n is 0 when
// there was nothing, and more is true when there was no room for everything.
func (s *sender) fill(r *sharedBatch) (n int, more bool, err error) {
	now := time.Now()
	if size, changed := s.acks.nextWindow(now); changed {
		s.w.Control(chunks.TypeWindowAck, size)
	}
	if s.pings.due(now) {
		s.w.Event(chunks.EventPingRequest, uint32(now.UnixMilli()))
		s.pings.sent(now, s.link.Sent.Load()+uint64(s.w.Pending()))
	}
	if s.joinBatch(r, now) {
		return 1, false, nil
	}
	inSocket := s.socketDelay(now)
	for s.w.Pending() < s.batchRoom {
		au, err := s.sub.TryNext()
		if err != nil {
			if err == hub.ErrNotYet {
				s.dropper.CaughtUp(now)
				s.setLate(false)
				err = nil
			}
			return n, false, err
		}
		n++
		if err := s.add(&au, now, inSocket); err != nil {
			return n, false, err
		}
	}
	return n, true, nil
}

// socketDelay is how far behind the receiver of a late session is because of what its
// socket holds: a unit written now arrives no earlier.
func (s *sender) socketDelay(now time.Time) time.Duration {
	if !s.late {
		return 0
	}
	unsent, _, _ := sock.Inspect(s.conn.TCPConn)
	return s.sendQueue.latency(s.link.Sent.Load()-min(s.link.Sent.Load(), uint64(unsent)), now)
}

// add collects one unit, unless it is dropped.
func (s *sender) add(au *media.AccessUnit, now time.Time, inSocket time.Duration) error {
	if au.Tracks != s.announced.tracks {
		if err := s.announce(au.Tracks); err != nil {
			return err
		}
	}
	video := au.Video()
	if !s.announced.started {
		if !au.Key || !video && s.announced.tracks.Video() >= 0 {
			return nil // a session starts with a keyframe
		}
		s.announced.started, s.announced.base = true, au.DTS
		s.dropper.Start(au.DTS, now)
		s.configure()
	}
	if au.DTS < s.announced.base {
		return nil // audio from before the first video frame
	}
	age := s.dropper.Age(au.DTS, now)
	s.setLate(age > lateAfter)
	if !s.dropper.ShouldSend(au, max(age, inSocket)) {
		if video {
			s.link.Dropped.Add(1)
		}
		return nil
	}
	if s.oldestDue.IsZero() {
		s.oldestDue = now.Add(-age)
	}
	h := messageHeader(au, timestamp(au.DTS)-timestamp(s.announced.base))
	h.Stream = s.stream
	s.announced.now = h.Timestamp
	s.w.Add(h, flv.AppendHeader(s.head[:0], au), au.Data)
	return nil
}

// announce takes a new generation of tracks.
func (s *sender) announce(tracks *media.Tracks) error {
	if err := canCarry(tracks); err != nil {
		return err
	}
	s.announced.tracks = tracks
	if s.announced.started {
		s.configure()
	}
	return nil
}

// write sends what was collected.
func (s *sender) write() error {
	if !s.oldestDue.IsZero() {
		s.sendQueue.add(s.link.Sent.Load()+uint64(s.w.Pending()), s.oldestDue)
		s.oldestDue = time.Time{}
	}
	return s.flush()
}

// setLate keeps as much as possible of a late session's data in our hands.
func (s *sender) setLate(late bool) {
	if late == s.late {
		return
	}
	s.late, s.batchRoom = late, maxBatch
	if late {
		s.batchRoom = lateBatch
	}
	sock.LimitUnsent(s.conn.TCPConn, min(s.batchRoom, unsentLimit))
}

// configure sends what decoders must know before the next unit, as far as it changed.
func (s *sender) configure() {
	s.w.Add(chunks.Header{Chunks: chunks.ChunksData, Type: chunks.TypeData, Stream: s.stream, Timestamp: s.announced.now}, flv.Metadata(*s.announced.tracks), nil)
	if i := s.announced.tracks.Video(); i >= 0 {
		if c := flv.VideoConfig(&(*s.announced.tracks)[i]); string(c) != string(s.announced.video) {
			s.announced.video = c
			s.w.Add(chunks.Header{Chunks: chunks.ChunksVideo, Type: chunks.TypeVideo, Stream: s.stream, Timestamp: s.announced.now}, c, nil)
		}
	}
	if i := s.announced.tracks.Audio(); i >= 0 {
		if c := flv.AudioConfig(&(*s.announced.tracks)[i]); string(c) != string(s.announced.audio) {
			s.announced.audio = c
			s.w.Add(chunks.Header{Chunks: chunks.ChunksAudio, Type: chunks.TypeAudio, Stream: s.stream, Timestamp: s.announced.now}, c, nil)
		}
	}
}

// prove reports live as soon as the server has confirmed that it receives the stream. It
// is also called from the supervisor's goroutine.
func (s *sender) prove() {
	if s.link.IsLive() || s.acks.sent.Load() <= s.acks.sentAtPublish.Load() {
		return
	}
	if s.acks.proven() {
		s.link.Live()
		return
	}
	if time.Since(s.accepted) < drainProof {
		return
	}
	unsent, _, ok := sock.Inspect(s.conn.TCPConn)
	if !ok || s.acks.sent.Load() > s.acks.sentAtPublish.Load()+uint64(unsent) {
		s.link.Live()
	}
}

// measure brings the link's counters up to date, from the supervisor's goroutine.
func (s *sender) measure() {
	unsent, rtt, ok := sock.Inspect(s.conn.TCPConn)
	if !ok && s.conn.writing.Load() {
		unsent = 1 // something is waiting: no more is known
	}
	s.link.Unsent.Store(int64(unsent))
	s.link.RTT.Store(int64(rtt))
	drained := s.link.Sent.Load() - min(s.link.Sent.Load(), uint64(unsent))
	s.link.OverdueAcks.Store(s.acks.overdue(drained))
	s.link.SilentFor.Store(int64(s.pings.silentFor(time.Now(), drained, rtt)))
	if s.acks.count.Load() > 0 {
		s.link.Acked.Store(s.acks.acked.Load())
	} else {
		s.link.Acked.Store(drained)
	}
	s.link.Latency.Store(int64(s.sendQueue.latency(drained, time.Now())))
	s.prove()
}

var _ relay.Push = (&Output{}).Push
