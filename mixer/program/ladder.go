package program

import (
	"slices"
	"time"
)

// ladder is the streams that may be on air, best first. What the mixer had on air
// stays there while its successor is not ready, and comes back there when it falls
// meanwhile.
func (r *run) ladder() []string {
	w := &r.wish
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	addMixer := func() {
		add(w.target)
		if w.target != "" {
			add(r.shown)
		}
	}
	switch pinned := w.pinned(); pinned {
	case "":
		addMixer()
		for _, feed := range w.backups {
			add(feed)
		}
	case LevelMixer:
		addMixer()
	case LevelFreeze:
	default:
		add(pinned)
	}
	return names
}

// look takes the pulses of the ladder's streams, and of the mixer's output. The one
// on air shows its health by what we read.
func (r *run) look(now time.Time) {
	names := r.ladder()
	if target := r.wish.target; target != "" && !slices.Contains(names, target) {
		names = append(names, target)
	}
	if r.air != nil && len(names) == 1 && names[0] == r.air.name {
		clear(r.pulses)
		return
	}
	if now.Sub(r.looked) < lookEvery {
		return
	}
	r.looked = now
	for name := range r.pulses {
		if !slices.Contains(names, name) {
			delete(r.pulses, name)
		}
	}
	for _, name := range names {
		if r.pulses[name] == nil {
			r.pulses[name] = &pulse{}
		}
		r.pulses[name].budget = r.budgetOf(name)
		r.pulses[name].look(r.hub, name, now)
	}
}

// choose decides which stream is to come on air.
func (r *run) choose(now time.Time) {
	names := r.ladder()
	if r.air != nil && !slices.Contains(names, r.air.name) && (r.wish.pinned() == LevelFreeze || r.wish.target == "") {
		r.log.Info("program source taken off", "feed", r.air.name)
		r.off()
	}
	for _, name := range names {
		if r.air != nil && name == r.air.name {
			r.drop() // nothing better is well
			return
		}
		if r.eligible(name, now) {
			r.open(name)
			return
		}
	}
	if r.air == nil && len(names) > 0 {
		r.open(names[0]) // nothing is well: wait for the best
		return
	}
	r.drop()
}

// eligible reports whether the stream may come on air before those after it.
func (r *run) eligible(name string, now time.Time) bool {
	p := r.pulses[name]
	if p == nil {
		return false
	}
	switch {
	case r.air != nil && name == r.wish.target && r.fresh, r.air != nil && name == r.wish.pinned():
		return true // asked for: what is on air waits for it
	case !p.well(now):
		return false
	case r.air == nil:
		// While the picture is held, who can come at once is better than who has to wait
		// for a key frame.
		return !p.waits
	}
	return now.Sub(p.since) >= climbAfter
}

// tell shows the state when it changed.
func (r *run) tell(now time.Time) {
	w := &r.wish
	s := State{
		Target: w.target, Level: LevelNone, FailoverOff: w.kept != "", Locked: w.force,
		Backups: w.backups, Splices: r.splices, Triggers: w.falls,
		TimeoutMs: int(w.budget.Milliseconds()), Timeouts: w.budgetsMs(),
	}
	switch {
	case r.air != nil:
		s.OnAir, s.Level = r.air.name, r.air.rung
	case r.line.begun():
		s.Level = LevelFreeze
	}
	if r.fresh && w.target != "" && r.allowed(w.target) {
		s.Pending = w.target
	} else if r.next != nil && (r.next.tooLong || r.next.waits) {
		s.Pending = r.next.name
	}
	s.Reason = r.why(&s, now)
	s.Warnings = r.warnings(now)
	if r.show(s) {
		r.changed(r.State())
	}
}

// allowed reports whether the ladder has the stream at present.
func (r *run) allowed(name string) bool { return slices.Contains(r.ladder(), name) }

// why says in words why the mixer's output is not on air.
func (r *run) why(s *State, now time.Time) string {
	switch {
	case s.Target == "" || s.OnAir == s.Target:
		return ""
	case s.Locked != "" && s.Locked != LevelMixer:
		return "the operator forced " + s.Locked
	}
	if p := r.pulses[s.Target]; p != nil && !p.well(now) {
		return p.words(s.Target)
	}
	switch {
	case r.next != nil && r.next.name == s.Target && r.next.tooLong:
		return s.Target + " has sent too many pictures since its last key frame: waiting for the next one"
	case r.next != nil && r.next.name == s.Target:
		return "waiting for the next key frame of " + s.Target
	case s.FailoverOff:
		return "the operator keeps this rung"
	case s.Level == LevelBackup:
		return s.Target + " has to be well for a moment before it comes back"
	}
	return ""
}
