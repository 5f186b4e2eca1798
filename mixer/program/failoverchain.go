package program

import (
	"slices"
	"time"
)

// failoverChain is the streams that may be on air, best first. What the mixer had on
// air stays there while its successor is not ready, and the program fails back to it
// when it failed meanwhile.
func (r *run) failoverChain() []string {
	req := &r.request
	var names []string
	add := func(name string) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	addMixer := func() {
		add(req.target)
		if req.target != "" {
			add(r.mixerOnAir)
		}
	}
	switch pinned := req.lockedLevel(); pinned {
	case "":
		addMixer()
		for _, feed := range req.backups {
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

// checkLiveness checks the streams of the failover chain, and the mixer's output. The
// one on air is not checked: what we read from it shows how it is.
func (r *run) checkLiveness(now time.Time) {
	names := r.failoverChain()
	if target := r.request.target; target != "" && !slices.Contains(names, target) {
		names = append(names, target)
	}
	if r.onAir != nil && len(names) == 1 && names[0] == r.onAir.name {
		clear(r.liveness)
		return
	}
	if now.Sub(r.livenessChecked) < livenessEvery {
		return
	}
	r.livenessChecked = now
	for name := range r.liveness {
		if !slices.Contains(names, name) {
			delete(r.liveness, name)
		}
	}
	for _, name := range names {
		if r.liveness[name] == nil {
			r.liveness[name] = &liveness{}
		}
		r.liveness[name].timeout = r.timeoutOf(name)
		r.liveness[name].update(r.hub, name, now)
	}
}

// chooseNext decides which stream is to come on air.
func (r *run) chooseNext(now time.Time) {
	names := r.failoverChain()
	if r.onAir != nil && !slices.Contains(names, r.onAir.name) && (r.request.lockedLevel() == LevelFreeze || r.request.target == "") {
		r.log.Info("program source taken off air", "feed", r.onAir.name)
		r.takeOffAir()
	}
	for _, name := range names {
		if r.onAir != nil && name == r.onAir.name {
			r.dropNext() // nothing better is healthy
			return
		}
		if r.eligible(name, now) {
			r.prepare(name)
			return
		}
	}
	if r.onAir == nil && len(names) > 0 {
		r.prepare(names[0]) // nothing is healthy: wait for the best
		return
	}
	r.dropNext()
}

// eligible reports whether the stream may come on air before those after it.
func (r *run) eligible(name string, now time.Time) bool {
	p := r.liveness[name]
	if p == nil {
		return false
	}
	switch {
	case r.onAir != nil && name == r.request.target && r.followPending, r.onAir != nil && name == r.request.lockedLevel():
		return true // requested: what is on air stays until it is ready
	case !p.healthy(now):
		return false
	case r.onAir == nil:
		// During a freeze frame a source that can come on air right away is better than
		// one that has to wait for a keyframe.
		return !p.awaitsKeyframe
	}
	return now.Sub(p.healthySince) >= failbackAfter
}

// publishState reports the state when it has changed.
func (r *run) publishState(now time.Time) {
	req := &r.request
	s := State{
		Target: req.target, Level: LevelNone, FailoverOff: req.failoverOffLevel != "", Locked: req.locked,
		Backups: req.backups, Splices: r.splices, Triggers: req.triggers,
		TimeoutMs: int(req.timeout.Milliseconds()), Timeouts: req.timeoutsMs(),
	}
	switch {
	case r.onAir != nil:
		s.OnAir, s.Level = r.onAir.name, r.onAir.level
	case r.timeline.begun():
		s.Level = LevelFreeze
	}
	if r.followPending && req.target != "" && r.allowed(req.target) {
		s.Pending = req.target
	} else if r.next != nil && (r.next.tooLong || r.next.awaitsKeyframe) {
		s.Pending = r.next.name
	}
	s.Reason = r.reason(&s, now)
	s.Warnings = r.warnings(now)
	if r.setState(s) {
		r.changed(r.State())
	}
}

// allowed reports whether the stream is in the failover chain at present.
func (r *run) allowed(name string) bool { return slices.Contains(r.failoverChain(), name) }

// reason is a sentence that says why the mixer's output is not on air. One about a
// stream begins or ends with its name, which control replaces by the feed's title.
func (r *run) reason(s *State, now time.Time) string {
	switch {
	case s.Target == "" || s.OnAir == s.Target:
		return ""
	case s.Locked != "" && s.Locked != LevelMixer:
		return "the operator locked the program to " + s.Locked
	}
	if p := r.liveness[s.Target]; p != nil && !p.healthy(now) {
		return p.problem(s.Target)
	}
	switch {
	case r.next != nil && r.next.name == s.Target && r.next.tooLong:
		return s.Target + " has sent too many frames since its last keyframe: waiting for the next one"
	case r.next != nil && r.next.name == s.Target:
		return "waiting for the next keyframe of " + s.Target
	case s.FailoverOff:
		return "automatic failover is off"
	case s.Level == LevelBackup:
		return s.Target + " must be healthy for a moment before the program fails back"
	}
	return ""
}
