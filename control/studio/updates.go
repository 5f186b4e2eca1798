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
	news := s.tellMixer(m)
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
	s.areas.look()
	if news {
		s.areas.setup.look()
		s.observer.Poke() // what is set up there is another matter
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
	s.tellProgram(p)
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
	s.reported.mu.Lock()
	s.reported.statuses = all
	s.reported.mu.Unlock()
	s.listDestinations()
}

// warn takes what destinations will not like of the program, by destination.
func (s *Studio) warn(warnings map[string][]string) {
	s.reported.mu.Lock()
	same := maps.EqualFunc(s.reported.warnings, warnings, slices.Equal[[]string])
	s.reported.warnings = warnings
	s.reported.mu.Unlock()
	if !same {
		s.listDestinations()
	}
}

// listDestinations joins what is kept of the destinations with how they fare. What is
// kept decides: one that the relay would not take must not vanish for that.
func (s *Studio) listDestinations() {
	s.reported.mu.Lock()
	var list []relay.Status
	s.file.Read(func(k *showfile.Show, _ *showfile.Secrets) {
		for i := range k.Destinations {
			list = append(list, s.reported.fares(&k.Destinations[i]))
		}
	})
	s.store.Update(func(st *control.State) { st.Destinations = list })
	news := s.reported.destinations.Of(list, time.Now())
	s.reported.mu.Unlock()
	for _, n := range news {
		s.note(n.Level, "%s", n.Text)
	}
}

// fares is a destination's status in the operator's words for it; t.mu is held.
func (t *reported) fares(d *showfile.Destination) relay.Status {
	st := relay.Status{State: relay.Off, Reason: t.unfit[d.ID], Since: t.began}
	if i := slices.IndexFunc(t.statuses, func(st relay.Status) bool { return st.ID == d.ID }); i >= 0 {
		st = t.statuses[i]
	}
	st.Destination = d.Destination
	st.URL, st.BackupURL = showfile.Shown(d.URL), showfile.Shown(d.BackupURL) // an older version kept the path of WHIP here
	st.Warnings = slices.Concat(st.Warnings, t.warnings[d.ID])
	return st
}

// PullsChanged says that a pulled camera fares differently: hand it to Pulls.Run.
func (s *Studio) PullsChanged() { s.observer.Poke() }

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
func (s *Studio) tellMixer(m mixer.State) (another bool) {
	s.reported.mu.Lock()
	was := s.reported.mixer
	s.reported.mixer = m
	// A mixer whose output is the feed itself says nothing that the program does not; one
	// that comes back with what it had says nothing new.
	named := m.Program != "" && m.Program != s.reported.named && m.Output == ingest.Mixer
	if named {
		s.reported.named = m.Program
	}
	s.reported.mu.Unlock()
	if m.Program != was.Program {
		select {
		case s.reported.cut <- struct{}{}:
		default:
		}
	}
	s.tellLink(&m, &was)
	if named {
		s.note(control.Info, "%s is on the mixer's program.", s.called(m.Program))
	}
	return m.Connected && (!was.Connected || current(m.Collections) != current(was.Collections))
}

// tellLink logs that the mixer came or went, or why it is not well. One that does so
// again and again must not push all else out of the log.
func (s *Studio) tellLink(m, was *mixer.State) {
	name := fmt.Sprintf("The mixer (%s)", m.Kind)
	turned := m.Connected != was.Connected
	s.reported.mu.Lock()
	f := &s.reported.link
	steady := m.Connected && f.Recovered(time.Now())
	say := !f.Unstable()
	if turned && !m.Connected {
		say = f.Broke(time.Now())
	}
	last := f.Unstable()
	s.reported.mu.Unlock()
	switch {
	case steady:
		s.note(control.Info, "%s is connected, and steady again.", name)
	case !say:
	case turned && m.Connected:
		s.note(control.Info, "%s is connected.", name)
	case turned:
		s.note(control.Error, "%s is gone: %s", name, text.Sentence(cmp.Or(m.Problem, "it closed the connection")))
		if last {
			s.note(control.Warn, observe.UnstableText, name)
		}
	case m.Problem != "" && m.Problem != was.Problem:
		s.note(control.Warn, "%s: %s", name, text.Sentence(m.Problem))
	}
}

func current(c *mixer.Choice) string {
	if c == nil {
		return ""
	}
	return c.Current
}

// tellProgram logs what changed on air.
func (s *Studio) tellProgram(p program.State) {
	s.reported.mu.Lock()
	was := s.reported.program
	s.reported.program = p
	s.reported.mu.Unlock()
	if p.Level == was.Level && p.OnAir == was.OnAir {
		return
	}
	why := s.why(&p)
	switch p.Level {
	case "mixer":
		name := s.called(p.OnAir)
		if p.OnAir == ingest.Mixer {
			name = "The mixer"
		}
		s.note(control.Info, "%s is on air.", cmp.Or(name, "The mixer"))
	case "backup":
		s.note(control.Warn, "The backup %s is on air: %s", s.called(p.OnAir), text.Sentence(cmp.Or(why, "the mixer's output is gone")))
	case "freeze":
		s.note(control.Warn, "The last picture is held on air: %s", text.Sentence(cmp.Or(why, "there is nothing else")))
	}
}

// why is what keeps the program off its target, with the target's name: the program
// knows ids, and begins or ends its words with it.
func (s *Studio) why(p *program.State) string {
	if rest, first := strings.CutPrefix(p.Reason, p.Target); first && (strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, ":")) {
		return s.called(p.Target) + rest
	}
	if rest, last := strings.CutSuffix(p.Reason, " "+p.Target); last {
		return rest + " " + s.called(p.Target)
	}
	return p.Reason
}

// called is what people call a feed; other names are their own.
func (s *Studio) called(id string) (name string) {
	name = id
	s.file.Read(func(k *showfile.Show, _ *showfile.Secrets) {
		if i := k.Feed(id); i >= 0 {
			name = k.Feeds[i].Name
		}
	})
	return name
}
