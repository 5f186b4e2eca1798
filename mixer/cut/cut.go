// Package cut is the built-in vision mixer: it cuts between feeds and decodes
// nothing.
package cut

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"obvan/hub"
	"obvan/ingest"
	"obvan/mixer"
)

// transition is the only one a mixer that decodes nothing can do.
const transition = "cut"

// resumeWithin is how long a source that was on air has to come back after a restart
// while nothing else is on air. Encoders reconnect within some seconds.
const resumeWithin = 10 * time.Second

// Program is what the mixer needs of the program stream; program.Program is one.
type Program interface {
	Follow(stream string, when mixer.When)
	OnAir() (stream string, changed <-chan struct{})
}

// Mixer is the cut mixer. Its methods are safe for concurrent use.
type Mixer struct {
	hub     *hub.Hub
	program Program
	log     *slog.Logger
	wake    chan struct{} // the buses or the feeds changed
	resumed chan struct{} // Resume was called

	mu    sync.Mutex
	feeds []string // configured ones, which may not be connected
	known []string // every source there was, in the order they first appeared
	buses buses
}

// buses is what is on them. A cut that is not on air yet is pending; the program bus
// changes when it is.
type buses struct {
	program, pending, preview string
	onAir                     string // what the program stream shows, a backup for example
	cutMade                   bool   // an operator has cut
}

// New makes a cut mixer over the feeds that are live in h. Its sources are all
// feeds of h (every stream but hub.Program and ingest.Mixer), plus those that
// SetFeeds names, which may not be connected.
func New(h *hub.Hub, p Program, log *slog.Logger) *Mixer {
	return &Mixer{hub: h, program: p, log: log, wake: make(chan struct{}, 1), resumed: make(chan struct{}, 1)}
}

// SetFeeds names the configured feeds. They are sources also while they are not
// connected. A source keeps its position whichever others connect or disconnect: its
// number is a key on the operator's keyboard.
func (m *Mixer) SetFeeds(feeds []string) {
	m.mu.Lock()
	m.feeds = slices.Clone(feeds)
	m.mu.Unlock()
	m.wakeUp()
}

// Run follows the feeds and the program until ctx is done.
func (m *Mixer) Run(ctx context.Context, changed func(mixer.State)) error {
	var last mixer.State
	var lost <-chan time.Time
	for first := true; ; first = false {
		hubChanged := m.hub.Changed()
		onAir, moved := m.program.OnAir()
		m.fillBuses()
		m.setOnAir(onAir)
		if now := m.state(); first || !same(&now, &last) {
			last = now
			changed(now)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-hubChanged:
		case <-moved:
		case <-m.wake:
		case <-m.resumed:
			lost = time.After(resumeWithin)
		case <-lost:
			m.giveUpResume()
		}
	}
}

// Resume puts the source on air that was on air when the server stopped, unless an
// operator has cut since. It may not be connected yet, like all others then: which of
// them connects first does not decide what goes on air.
func (m *Mixer) Resume(source string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.buses.cutMade {
		return
	}
	m.follow(source, mixer.Instant)
	select {
	case m.resumed <- struct{}{}:
	default:
	}
	m.wakeUp()
}

// giveUpResume gives up a resumed source that has not come back, when nothing else is on
// air either: any video is better than none.
func (m *Mixer) giveUpResume() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.buses.cutMade && m.buses.program == "" && m.buses.onAir == "" {
		m.buses.pending = ""
	}
}

// fillBuses puts the first live feed on air and the second in preview as long as no one
// has cut to anything, so that a new user sees video.
func (m *Mixer) fillBuses() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.buses.cutMade {
		return
	}
	for _, name := range m.sources() {
		if st, live := m.hub.Stream(name); !live || st.Tracks.Video() < 0 {
			continue
		}
		switch {
		case m.buses.program == "" && m.buses.pending == "":
			m.follow(name, mixer.Instant)
		case m.buses.preview == "" && name != m.buses.program && name != m.buses.pending:
			m.buses.preview = name
		}
	}
}

// setOnAir notes what the program stream shows.
func (m *Mixer) setOnAir(onAir string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.buses.onAir = onAir
	if m.buses.pending != "" && m.buses.pending == onAir {
		m.buses.program, m.buses.pending = onAir, ""
	}
}

// follow makes the program follow a source. m.mu is locked, so that the last command is
// also the last one that the program gets.
func (m *Mixer) follow(source string, when mixer.When) {
	m.log.Info("cut", "feed", source, "from", m.buses.program)
	m.buses.pending = source
	m.program.Follow(source, when)
}

// Preview puts source on the preview bus.
func (m *Mixer) Preview(_ context.Context, source string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.sources(), source) {
		return fmt.Errorf("preview %q: %w", source, mixer.ErrNoSource)
	}
	m.buses.preview = source
	m.wakeUp()
	return nil
}

// Cut puts source on air; "" is what is in preview, which is then swapped with the
// program.
func (m *Mixer) Cut(_ context.Context, source string, when mixer.When) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if source == "" {
		return m.swap(when)
	}
	if !slices.Contains(m.sources(), source) {
		return fmt.Errorf("cut %q: %w", source, mixer.ErrNoSource)
	}
	m.buses.cutMade = true
	m.follow(source, when)
	m.wakeUp()
	return nil
}

// Take puts preview on air; the old program goes to preview.
func (m *Mixer) Take(_ context.Context, t mixer.Transition) error {
	if t.Kind != "" && t.Kind != transition {
		return fmt.Errorf("take %q: %w", t.Kind, mixer.ErrNoTransition)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.swap(mixer.Instant)
}

// swap cuts to preview; m.mu is locked.
func (m *Mixer) swap(when mixer.When) error {
	b := &m.buses
	if b.preview == "" {
		return mixer.ErrNoPreview
	}
	old := b.pending
	if old == "" {
		old = b.program
	}
	b.cutMade = true
	next := b.preview
	b.preview = old
	m.follow(next, when)
	m.wakeUp()
	return nil
}

func (m *Mixer) wakeUp() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// maxKnown bounds what is remembered about feeds that have disconnected.
const maxKnown = 1024

// sources is the configured feeds and those that are connected, the newest last; m.mu is
// locked.
func (m *Mixer) sources() []string {
	names := slices.Clone(m.feeds)
	streams := m.hub.Streams()
	slices.SortStableFunc(streams, func(a, b hub.Stats) int { return a.Since.Compare(b.Since) })
	for _, st := range streams {
		if st.Name != hub.Program && st.Name != ingest.Mixer && !slices.Contains(names, st.Name) {
			names = append(names, st.Name)
		}
	}
	if len(m.known) > maxKnown {
		m.known = nil
	}
	for _, name := range names {
		if !slices.Contains(m.known, name) {
			m.known = append(m.known, name)
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return slices.Index(m.known, a) - slices.Index(m.known, b) })
	return names
}

func (m *Mixer) state() mixer.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := &m.buses
	s := mixer.State{
		Kind: "cut", Connected: true, StudioMode: true,
		Sources: []mixer.Source{},
		Program: b.program, Preview: b.preview, Pending: b.pending,
		Transitions: []string{transition}, Transition: mixer.Transition{Kind: transition},
		Output: b.program,
		OnAir:  []string{}, OnPreview: []string{},
	}
	for _, name := range m.sources() {
		s.Sources = append(s.Sources, mixer.Source{Name: name, Feeds: []string{name}})
	}
	if b.pending != "" {
		s.Output = b.pending
	}
	if b.onAir != "" {
		s.OnAir = []string{b.onAir}
	}
	if b.preview != "" {
		s.OnPreview = []string{b.preview}
	}
	return s
}

// same compares what can change in this mixer's state.
func same(a, b *mixer.State) bool {
	return a.Program == b.Program && a.Preview == b.Preview && a.Pending == b.Pending &&
		slices.Equal(a.OnAir, b.OnAir) &&
		slices.EqualFunc(a.Sources, b.Sources, func(a, b mixer.Source) bool { return a.Name == b.Name })
}
