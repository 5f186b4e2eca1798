package studio

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"obvan/control"
	"obvan/control/observe"
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
	events := s.logMixer(m)
	if h := m.Health; h != nil { // JSON has no word for NaN
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
	if events {
		s.areas.obs.wake()
		s.observer.Wake() // what is set up there is another matter
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
	if p.Target == ingest.Mixer { // a stream that nobody gave a name
		p.Reason = strings.Replace(p.Reason, ingest.Mixer, "the mixer's output", 1)
	}
	p.Reason = s.Redact(p.Reason)
	s.logProgram(p)
	s.store.Update(func(st *control.State) {
		st.Program.State = p
		st.Tally = tally(&st.Mixer, &st.Program.State)
	})
}

// RelayChanged takes how all destinations fare: hand it to Relay.Run.
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

// warn takes what destinations will not like of the program, by destination.
func (s *Studio) setWarnings(warnings map[string][]string) {
	s.last.mu.Lock()
	same := maps.EqualFunc(s.last.warnings, warnings, slices.Equal[[]string])
	s.last.warnings = warnings
	s.last.mu.Unlock()
	if !same {
		s.updateDestinations()
	}
}

// listDestinations joins what is kept of the destinations with how they fare. What is
// kept decides: one that the relay would not take must not vanish for that.
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
	for _, n := range events {
		s.logEvent(n.Level, "%s", n.Text)
	}
}

// fares is a destination's status in the operator's words for it; t.mu is held.
func (t *lastReported) status(d *showfile.Destination) relay.Status {
	st := relay.Status{State: relay.Off, Reason: t.notAccepted[d.ID], Since: t.began}
	if i := slices.IndexFunc(t.statuses, func(st relay.Status) bool { return st.ID == d.ID }); i >= 0 {
		st = t.statuses[i]
	}
	st.Destination = d.Destination
	st.URL, st.BackupURL = showfile.DisplayURL(d.URL), showfile.DisplayURL(d.BackupURL) // an older version kept the path of WHIP here
	st.Warnings = slices.Concat(st.Warnings, t.warnings[d.ID])
	return st
}

// PullsChanged says that a pulled camera fares differently: hand it to Pulls.Run.
func (s *Studio) PullsChanged() { s.observer.Wake() }

// tally is each camera's light. When the program is on a backup, that camera is what
// viewers see; what the mixer shows stays red, for it may be back at any moment.
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
	if p.Level == "backup" && p.OnAir != "" {
		red(p.OnAir)
	}
	return lights
}

// tellMixer logs what changed in the mixer. It reports whether it is another one in a
// way: just connected, or with another scene collection.
func (s *Studio) logMixer(m mixer.State) (another bool) {
	s.last.mu.Lock()
	was := s.last.mixer
	s.last.mixer = m
	// A mixer whose output is the feed itself says nothing that the program does not; one
	// that comes back with what it had says nothing new.
	named := m.Program != "" && m.Program != s.last.programSource && m.Output == ingest.Mixer
	if named {
		s.last.programSource = m.Program
	}
	s.last.mu.Unlock()
	if m.Program != was.Program {
		select {
		case s.last.programChanged <- struct{}{}:
		default:
		}
	}
	s.logMixerConnection(&m, &was)
	if named {
		s.logEvent(control.Info, "%s is on the mixer's program.", s.nameOf(m.Program))
	}
	return m.Connected && (!was.Connected || current(m.Collections) != current(was.Collections))
}

// tellLink logs that the mixer came or went, or why it is not well. One that does so
// again and again must not push all else out of the log.
func (s *Studio) logMixerConnection(m, was *mixer.State) {
	name := fmt.Sprintf("The mixer (%s)", m.Kind)
	turned := m.Connected != was.Connected
	s.last.mu.Lock()
	f := &s.last.connection
	steady := m.Connected && f.Recovered(time.Now())
	say := !f.Unstable()
	if turned && !m.Connected {
		say = f.Broke(time.Now())
	}
	last := f.Unstable()
	s.last.mu.Unlock()
	switch {
	case steady:
		s.logEvent(control.Info, "%s is connected, and steady again.", name)
	case !say:
	case turned && m.Connected:
		s.logEvent(control.Info, "%s is connected.", name)
	case turned:
		s.logEvent(control.Error, "%s is gone: %s", name, text.Sentence(cmp.Or(m.Problem, "it closed the connection")))
		if last {
			s.logEvent(control.Warn, observe.UnstableText, name)
		}
	case m.Problem != "" && m.Problem != was.Problem:
		s.logEvent(control.Warn, "%s: %s", name, text.Sentence(m.Problem))
	}
}

func current(c *mixer.Choice) string {
	if c == nil {
		return ""
	}
	return c.Current
}

// tellProgram logs what changed on air.
func (s *Studio) logProgram(p program.State) {
	s.last.mu.Lock()
	was := s.last.program
	s.last.program = p
	s.last.mu.Unlock()
	if p.Level == was.Level && p.OnAir == was.OnAir {
		return
	}
	why := s.reason(&p)
	switch p.Level {
	case "mixer":
		name := s.nameOf(p.OnAir)
		if p.OnAir == ingest.Mixer {
			name = "The mixer"
		}
		s.logEvent(control.Info, "%s is on air.", cmp.Or(name, "The mixer"))
	case "backup":
		s.logEvent(control.Warn, "The backup %s is on air: %s", s.nameOf(p.OnAir), text.Sentence(cmp.Or(why, "the mixer's output is gone")))
	case "freeze":
		s.logEvent(control.Warn, "The last picture is held on air: %s", text.Sentence(cmp.Or(why, "there is nothing else")))
	}
}

// why is what keeps the program off its target, with the target's name: the program
// knows ids, and begins or ends its words with it.
func (s *Studio) reason(p *program.State) string {
	if rest, first := strings.CutPrefix(p.Reason, p.Target); first && (strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, ":")) {
		return s.nameOf(p.Target) + rest
	}
	if rest, last := strings.CutSuffix(p.Reason, " "+p.Target); last {
		return rest + " " + s.nameOf(p.Target)
	}
	return p.Reason
}

// called is what people call a feed; other names are their own.
func (s *Studio) nameOf(id string) (name string) {
	name = id
	s.file.Read(func(k *showfile.Show, _ *showfile.Secrets) {
		if i := k.Feed(id); i >= 0 {
			name = k.Feeds[i].Name
		}
	})
	return name
}
