// Package studio is the command table and what it acts on: it keeps the state of the show,
// restores it after a restart, and logs what happens.
package studio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"obvan/control"
	"obvan/control/auth"
	"obvan/control/observe"
	"obvan/control/showfile"
	"obvan/control/store"
	"obvan/graphics"
	"obvan/internal/text"
	"obvan/mixer"
	"obvan/mixer/obs/provision"
	"obvan/mixer/program"
	"obvan/relay"
)

// Studio keeps the state of what it controls, and runs the commands.
type Studio struct {
	deps     Deps
	opts     Options
	log      *slog.Logger
	store    *store.Store
	file     *showfile.File
	asRun    *showfile.AsRun
	access   *auth.Access
	observer *observe.Observer
	table    map[string]Command
	areas    areas
	last     lastReported
	ready    atomic.Bool // the show is restored, and the server is not shutting down
}

// lastReported is what was reported last: the event log has the changes.
type lastReported struct {
	mu             sync.Mutex
	mixer          mixer.State
	connection     observe.MixerEvents // to the mixer
	programSource  string              // on its program bus
	program        program.State
	destinations   observe.DestinationEvents
	statuses       []relay.Status    // as the relay last reported them
	notAccepted    map[string]string // why the relay does not accept a destination
	warnings       map[string][]string
	began          time.Time
	programChanged chan struct{} // holds one token: the mixer has another source on its program bus
}

// New reads the data directory and makes the studio of deps. They need not run yet.
func New(deps Deps, opts Options, log *slog.Logger) (*Studio, error) {
	file, problems, err := showfile.Open(opts.DataDir, log)
	if err != nil {
		return nil, err
	}
	asRun, err := showfile.OpenAsRun(opts.DataDir, log)
	if err != nil {
		return nil, err
	}
	s := &Studio{
		deps: deps, opts: opts, log: log, store: store.New(log), file: file, asRun: asRun,
		observer: observe.New(deps.Hub, deps.Pulls, deps.Monitor), table: map[string]Command{},
	}
	s.access = auth.New(s.tokens, opts.Token)
	var prepared []graphics.Item
	file.Read(func(k *showfile.Show, _ *showfile.Secrets) { prepared = k.Graphics })
	s.areas.open(renderer{s}, prepared)
	s.updateLogos()
	s.last.destinations, s.last.notAccepted, s.last.began = observe.DestinationEvents{}, map[string]string{}, time.Now().UTC()
	s.last.programChanged = make(chan struct{}, 1)
	for _, c := range Commands() {
		s.table[c.Name] = c
	}
	if err := s.firstStart(); err != nil {
		asRun.Close()
		return nil, err
	}
	for _, text := range problems {
		s.logEvent(control.Error, "%s", text)
	}
	return s, nil
}

// Store is the state, for whoever shows it.
func (s *Studio) Store() *store.Store { return s.store }

// Access says who a client is by its token.
func (s *Studio) Access() *auth.Access { return s.access }

// Ready reports whether the show is restored, and the server is not shutting down.
func (s *Studio) Ready() bool { return s.ready.Load() }

// tokens is the tokens that are valid now; what it returns is never changed.
func (s *Studio) tokens() (all []auth.Token) {
	s.file.Read(func(_ *showfile.Show, sec *showfile.Secrets) { all = sec.Tokens })
	return all
}

// feedsOf is the feeds that operators added, as far as the show file knows them.
func feedsOf(k *showfile.Show, hasKey map[string]bool) []control.Feed {
	all := make([]control.Feed, len(k.Feeds))
	for i, f := range k.Feeds {
		all[i] = control.Feed{ID: f.ID, Name: f.Name, URL: f.URL, Added: true, HasKey: hasKey[f.ID]}
	}
	return all
}

// destinationsOf is the destinations as the relay knows them.
func destinationsOf(all []showfile.Destination) []relay.Destination {
	list := make([]relay.Destination, len(all))
	for i := range all {
		list[i] = all[i].Destination
	}
	return list
}

// firstStart makes what a show without secrets needs: the mixer's key, and an admin's
// token.
func (s *Studio) firstStart() error {
	return s.edit(context.Background(), func(_ *showfile.Show, sec *showfile.Secrets) error {
		if sec.MixerKey == "" {
			sec.MixerKey = auth.NewKey()
		}
		if len(sec.Tokens) == 0 && s.opts.Token == "" {
			s.areas.firstToken = auth.NewToken()
			sec.Tokens = []auth.Token{{Name: "admin", Role: control.Admin, Hash: auth.Hash(s.areas.firstToken), Created: time.Now().UTC()}}
		}
		return nil
	})
}

// FirstToken is the admin's token that was made at the first start, for the login link;
// "" later: a token is shown once, and the one of the -token flag never.
func (s *Studio) FirstToken() string { return s.areas.firstToken }

// Run restores the show, then keeps its state until ctx is done. Whoever serves clients
// should have ended by then, and what the studio controls may have.
func (s *Studio) Run(ctx context.Context) error {
	var all sync.WaitGroup
	logging, logged := context.WithCancel(context.WithoutCancel(ctx)) // the log ends last: it reports the end of the rest
	all.Go(func() { s.asRun.Run(logging) })
	all.Go(func() { s.runGraphics(ctx) })
	all.Go(func() { s.followFeedsInOBS(ctx) })
	all.Go(func() { s.runSelfTests(ctx) })
	defer all.Wait()
	defer logged()
	defer s.ready.Store(false)
	s.logEvent(control.Info, "Server started.")
	s.restore()
	all.Go(func() { s.saveOnAir(ctx) })
	all.Go(func() { s.retrySaving(ctx) })
	s.ready.Store(true)
	tick := time.NewTicker(observe.SampleEvery)
	defer tick.Stop()
	for {
		changed := s.deps.Hub.Changed() // before looking, so that nothing is missed
		s.refresh(time.Now(), false)
		select {
		case <-changed:
		case <-s.observer.Woken():
		case <-tick.C:
			s.refresh(time.Now(), true)
			s.areas.wakeGraphics() // an overlay page may have stopped
		case <-ctx.Done():
			s.logEvent(control.Info, "Server shutting down.")
			return nil
		}
	}
}

// refresh inspects the streams again and updates the state. sample says that it is time to
// measure them.
func (s *Studio) refresh(now time.Time, sample bool) {
	s.areas.refreshing.Lock() // else older results could replace newer ones
	defer s.areas.refreshing.Unlock()
	var k showfile.Show
	var hasKey map[string]bool
	var undo map[string]*provision.Undo
	s.file.Read(func(now *showfile.Show, sec *showfile.Secrets) {
		k, hasKey, undo = now.Clone(), sec.WithKey(), maps.Clone(sec.OBSUndo)
	})
	obs := s.obsSetup(&k, undo)
	var onAir map[string]control.Light
	var level string
	s.store.Read(func(st *control.State) { onAir, level = st.Tally, st.Program.Level })
	feeds, prog, events := s.observer.Look(now, sample, feedsOf(&k, hasKey), onAir)
	for i := range feeds {
		feeds[i].Problem = s.Redact(feeds[i].Problem)
	}
	s.store.Update(func(st *control.State) {
		st.Feeds = feeds
		prog.State = st.Program.State
		st.Program = prog
		st.OBS = obs
		st.Show = control.Show{
			Name: k.Name, Live: k.Live, Since: k.Since, Version: s.opts.Version, MixerURL: showfile.DisplayURL(s.opts.MixerURL),
			RTMPPort: s.opts.RTMPPort, RTSPPort: s.opts.RTSPPort,
		}
	})
	for _, n := range events {
		s.logEvent(n.Level, "%s", n.Text)
	}
	if sample {
		s.setWarnings(s.observer.PlatformCheck(now, destinationsOf(k.Destinations), level))
	}
}

// edit changes the show or its secrets. When the disk fails that is logged as an error, but
// stops nothing: the change holds while the server runs.
func (s *Studio) edit(ctx context.Context, change func(*showfile.Show, *showfile.Secrets) error) error {
	behind := s.file.Behind()
	err := s.file.Edit(ctx, change)
	switch {
	case err == nil && behind:
		s.logEvent(control.Info, savedAgainText)
	case errors.Is(err, showfile.ErrNotSaved):
		s.logEvent(control.Error, notSavedText)
		err = nil
	}
	s.refresh(time.Now(), false)
	s.updateDestinations()
	return err
}

// Execute runs a command for a caller.
func (s *Studio) Execute(ctx context.Context, c control.Caller, name string, args []byte) (any, error) {
	command, ok := s.table[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", text.Quote(name), control.ErrUnknown)
	}
	if c.Role < command.Role {
		return nil, fmt.Errorf("%s needs the role %s, yours is %s: %w", name, command.Role, c.Role, control.ErrForbidden)
	}
	c.Command = name
	ctx, cancel := context.WithTimeout(control.WithCaller(ctx, c), commandTimeout)
	defer cancel()
	result, err := command.run(ctx, s, args)
	if code, _ := control.Code(err); err != nil && code == control.Internal {
		s.log.Error("a command failed", "command", name, "who", c.Name, "err", s.Redact(err.Error()))
	}
	return result, err
}
