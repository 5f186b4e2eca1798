package control

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"sync"
	"time"

	"obvan/graphics"
	"obvan/mixer"
	"obvan/mixer/obs/provision"
	"obvan/mixer/program"
	"obvan/relay"
)

// Studio is the show: it holds the rooms, keeps their state and runs the commands.
type Studio struct {
	rooms  Rooms
	opts   Options
	log    *slog.Logger
	store  *Store
	book   *book
	access *access
	asRun  *asRun
	eyes   *eyes
	doors  *doors
	table  map[string]Command
	desks  desks
	told   told
}

// told is what the event log said last about the rooms: it tells changes.
type told struct {
	mu           sync.Mutex
	mixer        mixer.State
	link         fickle // to the mixer
	named        string // on its program bus
	program      program.State
	destinations map[string]*fare
	statuses     []relay.Status    // as the relay told them last
	unfit        map[string]string // why the relay would not take a destination
	warnings     map[string][]string
	began        time.Time
	firstToken   string        // made at the first start, for the login link
	cut          chan struct{} // holds one token: the mixer has something else on its program bus
}

const sampleEvery = time.Second

// New reads the data directory and makes the studio of rooms. They need not run yet.
func New(rooms Rooms, opts Options, log *slog.Logger) (*Studio, error) {
	book, news, err := openBook(opts.DataDir, log)
	if err != nil {
		return nil, err
	}
	asRun, err := openAsRun(opts.DataDir, log)
	if err != nil {
		return nil, err
	}
	s := &Studio{
		rooms: rooms, opts: opts, log: log, store: NewStore(log), book: book, access: newAccess(book, opts.Token),
		asRun: asRun, table: map[string]Command{},
	}
	var prepared []graphics.Item
	book.read(func(k *kept, _ *secrets) { prepared = k.Graphics })
	s.desks.open(drawing{s}, prepared)
	s.listLogos()
	s.eyes = newEyes(rooms)
	s.doors = newDoors(s)
	s.told.destinations, s.told.unfit, s.told.began = map[string]*fare{}, map[string]string{}, time.Now().UTC()
	s.told.cut = make(chan struct{}, 1)
	for _, c := range Commands() {
		s.table[c.Name] = c
	}
	if err := s.firstStart(); err != nil {
		asRun.file.Close()
		return nil, err
	}
	for _, text := range news {
		s.note(Error, "%s", text)
	}
	return s, nil
}

// firstStart makes what a show without secrets needs: the mixer's key, and somebody
// who may do everything.
func (s *Studio) firstStart() error {
	return s.edit(context.Background(), func(_ *kept, sec *secrets) error {
		if sec.MixerKey == "" {
			sec.MixerKey = newKey()
		}
		if len(sec.Tokens) == 0 && s.opts.Token == "" {
			s.told.firstToken = newSecret()
			sec.Tokens = []keptToken{{Name: "admin", Role: Admin, Hash: hashOf(s.told.firstToken), Created: time.Now().UTC()}}
		}
		return nil
	})
}

// LoginLink is the panel's address at host:port. At the first start it has the admin's
// token in its fragment, which browsers keep to themselves; a token is shown once, and
// the one of the -token flag never.
func (s *Studio) LoginLink(addr string) string {
	u := url.URL{Scheme: "http", Host: addr, Path: "/"}
	if s.opts.Secure {
		u.Scheme = "https"
	}
	if s.told.firstToken != "" {
		u.Fragment = "token=" + s.told.firstToken
	}
	return u.String()
}

// Run restores the show, then keeps its state until ctx is done and every panel is
// gone. Its rooms may end before it, not after.
func (s *Studio) Run(ctx context.Context) error {
	var all sync.WaitGroup
	logging, logged := context.WithCancel(context.WithoutCancel(ctx)) // the log outlives the rest: it has the last word
	all.Go(func() { s.asRun.run(logging) })
	all.Go(func() { s.runGraphics(ctx) })
	all.Go(func() { s.runSetup(ctx) })
	all.Go(func() { s.runDrills(ctx) })
	defer all.Wait()
	defer logged()
	defer s.doors.close()
	s.note(Info, "The studio starts.")
	s.restore()
	all.Go(func() { s.keepOnAir(ctx) })
	all.Go(func() { s.saveLater(ctx) })
	s.doors.serving.Store(true)
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		changed := s.rooms.Hub.Changed() // before looking, so that nothing is missed
		s.refresh(time.Now(), false)
		select {
		case <-changed:
		case <-s.eyes.poked:
		case <-tick.C:
			s.refresh(time.Now(), true)
			s.desks.look() // an overlay page may have fallen silent
		case <-ctx.Done():
			s.note(Info, "The studio ends.")
			return nil
		}
	}
}

// refresh looks at the streams again and puts what it sees in the state. sample says
// that it is time to measure them.
func (s *Studio) refresh(now time.Time, sample bool) {
	s.eyes.turn.Lock() // else an older look could cover a newer one
	defer s.eyes.turn.Unlock()
	var k kept
	var hasKey map[string]bool
	var undo map[string]*provision.Undo
	s.book.read(func(kept *kept, sec *secrets) { k, hasKey, undo = kept.clone(), sec.withKey(), maps.Clone(sec.OBSUndo) })
	obs := s.set(&k, undo)
	var onAir map[string]Light
	var rung string
	s.store.Read(func(st *State) { onAir, rung = st.Tally, st.Program.Level })
	feeds, prog, news := s.eyes.look(now, sample, feedsOf(&k, hasKey), onAir)
	for i := range feeds {
		feeds[i].Problem = s.scrub(feeds[i].Problem)
	}
	s.store.Update(func(st *State) {
		st.Feeds = feeds
		prog.State = st.Program.State
		st.Program = prog
		st.OBS = obs
		st.Show = Show{
			Name: k.Name, Live: k.Live, Since: k.Since, Version: s.opts.Version, MixerURL: shown(s.opts.MixerURL),
			RTMPPort: s.opts.RTMPPort, RTSPPort: s.opts.RTSPPort,
		}
	})
	for _, n := range news {
		s.note(n.Level, "%s", n.Text)
	}
	if sample {
		s.warn(s.eyes.preflight(now, k.Destinations, rung))
	}
}

// restore hands the rooms what was kept. A destination that was sending when the
// show was live sends again: a crash in mid-show heals itself.
func (s *Studio) restore() {
	s.forgetTests()
	var k kept
	var sec secrets
	s.book.read(func(kept *kept, secrets *secrets) { k, sec = kept.clone(), secrets.clone() })
	s.resume(&k) // before the feeds come, or the first of them is on air
	for _, f := range k.Feeds {
		if err := s.pull(f.ID, sec.Feeds[f.ID].URL); err != nil {
			s.note(Error, "%s can't be pulled: %v.", f.Name, err)
		}
	}
	s.tellFeeds(&k)
	s.restoreLadder(&k)
	for i := range k.Destinations {
		d := &k.Destinations[i]
		err := s.put(d, sec.Destinations[d.ID])
		if err == nil && k.Live && d.Started {
			err = s.rooms.Relay.Start(d.ID)
		}
		if err != nil {
			s.note(Error, "%s is not restored: %v.", d.Name, err)
			s.told.mu.Lock()
			s.told.unfit[d.ID] = "This server can't send to this address."
			s.told.mu.Unlock()
		}
	}
	if k.Live {
		s.note(Info, "The show was live when the server stopped, and goes on.")
	}
	s.listDestinations()
}

// edit changes the show or its secrets. A disk that fails is said loudly and stops
// nothing: the change holds while the server runs.
func (s *Studio) edit(ctx context.Context, change func(*kept, *secrets) error) error {
	behind := s.book.behind.Load()
	err := s.book.edit(ctx, change)
	switch {
	case err == nil && behind:
		s.note(Info, savedAgain)
	case isNotSaved(err):
		s.note(Error, notSaved)
		err = nil
	}
	s.refresh(time.Now(), false)
	s.listDestinations()
	return err
}

// run gives a command in somebody's name.
func (s *Studio) run(ctx context.Context, c caller, name string, args []byte) (any, error) {
	command, ok := s.table[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", quote(name), ErrUnknown)
	}
	if c.Role < command.Role {
		return nil, fmt.Errorf("%s needs the role %s, yours is %s: %w", name, command.Role, c.Role, ErrForbidden)
	}
	c.command = name
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, callerKey{}, c), commandTimeout)
	defer cancel()
	result, err := command.run(ctx, s, args)
	if word, _ := Code(err); err != nil && word == Internal {
		s.log.Error("a command failed", "command", name, "who", c.Name, "err", s.scrub(err.Error()))
	}
	return result, err
}
