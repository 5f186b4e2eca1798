package obs

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/andreykaipov/goobs/api/events"
	"github.com/andreykaipov/goobs/api/events/subscriptions"

	"obvan/ingest"
	"obvan/mixer/obs/mirror"
	"obvan/mixer/obs/wire"
)

// errLeft is the end of an OBS that said good-bye.
var errLeft = errors.New("OBS was closed")

// What is heard always; the meters come on top while somebody listens.
const always = subscriptions.General | subscriptions.Config | subscriptions.Scenes | subscriptions.Inputs |
	subscriptions.Transitions | subscriptions.Outputs | subscriptions.SceneItems | subscriptions.MediaInputs |
	subscriptions.Ui | subscriptions.InputActiveStateChanged

// Rhythms of a connection.
const (
	pulse     = time.Second            // players and statistics
	cursor    = 100 * time.Millisecond // of a running transition
	review    = 30 * time.Second       // everything, in case an event never was: old OBS has none for settings
	gather    = 15 * time.Millisecond  // for events that come in bursts, before asking
	breathe   = 100 * time.Millisecond // between two askings
	sendEvery = 10 * time.Millisecond  // at least between two states
)

// session is one connection to OBS, from login to its end.
type session struct {
	m    *Mixer
	conn *wire.Conn
	mir  *mirror.Mirror

	began  time.Time
	starts starts
	synced bool   // the first full answer came
	owed   memory // what OBS is being brought back to; the helper's that does it, and read after that

	asking   asking
	polls    polls
	helpers  sync.WaitGroup
	lastSent time.Time
	sent     view
}

// asking is a fetch that runs.
type asking struct {
	on      bool
	since   []any // events since it began
	answers chan answer
}

// polls is what no event says and is asked now and then, one thing at a time.
type polls struct {
	on      bool
	answers chan mirror.Patch
}

type answer struct {
	patch mirror.Patch
	part  mirror.Part
	err   error
}

// session follows OBS until the connection ends, and closes it. It reports whether OBS
// told all about itself.
func (m *Mixer) session(ctx context.Context, conn *wire.Conn) (synced bool, err error) {
	s := &session{
		m: m, conn: conn, began: time.Now(), mir: mirror.New(m.feedOf),
		asking: asking{answers: make(chan answer, 1)}, polls: polls{answers: make(chan mirror.Patch, 1)},
	}
	ctx, cancel := context.WithCancel(ctx)
	s.helpers.Go(func() { m.ears.pump(ctx, conn) })
	s.helpers.Go(func() { m.revive(ctx, conn) })
	err = s.follow(ctx)
	cancel()
	conn.Close()
	s.helpers.Wait()
	s.hear(conn.Events()) // its last word may be why it left, and come together with the end
	m.remember(s)
	if s.mir.Leaving() {
		err = errLeft
	}
	return s.synced, err
}

func (s *session) follow(ctx context.Context) error {
	ask := time.NewTimer(0) // at once
	poll := time.NewTicker(cursor)
	whole := time.NewTicker(review)
	send := time.NewTimer(time.Hour)
	defer ask.Stop()
	defer poll.Stop()
	defer whole.Stop()
	defer send.Stop()
	var beat time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.conn.Done():
			return s.conn.Err()
		case <-s.conn.Ready():
			if s.hear(s.conn.Events()) {
				ask.Reset(gather)
			}
		case <-ask.C:
			s.ask(ctx)
		case a := <-s.asking.answers:
			s.answered(ctx, a)
			ask.Reset(breathe)
		case <-whole.C:
			s.mir.Suspect(mirror.All)
			ask.Reset(gather)
		case mark := <-s.m.marks:
			if s.hear(s.conn.Events()) {
				ask.Reset(gather)
			}
			s.send()
			close(mark)
			continue
		case p := <-s.m.doubts:
			s.mir.Suspect(p)
			ask.Reset(gather)
		case p := <-s.polls.answers:
			s.polls.on = false
			if p != nil {
				p(s.mir)
			}
		case now := <-poll.C:
			if now.Sub(beat) > pulse && s.poll(ctx, s.mir.FetchPulse()) {
				beat = now
			} else if s.mir.Running() {
				s.poll(ctx, mirror.FetchCursor)
			}
			continue
		case <-send.C:
		}
		if wait := time.Until(s.lastSent.Add(sendEvery)); wait > 0 {
			send.Reset(wait)
			continue
		}
		s.send()
	}
}

// hear takes events, and says whether something must be asked because of them.
func (s *session) hear(all []any) bool {
	for _, ev := range all {
		switch e := ev.(type) {
		case wire.Lost:
			s.mir.Suspect(mirror.All)
			s.asking.since = nil
			s.starts.add("") // perhaps; a cut that waits for one must not wait for ever
			s.starts.unnamed = false
			continue
		case *events.SceneTransitionStarted:
			s.starts.add(e.TransitionName)
			s.starts.unnamed = s.sent.StudioMode
		case *events.CurrentProgramSceneChanged:
			s.starts.unnamed = false
		}
		s.mir.Apply(ev)
		if s.asking.on && len(s.asking.since) < 4096 {
			s.asking.since = append(s.asking.since, ev)
		} else if s.asking.on {
			s.mir.Suspect(mirror.All)
		}
	}
	return !s.asking.on
}

// ask asks for what is doubtful, one fetch at a time.
func (s *session) ask(ctx context.Context) {
	if s.asking.on {
		return
	}
	part := s.mir.Doubt()
	if part == 0 {
		return
	}
	s.asking.on, s.asking.since = true, nil
	fetch := s.mir.Fetcher(part)
	s.helpers.Go(func() {
		patch, err := fetch(ctx, s.conn)
		select {
		case s.asking.answers <- answer{patch, part, err}:
		case <-ctx.Done():
		}
	})
}

// answered puts the answers into the mirror, and over them the events that came
// since they were asked for: so neither can undo the other.
func (s *session) answered(ctx context.Context, a answer) {
	since := s.asking.since
	s.asking.on, s.asking.since = false, nil
	if a.err != nil {
		s.mir.Suspect(a.part)
		if s.conn.Err() == nil {
			s.m.log.Debug("OBS did not say all", "err", a.err)
		}
		return
	}
	a.patch(s.mir)
	for _, ev := range since {
		s.mir.Apply(ev)
	}
	if !s.synced && a.part == mirror.All {
		s.synced = true
		s.m.log.Info("OBS is connected", "websocket", s.conn.Version())
		s.recall(ctx)
	}
}

// poll asks for something that no event says, one at a time.
func (s *session) poll(ctx context.Context, fetch mirror.Fetch) bool {
	if s.polls.on || !s.synced {
		return false
	}
	s.polls.on = true
	s.helpers.Go(func() {
		patch, _ := fetch(ctx, s.conn) // what is not answered now is asked again soon
		select {
		case s.polls.answers <- patch:
		case <-ctx.Done():
		}
	})
	return true
}

// send publishes the state when it changed. An OBS that is ending takes its scenes
// apart: nobody's desk shall follow that.
func (s *session) send() {
	if !s.synced || s.mir.Leaving() {
		return
	}
	v := view{State: s.mir.State(), since: s.began, starts: s.starts, plate: s.mir.PlateItem(), plain: s.mir.LetterByLetter(), cut: s.mir.Cut(), words: s.mir.Words()}
	v.Output = ingest.Mixer
	v.shown = v.InTransition || s.mir.Shown(v.Program)
	if reflect.DeepEqual(v, s.sent) {
		return
	}
	s.sent, s.lastSent = v, time.Now()
	s.m.board.publish(s.conn, v)
}
