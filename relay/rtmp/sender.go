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
	maxBatch = 256 << 10 // one write; a key frame may be more

	// What a destination that is late is given at once, and what its socket may hold
	// unsent: what was written can't be left out any more, and 128 kB are three seconds
	// to a far end that takes 400 kbit/s.
	lateAfter = 300 * time.Millisecond
	lateBatch = 16 << 10

	// drainProof is for how long a server that acknowledges nothing must have taken
	// data, and kept the connection, to count as live. Those that agree first and look
	// at the key then close within it.
	drainProof = 1500 * time.Millisecond

	// goodbye is how long unpublishing may take in all.
	goodbye = 1500 * time.Millisecond
	linger  = 400 * time.Millisecond // of it, to let the server close first
)

// sender writes the program to an accepted session. One goroutine at a time: its
// own, or the pump's while it is on loan.
type sender struct {
	*session
	sub      *hub.Subscriber
	merge    time.Duration
	loan     loan
	told     told
	shed     relay.FrameDropper
	accepted time.Time
	head     [flv.MaxHeader]byte
	late     bool // by lateAfter
	room     int  // of a batch

	since time.Time // the oldest unit that is collected could have gone; zero when there is none
	queue queue
}

// told is what the far end knows.
type told struct {
	tracks  *media.Tracks // generation that was announced
	video   []byte        // configurations that were sent
	audio   []byte
	started bool
	base    time.Duration // decode time of the session's first unit
	now     uint32        // timestamp of the newest unit
}

func newSender(s *session, sub *hub.Subscriber, o *Output) *sender {
	sub.SkipToKeyframe() // it grew old while we dialled
	s.acks.mark.Store(s.acks.sent.Load())
	s.acks.asked = firstWindow
	sd := &sender{session: s, sub: sub, merge: o.Merge, shed: relay.FrameDropper{Limit: o.Backlog}, accepted: time.Now(), room: maxBatch}
	if s.line.prepare() {
		sd.loan = loan{pump: o.pump(), back: make(chan error, 1)}
	}
	return sd
}

// run sends until ctx is done or the program ends (nil), or the far end fails.
func (s *sender) run(ctx context.Context) error {
	within, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	listened := make(chan error, 1)
	go func() {
		err := s.listen()
		lost(err)
		s.due.note(func(*answers) {}) // wakes the sender
		listened <- err
		s.line.finishBy(time.Now().Add(linger)) // a write that is under way may be stuck
	}()
	stop := context.AfterFunc(ctx, func() {
		if relay.Abandoned(ctx) {
			s.line.interrupt()
		}
		s.line.finishBy(time.Now().Add(goodbye))
	})
	defer stop()

	err := s.send(within)
	if ctx.Err() != nil || err == nil && within.Err() == nil {
		s.unpublish(err == nil && !relay.Abandoned(ctx), listened)
		return nil
	}
	if err != nil && !errors.Is(err, relay.ErrStalled) {
		// What the server said before it closed tells more than the closing.
		s.line.finishBy(time.Now().Add(linger))
	} else {
		s.line.interrupt()
	}
	if said := <-listened; err == nil || errors.Is(said, relay.ErrRefused) {
		return said
	}
	return err
}

// unpublish says goodbye, as far as the far end lets us: whole is false when a
// message was cut short and commands can't follow it.
func (s *sender) unpublish(whole bool, listened <-chan error) {
	s.line.finishBy(time.Now().Add(goodbye))
	if whole {
		s.w.Command(0, "FCUnpublish", txUnpublish, nil, s.to.name)
		s.w.Command(0, "deleteStream", txDelete, nil, float64(s.stream))
		if s.flush() == nil {
			// Our end first; then the server has a moment to read it all: closing at once
			// could throw away what it has not read yet.
			s.line.hangUp()
			s.line.finishBy(time.Now().Add(linger))
		}
	} else {
		s.line.interrupt()
	}
	<-listened
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
		case s.loan.pump != nil:
			err = s.pumped(ctx)
		case n > 0 && s.merge > 0:
			// The next ones come soon: sleep through them instead of waking for each.
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

// pumped lets the pump send, and finishes the write it could not.
func (s *sender) pumped(ctx context.Context) error {
	s.line.setEager(true)
	ok, err := s.loan.pump.lend(ctx, s)
	s.line.setEager(false)
	if !ok {
		s.loan.pump = nil
	}
	if e := s.line.drain(); e != nil {
		return e
	}
	if err == io.EOF {
		return nil // the loop comes to it again
	}
	return err
}

// fill collects what there is to send, as one of many where a round is given; n is 0
// when there was nothing, and there is more when there was no room for all.
func (s *sender) fill(r *round) (n int, more bool, err error) {
	now := time.Now()
	if size, changed := s.acks.window(now); changed {
		s.w.Control(chunks.TypeWindowAck, size)
	}
	if s.pings.due(now) {
		s.w.Event(chunks.EventPingRequest, uint32(now.UnixMilli()))
		s.pings.asked(now, s.link.Sent.Load()+uint64(s.w.Pending()))
	}
	if s.ride(r, now) {
		return 1, false, nil
	}
	held := s.held(now)
	for s.w.Pending() < s.room {
		au, err := s.sub.TryNext()
		if err != nil {
			if err == hub.ErrNotYet {
				s.shed.CaughtUp(now)
				s.behind(false)
				err = nil
			}
			return n, false, err
		}
		n++
		if err := s.add(&au, now, held); err != nil {
			return n, false, err
		}
	}
	return n, true, nil
}

// held is how far behind the far end of a late session is by what its socket holds: a
// unit that is written now comes to it no earlier.
func (s *sender) held(now time.Time) time.Duration {
	if !s.late {
		return 0
	}
	unsent, _, _ := sock.Inspect(s.line.TCPConn)
	return s.queue.lag(s.link.Sent.Load()-min(s.link.Sent.Load(), uint64(unsent)), now)
}

// add collects one unit, unless it is left out.
func (s *sender) add(au *media.AccessUnit, now time.Time, held time.Duration) error {
	if au.Tracks != s.told.tracks {
		if err := s.announce(au.Tracks); err != nil {
			return err
		}
	}
	video := au.Video()
	if !s.told.started {
		if !au.Key || !video && s.told.tracks.Video() >= 0 {
			return nil // a session starts with a key frame
		}
		s.told.started, s.told.base = true, au.DTS
		s.shed.Start(au.DTS, now)
		s.configure()
	}
	if au.DTS < s.told.base {
		return nil // sound from before the first picture
	}
	age := s.shed.Age(au.DTS, now)
	s.behind(age > lateAfter)
	if !s.shed.ShouldSend(au, max(age, held)) {
		if video {
			s.link.Dropped.Add(1)
		}
		return nil
	}
	if s.since.IsZero() {
		s.since = now.Add(-age)
	}
	h := header(au, stamp(au.DTS)-stamp(s.told.base))
	h.Stream = s.stream
	s.told.now = h.Timestamp
	s.w.Add(h, flv.AppendHeader(s.head[:0], au), au.Data)
	return nil
}

// announce takes a new generation of tracks.
func (s *sender) announce(tracks *media.Tracks) error {
	if err := canCarry(tracks); err != nil {
		return err
	}
	s.told.tracks = tracks
	if s.told.started {
		s.configure()
	}
	return nil
}

// write sends what was collected.
func (s *sender) write() error {
	if !s.since.IsZero() {
		s.queue.add(s.link.Sent.Load()+uint64(s.w.Pending()), s.since)
		s.since = time.Time{}
	}
	return s.flush()
}

// behind keeps as much as possible of what is late in our hands.
func (s *sender) behind(late bool) {
	if late == s.late {
		return
	}
	s.late, s.room = late, maxBatch
	if late {
		s.room = lateBatch
	}
	sock.LimitUnsent(s.line.TCPConn, min(s.room, unsentLimit))
}

// configure sends what decoders must know before the next unit, as far as it
// changed.
func (s *sender) configure() {
	s.w.Add(chunks.Header{Chunks: chunks.ChunksData, Type: chunks.TypeData, Stream: s.stream, Timestamp: s.told.now}, flv.Metadata(*s.told.tracks), nil)
	if i := s.told.tracks.Video(); i >= 0 {
		if c := flv.VideoConfig(&(*s.told.tracks)[i]); string(c) != string(s.told.video) {
			s.told.video = c
			s.w.Add(chunks.Header{Chunks: chunks.ChunksVideo, Type: chunks.TypeVideo, Stream: s.stream, Timestamp: s.told.now}, c, nil)
		}
	}
	if i := s.told.tracks.Audio(); i >= 0 {
		if c := flv.AudioConfig(&(*s.told.tracks)[i]); string(c) != string(s.told.audio) {
			s.told.audio = c
			s.w.Add(chunks.Header{Chunks: chunks.ChunksAudio, Type: chunks.TypeAudio, Stream: s.stream, Timestamp: s.told.now}, c, nil)
		}
	}
}

// prove says live as soon as the far end proved that it takes the stream. The
// supervisor's goroutine comes here too.
func (s *sender) prove() {
	if s.link.IsLive() || s.acks.sent.Load() <= s.acks.mark.Load() {
		return
	}
	if s.acks.proven() {
		s.link.Live()
		return
	}
	if time.Since(s.accepted) < drainProof {
		return
	}
	unsent, _, ok := sock.Inspect(s.line.TCPConn)
	if !ok || s.acks.sent.Load() > s.acks.mark.Load()+uint64(unsent) {
		s.link.Live()
	}
}

// measure brings the link's counters up to date, from the supervisor's goroutine.
func (s *sender) measure() {
	unsent, rtt, ok := sock.Inspect(s.line.TCPConn)
	if !ok && s.line.writing.Load() {
		unsent = 1 // something waits: that is all there is to know
	}
	s.link.Unsent.Store(int64(unsent))
	s.link.RTT.Store(int64(rtt))
	drained := s.link.Sent.Load() - min(s.link.Sent.Load(), uint64(unsent))
	s.link.OverdueAcks.Store(s.acks.owed(drained))
	s.link.SilentFor.Store(int64(s.pings.mute(time.Now(), drained, rtt)))
	if s.acks.count.Load() > 0 {
		s.link.Acked.Store(s.acks.acked.Load())
	} else {
		s.link.Acked.Store(drained)
	}
	s.link.Latency.Store(int64(s.queue.lag(drained, time.Now())))
	s.prove()
}

var _ relay.Push = (&Output{}).Push
