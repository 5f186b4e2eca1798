package rtmp

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/media/flv"
	chunks "obvan/media/rtmp"
	"obvan/relay"
)

const (
	maxBatch = 256 << 10 // one write; a key frame may be more

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
	backlog  backlog
	accepted time.Time
	head     [flv.MaxHeader]byte

	oldest atomic.Int64 // when the oldest unit that is being written could have gone, UnixNano; 0 when none waits
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
	sub.SkipToKey() // it grew old while we dialled
	s.acks.mark.Store(s.acks.sent.Load())
	s.acks.asked = firstWindow
	sd := &sender{session: s, sub: sub, merge: o.Merge, backlog: backlog{limit: o.Backlog}, accepted: time.Now()}
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
		n, more, err := s.fill()
		if err != nil && err != io.EOF {
			return err
		}
		if err := s.flush(); err != nil {
			return err
		}
		s.oldest.Store(0)
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

// fill collects what there is to send: n units, and more when there was no room
// for all.
func (s *sender) fill() (n int, more bool, err error) {
	now := time.Now()
	if size, changed := s.acks.window(now); changed {
		s.w.Control(chunks.TypeWindowAck, size)
	}
	if s.pings.due(now) {
		s.w.Event(chunks.EventPingRequest, uint32(now.UnixMilli()))
		s.pings.asked(now, s.link.Sent.Load()+uint64(s.w.Pending()))
	}
	for s.w.Pending() < maxBatch {
		au, err := s.sub.TryNext()
		if err != nil {
			if err == hub.ErrNotYet {
				s.backlog.caughtUp(now)
				err = nil
			}
			return n, false, err
		}
		n++
		if err := s.add(&au, now); err != nil {
			return n, false, err
		}
	}
	return n, true, nil
}

// add collects one unit, unless it is left out.
func (s *sender) add(au *media.AccessUnit, now time.Time) error {
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
		s.backlog.start(au.DTS, now)
		s.configure()
	}
	if au.DTS < s.told.base {
		return nil // sound from before the first picture
	}
	age := s.backlog.see(au.DTS, now)
	if !s.backlog.keeps(au, video, age) {
		if video {
			s.link.Dropped.Add(1)
		}
		return nil
	}
	if s.oldest.Load() == 0 {
		s.oldest.Store(now.Add(-age).UnixNano())
	}
	h := chunks.Header{Chunks: chunks.ChunksAudio, Type: chunks.TypeAudio, Stream: s.stream}
	if video {
		h.Chunks, h.Type = chunks.ChunksVideo, chunks.TypeVideo
	}
	h.Timestamp = uint32((au.DTS - s.told.base) / time.Millisecond)
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
	unsent, _, ok := inspect(s.line.TCPConn)
	if !ok || s.acks.sent.Load() > s.acks.mark.Load()+uint64(unsent) {
		s.link.Live()
	}
}

// measure brings the link's counters up to date, from the supervisor's goroutine.
func (s *sender) measure() {
	unsent, rtt, ok := inspect(s.line.TCPConn)
	if !ok && s.line.writing.Load() {
		unsent = 1 // something waits: that is all there is to know
	}
	s.link.Unsent.Store(int64(unsent))
	s.link.RTT.Store(int64(rtt))
	drained := s.link.Sent.Load() - min(s.link.Sent.Load(), uint64(unsent))
	s.link.Owed.Store(s.acks.owed(drained))
	s.link.Mute.Store(int64(s.pings.mute(time.Now(), drained, rtt)))
	if s.acks.count.Load() > 0 {
		s.link.Acked.Store(s.acks.acked.Load())
	} else {
		s.link.Acked.Store(drained)
	}
	lag := int64(0)
	if oldest := s.oldest.Load(); oldest != 0 {
		lag = max(0, time.Now().UnixNano()-oldest)
	}
	s.link.Lag.Store(lag)
	s.prove()
}

var _ relay.Push = (&Output{}).Push

// backlog decides what a destination that is behind leaves out. It measures on the
// program's own clock: what a unit's decode time says about when it could have been
// sent, seen from the last moment when everything had been.
type backlog struct {
	limit  time.Duration
	wall   time.Time     // then
	at     time.Duration // the decode time that was due then
	last   time.Duration
	broken bool // a picture that others refer to was left out
}

func (b *backlog) start(dts time.Duration, now time.Time) { b.wall, b.at, b.last = now, dts, dts }

// caughtUp is told when nothing waits any more.
func (b *backlog) caughtUp(now time.Time) {
	if !b.wall.IsZero() {
		b.wall, b.at = now, b.last
	}
}

// see is how long the unit with this decode time has been waiting.
func (b *backlog) see(dts time.Duration, now time.Time) time.Duration {
	b.last = max(b.last, dts)
	return max(0, now.Sub(b.wall)-(dts-b.at))
}

// keeps decides: disposable pictures go first, then everything up to a key frame
// that is not late itself, sound last.
func (b *backlog) keeps(au *media.AccessUnit, video bool, age time.Duration) bool {
	switch {
	case !video:
		return age <= b.limit+3*time.Second
	case au.Key:
		b.broken = age > b.limit/2 && (b.broken || age > b.limit)
		return !b.broken
	case b.broken:
		return false
	case age > b.limit:
		b.broken = true
		return false
	}
	return !au.Disposable || age <= b.limit/2
}
