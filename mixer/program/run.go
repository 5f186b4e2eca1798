package program

import (
	"context"
	"io"
	"time"

	"obvan/mixer"
)

const (
	// climbAfter is how long a fallen source has to be well before it comes back
	// from a backup: going back and forth looks worse than the backup.
	climbAfter = time.Second
	// lookEvery is how often the other streams' pulses are taken.
	lookEvery = 100 * time.Millisecond
	// batch is how many units are passed on before commands are looked at again.
	batch = 256
)

// run is what the program's one goroutine knows.
type run struct {
	*Program
	changed func(State)
	line    *line
	hold    hold

	wish  wish
	fresh bool   // the last Follow has not been on air yet
	shown string // what the mixer had on air last: its target, or what was there before that came
	air   *source
	next  *source
	ward

	splices uint64
	timer   *time.Timer
}

// ward is what the program knows of the health of the streams it may show.
type ward struct {
	pulses   map[string]*pulse
	looked   time.Time
	vitals   map[string]*Health
	examined time.Time
	fallen   string // a stream that fell for what was wrong with it, as long as that is
}

func newRun(p *Program, changed func(State)) *run {
	r := &run{Program: p, changed: changed, ward: ward{pulses: map[string]*pulse{}, vitals: map[string]*Health{}}, timer: time.NewTimer(0)}
	r.line = newLine(p.pub)
	r.hold = hold{line: r.line, log: p.log}
	return r
}

func (r *run) close() {
	r.timer.Stop()
	r.air.close()
	r.next.close()
}

// turn does all that can be done now, then waits for something new.
func (r *run) turn(ctx context.Context) {
	hubChanged := r.hub.Changed() // before looking
	now := time.Now()
	r.listen()
	more := r.relay(now)
	r.look(now)
	r.examine(now)
	r.choose(now)
	r.gather()
	r.glance()
	if r.air == nil && r.line.begun() {
		r.hold.keep(now)
	}
	r.tell(now)
	if more {
		return
	}
	r.timer.Reset(r.rest(now))
	select {
	case <-ctx.Done():
	case <-r.wake:
		r.looked = time.Time{}
	case <-hubChanged:
		r.looked = time.Time{}
	case <-r.air.ready():
	case <-r.next.ready():
	case <-r.timer.C:
	}
}

// listen takes in what was asked.
func (r *run) listen() {
	before := r.wish.asked
	r.wish = r.wished()
	if r.wish.asked == before {
		return
	}
	r.fresh = r.air == nil || r.air.name != r.wish.target
	if r.fresh { // a newer Follow replaces one that still waits
		r.drop()
	} else {
		r.air.rung, r.shown = LevelMixer, r.air.name
	}
}

// relay passes on what the source on air has sent. It reports whether there may be
// more at once.
func (r *run) relay(now time.Time) (more bool) {
	if r.air == nil {
		return false
	}
	for range batch {
		au, err := r.air.sub.TryNext()
		if err == io.EOF {
			r.fall("left")
			return false
		}
		if err != nil {
			if now.Sub(r.air.seen) >= r.budget() {
				r.fall("silent")
			}
			return false
		}
		if au.Video() {
			r.air.seen = time.Now()
		}
		r.line.unit(au)
	}
	return true
}

// fall takes a source off air that failed.
func (r *run) fall(how string) {
	r.log.Warn("program source fell", "feed", r.air.name, "reason", how)
	r.off()
}

// off takes the source off air.
func (r *run) off() {
	if r.pulses[r.air.name] == nil {
		r.pulses[r.air.name] = &pulse{moved: r.air.seen, budget: r.budgetOf(r.air.name)}
	}
	r.air.close()
	r.air = nil
	r.looked = time.Time{}
	r.line.leave()
	r.hold.begin()
}

// gather reads the source that is to come on air, and splices it in once that is
// possible.
func (r *run) gather() {
	s := r.next
	if s == nil {
		return
	}
	if !s.gather() {
		r.drop()
		return
	}
	if p := r.pulses[s.name]; p != nil && s.tooLong {
		p.waits = true
	}
	if !s.fit(time.Now(), r.budgetOf(s.name)) {
		return
	}
	r.line.splice(s.pictures)
	now := s.pictures[len(s.pictures)-1].Tracks
	for _, au := range s.sounds {
		if au.Tracks == now { // what was coded otherwise is from before this moment
			r.line.hear(au)
		}
	}
	s.pictures, s.sounds, s.tooLong, s.waits = nil, nil, false, false
	r.air.close()
	r.air, r.next = s, nil
	if s.name == r.wish.target {
		r.fresh = false
	}
	if s.rung == LevelMixer {
		r.shown = s.name
	}
	r.splices++
	r.log.Info("program source", "feed", s.name, "rung", s.rung)
}

func (r *run) drop() {
	r.next.close()
	r.next = nil
}

// open makes name the source that is to come on air.
func (r *run) open(name string) {
	if r.next != nil && r.next.name == name {
		return
	}
	r.drop()
	when := mixer.Instant
	if r.fresh && name == r.wish.target {
		when = r.wish.when
	}
	if r.next = newSource(r.hub, name, when); r.next == nil {
		return
	}
	r.next.rung = LevelBackup
	if name == r.wish.target || name == r.shown {
		r.next.rung = LevelMixer
	}
}

// rest is how long nothing has to be done unless something comes.
func (r *run) rest(now time.Time) time.Duration {
	wait := time.Hour
	if r.air != nil {
		wait = r.air.seen.Add(r.budget()).Sub(now)
	} else if r.line.begun() {
		wait = r.hold.due(now)
	}
	if r.air != nil {
		wait = min(wait, r.examined.Add(examineEvery).Sub(now))
	}
	if len(r.pulses) > 0 {
		wait = min(wait, r.looked.Add(lookEvery).Sub(now))
	}
	return max(wait, time.Millisecond)
}
