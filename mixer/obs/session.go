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

// errOBSClosed is the end of the connection when OBS was quit.
var errOBSClosed = errors.New("OBS was closed")

// The events that are always subscribed to; the meters are added while they are used.
const baseSubscriptions = subscriptions.General | subscriptions.Config | subscriptions.Scenes | subscriptions.Inputs |
	subscriptions.Transitions | subscriptions.Outputs | subscriptions.SceneItems | subscriptions.MediaInputs |
	subscriptions.Ui | subscriptions.InputActiveStateChanged

// Intervals of a connection.
const (
	statsEvery   = time.Second            // media players and statistics
	cursorEvery  = 100 * time.Millisecond // of a running transition
	refetchEvery = 30 * time.Second       // everything, because not every change has an event: old OBS has none for settings
	burstWindow  = 15 * time.Millisecond  // events arrive in bursts: wait for the rest of one before fetching
	fetchPause   = 100 * time.Millisecond // between two fetches
	publishEvery = 10 * time.Millisecond  // between two states at least
)

// session is one connection to OBS, from login to its end.
type session struct {
	m      *Mixer
	conn   *wire.Conn
	mirror *mirror.Mirror

	began            time.Time
	transitionStarts transitionStarts
	synced           bool     // the first complete state was fetched
	restoring        snapshot // what OBS is being restored to; written by the restoring goroutine, read after it ended

	fetching      fetching
	polls         polls
	helpers       sync.WaitGroup
	lastPublished time.Time
	published     view
}

// fetching is a fetch that is running.
type fetching struct {
	running     bool
	eventsSince []any // events since it began
	answers     chan answer
}

// polls fetch what no event reports, one thing at a time.
type polls struct {
	running bool
	answers chan mirror.Patch
}

type answer struct {
	patch mirror.Patch
	part  mirror.Part
	err   error
}

// session follows OBS until the connection ends, and closes it. It reports whether the
// complete state of OBS was fetched.
func (m *Mixer) session(ctx context.Context, conn *wire.Conn) (synced bool, err error) {
	s := &session{
		m: m, conn: conn, began: time.Now(), mirror: mirror.New(m.feedOf),
		fetching: fetching{answers: make(chan answer, 1)}, polls: polls{answers: make(chan mirror.Patch, 1)},
	}
	ctx, cancel := context.WithCancel(ctx)
	s.helpers.Go(func() { m.meterSubscribers.pump(ctx, conn) })
	s.helpers.Go(func() { m.watchStream(ctx, conn) })
	err = s.loop(ctx)
	cancel()
	conn.Close()
	s.helpers.Wait()
	s.applyEvents(conn.Events()) // the last events may say why it ended, and arrive together with the end
	m.saveSnapshot(s)
	if s.mirror.Leaving() {
		err = errOBSClosed
	}
	return s.synced, err
}

func (s *session) loop(ctx context.Context) error {
	ask := time.NewTimer(0) // immediately
	poll := time.NewTicker(cursorEvery)
	whole := time.NewTicker(refetchEvery)
	send := time.NewTimer(time.Hour)
	defer ask.Stop()
	defer poll.Stop()
	defer whole.Stop()
	defer send.Stop()
	var lastStats time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.conn.Done():
			return s.conn.Err()
		case <-s.conn.Ready():
			if s.applyEvents(s.conn.Events()) {
				ask.Reset(burstWindow)
			}
		case <-ask.C:
			s.fetch(ctx)
		case a := <-s.fetching.answers:
			s.applyAnswer(ctx, a)
			ask.Reset(fetchPause)
		case <-whole.C:
			s.mirror.MarkStale(mirror.All)
			ask.Reset(burstWindow)
		case mark := <-s.m.eventMarks:
			if s.applyEvents(s.conn.Events()) {
				ask.Reset(burstWindow)
			}
			s.publish()
			close(mark)
			continue
		case p := <-s.m.refetches:
			s.mirror.MarkStale(p)
			ask.Reset(burstWindow)
		case p := <-s.polls.answers:
			s.polls.running = false
			if p != nil {
				p(s.mirror)
			}
		case now := <-poll.C:
			if now.Sub(lastStats) > statsEvery && s.poll(ctx, s.mirror.FetchStats()) {
				lastStats = now
			} else if s.mirror.Running() {
				s.poll(ctx, mirror.FetchCursor)
			}
			continue
		case <-send.C:
		}
		if wait := time.Until(s.lastPublished.Add(publishEvery)); wait > 0 {
			send.Reset(wait)
			continue
		}
		s.publish()
	}
}

// applyEvents applies events, and reports whether something may have to be fetched
// because of them.
func (s *session) applyEvents(all []any) bool {
	for _, ev := range all {
		switch e := ev.(type) {
		case wire.EventsLost:
			s.mirror.MarkStale(mirror.All)
			s.fetching.eventsSince = nil
			s.transitionStarts.add("") // there may have been one; a cut that waits for it must not wait forever
			s.transitionStarts.programUnnamed = false
			continue
		case *events.SceneTransitionStarted:
			s.transitionStarts.add(e.TransitionName)
			s.transitionStarts.programUnnamed = s.published.StudioMode
		case *events.CurrentProgramSceneChanged:
			s.transitionStarts.programUnnamed = false
		}
		s.mirror.Apply(ev)
		if s.fetching.running && len(s.fetching.eventsSince) < 4096 {
			s.fetching.eventsSince = append(s.fetching.eventsSince, ev)
		} else if s.fetching.running {
			s.mirror.MarkStale(mirror.All)
		}
	}
	return !s.fetching.running
}

// fetch fetches what is stale, one fetch at a time.
func (s *session) fetch(ctx context.Context) {
	if s.fetching.running {
		return
	}
	part := s.mirror.TakeStale()
	if part == 0 {
		return
	}
	s.fetching.running, s.fetching.eventsSince = true, nil
	fetch := s.mirror.Fetcher(part)
	s.helpers.Go(func() {
		patch, err := fetch(ctx, s.conn)
		select {
		case s.fetching.answers <- answer{patch, part, err}:
		case <-ctx.Done():
		}
	})
}

// applyAnswer puts the answers into the mirror, and after them the events that arrived
// since they were requested: so neither can undo the other.
func (s *session) applyAnswer(ctx context.Context, a answer) {
	since := s.fetching.eventsSince
	s.fetching.running, s.fetching.eventsSince = false, nil
	if a.err != nil {
		s.mirror.MarkStale(a.part)
		if s.conn.Err() == nil {
			s.m.log.Debug("OBS did not answer all requests", "err", a.err)
		}
		return
	}
	a.patch(s.mirror)
	for _, ev := range since {
		s.mirror.Apply(ev)
	}
	if !s.synced && a.part == mirror.All {
		s.synced = true
		s.m.log.Info("OBS connected", "websocket", s.conn.Version())
		s.restore(ctx)
	}
}

// poll fetches something that no event reports, one at a time.
func (s *session) poll(ctx context.Context, fetch mirror.Fetch) bool {
	if s.polls.running || !s.synced {
		return false
	}
	s.polls.running = true
	s.helpers.Go(func() {
		patch, _ := fetch(ctx, s.conn) // what is not answered now is fetched again soon
		select {
		case s.polls.answers <- patch:
		case <-ctx.Done():
		}
	})
	return true
}

// publish publishes the state when it has changed. An OBS that is quitting removes its
// scenes one by one: no panel should follow that.
func (s *session) publish() {
	if !s.synced || s.mirror.Leaving() {
		return
	}
	v := view{State: s.mirror.State(), since: s.began, transitionStarts: s.transitionStarts, graphicItem: s.mirror.GraphicItem(), letterByLetter: s.mirror.LetterByLetter(), cutTransition: s.mirror.Cut(), outputEvents: s.mirror.OutputEvents()}
	v.Output = ingest.Mixer
	v.programShown = v.InTransition || s.mirror.Shown(v.Program)
	if reflect.DeepEqual(v, s.published) {
		return
	}
	s.published, s.lastPublished = v, time.Now()
	s.m.shared.publish(s.conn, v)
}
