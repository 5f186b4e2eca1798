// Package obs is OBS Studio as the studio's vision mixer, controlled over
// obs-websocket. OBS is supervised: connected, watched, reconnected, and after each
// connect its whole state is fetched. What OBS reports is the truth; what we requested
// is not.
package obs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"obvan/ingest"
	"obvan/internal/netaddr"
	"obvan/internal/retry"
	"obvan/mixer"
	"obvan/mixer/obs/mirror"
	"obvan/mixer/obs/wire"
)

// Config says which OBS, and how it reaches the studio's streams.
type Config struct {
	URL      string        // obs://host:port, or host:port
	Password func() string // called for each attempt; nil for none

	// Play is where OBS plays feeds from, without the feed: rtsp://127.0.0.1:8555.
	Play string
	// Program is where OBS sends its program to, without the key:
	// rtmp://127.0.0.1:1935/mixer.
	Program string
	// Logo is the file of a logo, "" when there is none; nil when OBS runs where it can't
	// read our files.
	Logo func(name string) (file string)
	// StreamArrives reports whether OBS' program arrives here; nil when that is not known.
	StreamArrives func() bool
}

const defaultPort = "4455"

// How long to wait between attempts. A refused password is reported at once and retried
// rarely; a new one is tried at once.
const (
	minRetry          = 250 * time.Millisecond
	maxRetry          = 2 * time.Second // OBS is back on air that much later
	retryAfterRefusal = 30 * time.Second
	passwordPoll      = time.Second
)

// Mixer is OBS. Its methods are safe for concurrent use.
type Mixer struct {
	cfg  Config
	addr string
	log  *slog.Logger

	shared           sharedState
	busLock          chan struct{}            // a token while a command changes the buses
	graphicLock      chan struct{}            // a token while a command uses the lower third
	outputLocks      map[string]chan struct{} // by output: a token while a command uses it
	refetches        chan mirror.Part         // what the session has to fetch again
	eventMarks       chan chan struct{}       // each closed by the session once it has applied all events before it
	meterSubscribers meterSubscribers
	snapshot         snapshot // of the last connection; Run's goroutine only

	restarting atomic.Bool // we stopped OBS' stream, and have to start it
}

// view is what commands know about OBS.
type view struct {
	mixer.State
	since            time.Time         // of this connection
	transitionStarts transitionStarts  // of transitions on it
	programShown     bool              // the scene that OBS names as program is what it shows
	graphicItem      int               // scene item ID of the lower third in its layer
	letterByLetter   bool              // the lower third's text is rendered letter by letter
	cutTransition    string            // name of the transition that takes no time
	outputEvents     map[string]uint64 // number of events about each output so far
}

// transitionStarts are the transitions that OBS reported as started, including cuts.
type transitionStarts struct {
	count  int
	recent [8]string // their names, by count; "" is one that may have been missed

	programUnnamed bool // OBS, in studio mode, has not named its program since the last
}

func (s *transitionStarts) add(name string) {
	s.recent[s.count%len(s.recent)] = name
	s.count++
}

// since reports whether one of that name started after so many; "" is any.
func (s *transitionStarts) since(count int, name string) bool {
	for i := max(count, s.count-len(s.recent)); i < s.count; i++ {
		if n := s.recent[i%len(s.recent)]; name == "" || n == "" || n == name {
			return true
		}
	}
	return false
}

// New makes a mixer of the OBS at cfg.URL, which need not be running yet.
func New(cfg Config, log *slog.Logger) *Mixer {
	addr := cfg.URL
	if u, err := url.Parse(cfg.URL); err == nil && u.Host != "" {
		addr = u.Host
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		addr = net.JoinHostPort(strings.Trim(addr, "[]"), defaultPort)
	}
	if cfg.Password == nil {
		cfg.Password = func() string { return "" }
	}
	m := &Mixer{
		cfg: cfg, addr: addr, log: log.With("mixer", "obs", "remote", addr),
		shared: newSharedState(), meterSubscribers: newMeterSubscribers(), busLock: make(chan struct{}, 1), graphicLock: make(chan struct{}, 1),
		outputLocks: map[string]chan struct{}{}, refetches: make(chan mirror.Part, 1), eventMarks: make(chan chan struct{}),
	}
	for _, name := range mirror.OutputNames {
		m.outputLocks[name] = make(chan struct{}, 1)
	}
	m.shared.view.State = m.offline("OBS is not connected yet")
	return m
}

// Run keeps OBS connected until ctx is done.
func (m *Mixer) Run(ctx context.Context, changed func(mixer.State)) error {
	m.shared.setOnState(changed)
	m.shared.publish(nil, view{State: m.offline("OBS is not connected yet")})
	backoff := retry.Backoff{Min: minRetry, Max: maxRetry}
	lastReported := ""
	for ctx.Err() == nil {
		password := m.cfg.Password()
		conn, err := wire.Dial(ctx, wire.Options{
			Addr: m.addr, Password: password, Subscriptions: m.subscriptions(), UsesEvent: mirror.UsesEvent,
		})
		if err == nil {
			var synced bool
			if synced, err = m.session(ctx, conn); synced { // an OBS that only accepts the login is not connected
				lastReported = ""
				backoff.Reset()
			}
		}
		if ctx.Err() != nil {
			break
		}
		problem := m.problem(err)
		if problem != lastReported { // once for each reason, not once for each attempt
			m.log.Warn("OBS is not connected", "err", err)
			lastReported = problem
		}
		m.shared.publish(nil, view{State: m.offline(problem)})
		m.waitForRetry(ctx, err, password, &backoff)
	}
	m.shared.setOnState(func(mixer.State) {})
	m.shared.publish(nil, view{State: m.offline("the server is shutting down")})
	return nil
}

// waitForRetry waits until the next attempt.
func (m *Mixer) waitForRetry(ctx context.Context, err error, password string, backoff *retry.Backoff) {
	if !errors.Is(err, wire.ErrPassword) && !errors.Is(err, wire.ErrKicked) {
		retry.Sleep(ctx, backoff.Next())
		return
	}
	for until := time.Now().Add(retryAfterRefusal); time.Now().Before(until); {
		if retry.Sleep(ctx, passwordPoll) != nil || m.cfg.Password() != password {
			return
		}
	}
}

// problem says why OBS is not connected.
func (m *Mixer) problem(err error) string {
	switch {
	case errors.Is(err, wire.ErrPassword) && m.cfg.Password() == "":
		return "OBS requires a password: enter the one from its WebSocket server settings"
	case errors.Is(err, wire.ErrPassword):
		return "OBS refused the password: compare it with OBS' WebSocket server settings"
	case errors.Is(err, wire.ErrKicked):
		return "someone ended the studio's connection in OBS' WebSocket server settings"
	case errors.Is(err, errOBSClosed):
		return "OBS was closed"
	case errors.Is(err, wire.ErrSilent):
		return "OBS has stopped responding: it is frozen, or the network is down"
	case errors.Is(err, wire.ErrClosed):
		return "lost the connection to OBS"
	}
	return fmt.Sprintf("OBS is not responding at %s: is it running, with its WebSocket server enabled?", m.addr)
}

// offline is the state while OBS is not connected: the sources stay as they were last
// reported, nothing is on air.
func (m *Mixer) offline(problem string) mixer.State {
	last, _ := m.shared.current()
	s := mixer.State{
		Kind: "obs", Version: last.Version, Problem: problem, Output: ingest.Mixer,
		Sources: last.Sources, Transitions: last.Transitions, Transition: last.Transition,
		StudioMode: last.StudioMode, OnAir: []string{}, OnPreview: []string{},
	}
	if s.Sources == nil {
		s.Sources = []mixer.Source{}
	}
	return s
}

// feedOf is the hub stream that a URL plays, "" when it is not one of ours.
func (m *Mixer) feedOf(address string) string {
	base, err := url.Parse(m.cfg.Play)
	if err != nil || m.cfg.Play == "" {
		return ""
	}
	u, err := url.Parse(address)
	if err != nil || u.Port() != base.Port() || !sameHost(u.Hostname(), base.Hostname()) {
		return ""
	}
	feed := strings.TrimPrefix(strings.Trim(u.Path, "/"), "live/")
	if ingest.CheckName(feed) != nil {
		return ""
	}
	return feed
}

func sameHost(a, b string) bool { return a == b || netaddr.Loopback(a) && netaddr.Loopback(b) }
