package studio

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"obvan/control"
	"obvan/control/showfile"
	"obvan/ingest"
	"obvan/internal/text"
	"obvan/mixer"
	"obvan/mixer/program"
	"obvan/relay"
)

// MixerChanged takes the mixer's whole new state: hand it to mixer.Mixer.Run.
func (s *Studio) MixerChanged(m mixer.State) {
	m.Problem = s.Redact(m.Problem)
	otherScenes := s.logMixer(m)
	if h := m.Health; h != nil { // JSON has no NaN
		fixed := *h
		for _, f := range []*float64{&fixed.CPUPercent, &fixed.MemoryMB, &fixed.FPS, &fixed.RenderMs, &fixed.DiskFreeMB} {
			*f = finite(*f)
		}
		m.Health = &fixed
	}
	m.Audio = slices.Clone(m.Audio)
	for i := range m.Audio {
		m.Audio[i].DB = max(-100, finite(m.Audio[i].DB))
	}
	s.store.Update(func(st *control.State) {
		st.Mixer = m
		st.Tally = tally(&st.Mixer, &st.Program.State)
	})
	s.areas.wakeGraphics()
	if otherScenes {
		s.areas.obs.wake()
		s.observer.Wake() // what is set up there shows in the state
	}
}

func finite(f float64) float64 {
	switch {
	case math.IsInf(f, -1):
		return -math.MaxFloat32
	case math.IsInf(f, 1):
		return math.MaxFloat32
	case math.IsNaN(f):
		return 0
	}
	return f
}

// ProgramChanged takes the program's whole new state: hand it to Program.Run.
func (s *Studio) ProgramChanged(p program.State) {
	if p.Target == ingest.Mixer { // a stream without a name for people
		p.Reason = strings.Replace(p.Reason, ingest.Mixer, "the mixer's output", 1)
	}
	p.Reason = s.Redact(p.Reason)
	s.logProgram(p)
	s.store.Update(func(st *control.State) {
		st.Program.State = p
		st.Tally = tally(&st.Mixer, &st.Program.State)
	})
}

// RelayChanged takes the status of all destinations: hand it to Relay.Run.
func (s *Studio) RelayChanged(all []relay.Status) {
	all = slices.Clone(all)
	for i := range all {
		all[i].Reason = s.Redact(all[i].Reason)
	}
	s.last.mu.Lock()
	s.last.statuses = all
	s.last.mu.Unlock()
	s.updateDestinations()
}

// setWarnings takes what the destinations' platforms advise against, by destination.
func (s *Studio) setWarnings(warnings map[string][]string) {
	s.last.mu.Lock()
	same := maps.EqualFunc(s.last.warnings, warnings, slices.Equal[[]string])
	s.last.warnings = warnings
	s.last.mu.Unlock()
	if !same {
		s.updateDestinations()
	}
}

// updateDestinations joins the destinations of the show file with their statuses. The show
// file decides: one that the relay does not accept must not vanish for that.
func (s *Studio) updateDestinations() {
	s.last.mu.Lock()
	var list []relay.Status
	s.file.Read(func(k *showfile.Show, _ *showfile.Secrets) {
		for i := range k.Destinations {
			list = append(list, s.last.status(&k.Destinations[i]))
		}
	})
	s.store.Update(func(st *control.State) { st.Destinations = list })
	events := s.last.destinations.Of(list, time.Now())
	s.last.mu.Unlock()
	s.logAll(events)
}

// status is a destination's status, with its name and addresses as operators know them;
// t.mu is held.
func (t *lastReported) status(d *showfile.Destination) relay.Status {
	st := relay.Status{State: relay.Off, Reason: t.notAccepted[d.ID], Since: t.began}
	if i := slices.IndexFunc(t.statuses, func(st relay.Status) bool { return st.ID == d.ID }); i >= 0 {
		st = t.statuses[i]
	}
	st.Destination = d.Destination
	st.URL, st.BackupURL = showfile.DisplayURL(d.URL), showfile.DisplayURL(d.BackupURL) // an older version stored the path of WHIP here
	st.Warnings = slices.Concat(st.Warnings, t.warnings[d.ID])
	return st
}

// PullsChanged says that the state of a pulled camera changed: hand it to Pulls.Run.
func (s *Studio) PullsChanged() { s.observer.Wake() }

// tally is the tally light of each camera. While the program is on a backup, that camera is
// what viewers see; what the mixer shows stays red, for it may be on air again at any
// moment.
func tally(m *mixer.State, p *program.State) map[string]control.Light {
	lights := map[string]control.Light{}
	for _, feed := range m.OnPreview {
		lights[feed] = control.LightPreview
	}
	red := func(feed string) {
		if lights[feed] == control.LightPreview {
			lights[feed] = control.LightBoth
		} else if lights[feed] == "" {
			lights[feed] = control.LightProgram
		}
	}
	for _, feed := range m.OnAir {
		red(feed)
	}
	if p.Level == program.LevelBackup && p.OnAir != "" {
		red(p.OnAir)
	}
	return lights
}

// logMixer logs what changed in the mixer. It reports whether its scenes may be others:
// it just connected, or has another scene collection.
func (s *Studio) logMixer(m mixer.State) (otherScenes bool) {
	s.last.mu.Lock()
	was := s.last.mixer
	s.last.mixer = m
	events := s.last.connection.Of(&m, time.Now())
	// A mixer whose output is the feed itself adds nothing to what the program reports, and
	// neither does one that reconnects with the same source on its program bus.
	if m.Program != "" && m.Program != s.last.programSource && m.Output == ingest.Mixer {
		s.last.programSource = m.Program
		events = append(events, control.LogEntry{Level: control.Info, Text: s.nameOf(m.Program) + " is on the mixer's program bus."})
	}
	s.last.mu.Unlock()
	if m.Program != was.Program {
		select {
		case s.last.programChanged <- struct{}{}:
		default:
		}
	}
	s.logAll(events)
	return m.Connected && (!was.Connected || current(m.Collections) != current(was.Collections))
}

func (s *Studio) logAll(events []control.LogEntry) {
	for _, e := range events {
		s.logEvent(e.Level, "%s", e.Text)
	}
}

func current(c *mixer.Choice) string {
	if c == nil {
		return ""
	}
	return c.Current
}

// logProgram logs what changed on air.
func (s *Studio) logProgram(p program.State) {
	s.last.mu.Lock()
	was := s.last.program
	s.last.program = p
	s.last.mu.Unlock()
	if p.Level == was.Level && p.OnAir == was.OnAir {
		return
	}
	reason := s.reason(&p)
	switch p.Level {
	case program.LevelMixer:
		name := s.nameOf(p.OnAir)
		if p.OnAir == ingest.Mixer {
			name = "The mixer"
		}
		s.logEvent(control.Info, "%s is on air.", cmp.Or(name, "The mixer"))
	case program.LevelBackup:
		s.logEvent(control.Warn, "%s is on air as backup: %s", s.nameOf(p.OnAir), text.Sentence(cmp.Or(reason, "no signal from the mixer")))
	case program.LevelFreeze:
		s.logEvent(control.Warn, "Freeze frame on air: %s", text.Sentence(cmp.Or(reason, "no other source is available")))
	}
}

// reason is why the program is not on its target, with the target's name: the program
// knows ids only, and its reason begins or ends with the id.
func (s *Studio) reason(p *program.State) string {
	if rest, first := strings.CutPrefix(p.Reason, p.Target); first && (strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, ":")) {
		return s.nameOf(p.Target) + rest
	}
	if rest, last := strings.CutSuffix(p.Reason, " "+p.Target); last {
		return rest + " " + s.nameOf(p.Target)
	}
	return p.Reason
}

// nameOf is what people call a feed; for other ids it is the id.
func (s *Studio) nameOf(id string) (name string) {
	name = id
	s.file.Read(func(k *showfile.Show, _ *showfile.Secrets) {
		if i := k.Feed(id); i >= 0 {
			name = k.Feeds[i].Name
		}
	})
	return name
}
