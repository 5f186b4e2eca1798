package control

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"obvan/ingest"
	"obvan/mixer"
	"obvan/mixer/program"
	"obvan/relay"
)

// MixerChanged takes the mixer's whole new state: hand it to mixer.Mixer.Run.
func (s *Studio) MixerChanged(m mixer.State) {
	m.Problem = s.scrub(m.Problem)
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
	s.store.Update(func(st *State) {
		st.Mixer = m
		st.Tally = tally(&st.Mixer, &st.Program.State)
	})
	s.desks.look()
	if news {
		s.desks.setup.look()
		s.eyes.poke() // what is set up there is another matter
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
	p.Reason = s.scrub(p.Reason)
	s.tellProgram(p)
	s.store.Update(func(st *State) {
		st.Program.State = p
		st.Tally = tally(&st.Mixer, &st.Program.State)
	})
}

// RelayChanged takes how all destinations fare: hand it to Relay.Run.
func (s *Studio) RelayChanged(all []relay.Status) {
	all = slices.Clone(all)
	for i := range all {
		all[i].Reason = s.scrub(all[i].Reason)
	}
	s.told.mu.Lock()
	s.told.statuses = all
	s.told.mu.Unlock()
	s.listDestinations()
}

// warn takes what destinations will not like of the program, by destination.
func (s *Studio) warn(warnings map[string][]string) {
	s.told.mu.Lock()
	same := maps.EqualFunc(s.told.warnings, warnings, slices.Equal[[]string])
	s.told.warnings = warnings
	s.told.mu.Unlock()
	if !same {
		s.listDestinations()
	}
}

// listDestinations joins what is kept of the destinations with how they fare. What is
// kept decides: one that the relay would not take must not vanish for that.
func (s *Studio) listDestinations() {
	s.told.mu.Lock()
	var list []relay.Status
	s.book.read(func(k *kept, _ *secrets) {
		for i := range k.Destinations {
			list = append(list, s.told.fares(&k.Destinations[i]))
		}
	})
	s.store.Update(func(st *State) { st.Destinations = list })
	news := s.told.relayNews(list, time.Now())
	s.told.mu.Unlock()
	for _, n := range news {
		s.note(n.Level, "%s", n.Text)
	}
}

// fares is a destination's status in the operator's words for it; t.mu is held.
func (t *told) fares(d *keptDestination) relay.Status {
	st := relay.Status{State: relay.Off, Reason: t.unfit[d.ID], Since: t.began}
	if i := slices.IndexFunc(t.statuses, func(st relay.Status) bool { return st.ID == d.ID }); i >= 0 {
		st = t.statuses[i]
	}
	st.Destination = d.Destination
	st.URL, st.BackupURL = shown(d.URL), shown(d.BackupURL) // an older version kept the path of WHIP here
	st.Warnings = slices.Concat(st.Warnings, t.warnings[d.ID])
	return st
}

// PullsChanged says that a pulled camera fares differently: hand it to Pulls.Run.
func (s *Studio) PullsChanged() { s.eyes.poke() }

// tally is each camera's light. When the program is on a backup, that camera is what
// viewers see; what the mixer shows stays red, for it may be back at any moment.
func tally(m *mixer.State, p *program.State) map[string]Light {
	lights := map[string]Light{}
	for _, feed := range m.OnPreview {
		lights[feed] = LightPreview
	}
	red := func(feed string) {
		if lights[feed] == LightPreview {
			lights[feed] = LightBoth
		} else if lights[feed] == "" {
			lights[feed] = LightProgram
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
	s.told.mu.Lock()
	was := s.told.mixer
	s.told.mixer = m
	// A mixer whose output is the feed itself says nothing that the program does not; one
	// that comes back with what it had says nothing new.
	named := m.Program != "" && m.Program != s.told.named && m.Output == ingest.Mixer
	if named {
		s.told.named = m.Program
	}
	s.told.mu.Unlock()
	if m.Program != was.Program {
		select {
		case s.told.cut <- struct{}{}:
		default:
		}
	}
	s.tellLink(&m, &was)
	if named {
		s.note(Info, "%s is on the mixer's program.", s.called(m.Program))
	}
	return m.Connected && (!was.Connected || current(m.Collections) != current(was.Collections))
}

// tellLink logs that the mixer came or went, or why it is not well. One that does so
// again and again must not push all else out of the log.
func (s *Studio) tellLink(m, was *mixer.State) {
	name := fmt.Sprintf("The mixer (%s)", m.Kind)
	turned := m.Connected != was.Connected
	s.told.mu.Lock()
	f := &s.told.link
	steady := m.Connected && f.recovered(time.Now())
	say := !f.unsteady()
	if turned && !m.Connected {
		say = f.broke(time.Now())
	}
	last := f.unsteady()
	s.told.mu.Unlock()
	switch {
	case steady:
		s.note(Info, "%s is connected, and steady again.", name)
	case !say:
	case turned && m.Connected:
		s.note(Info, "%s is connected.", name)
	case turned:
		s.note(Error, "%s is gone: %s", name, stop(or(m.Problem, "it closed the connection")))
		if last {
			s.note(Warn, comesAndGoes, name)
		}
	case m.Problem != "" && m.Problem != was.Problem:
		s.note(Warn, "%s: %s", name, stop(m.Problem))
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
	s.told.mu.Lock()
	was := s.told.program
	s.told.program = p
	s.told.mu.Unlock()
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
		s.note(Info, "%s is on air.", or(name, "The mixer"))
	case "backup":
		s.note(Warn, "The backup %s is on air: %s", s.called(p.OnAir), stop(or(why, "the mixer's output is gone")))
	case "freeze":
		s.note(Warn, "The last picture is held on air: %s", stop(or(why, "there is nothing else")))
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

// about is a reason as a sentence that says whose it is; many do already.
func about(name, reason string) string {
	if strings.HasPrefix(reason, name) {
		return stop(reason)
	}
	return name + ": " + stop(reason)
}

// called is what people call a feed; other names are their own.
func (s *Studio) called(id string) (name string) {
	name = id
	s.book.read(func(k *kept, _ *secrets) {
		if i := k.feed(id); i >= 0 {
			name = k.Feeds[i].Name
		}
	})
	return name
}

// stop ends a sentence with one full stop, unless it asks or exclaims.
func stop(text string) string {
	text = strings.TrimRight(text, ". ")
	if strings.HasSuffix(text, "?") || strings.HasSuffix(text, "!") {
		return text
	}
	return text + "."
}
