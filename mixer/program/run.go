package program

import (
	"context"
	"io"
	"time"

	"obvan/mixer"
)

const (
	// failbackAfter is how long a failed source has to be healthy before the program
	// fails back to it from a backup: going back and forth looks worse than the backup.
	failbackAfter = time.Second
	// livenessEvery is how often the liveness of the streams off air is checked.
	livenessEvery = 100 * time.Millisecond
	// batch is how many units are forwarded before requests are looked at again.
	batch = 256
)

// run is the state of the program's one goroutine.
type run struct {
	*Program
	changed  func(State)
	timeline *timeline
	freeze   freeze

	request       request
	followPending bool   // the source of the last Follow has not been on air yet
	mixerOnAir    string // what the mixer had on air last: its target, or the source before it
	onAir         *source
	next          *source
	watched

	splices uint64
	timer   *time.Timer
}

// watched is what the program knows about the health of the streams it may show.
type watched struct {
	liveness        map[string]*liveness
	livenessChecked time.Time
	health          map[string]*Health
	healthChecked   time.Time
	faulty          string // a stream that was taken off air for a fault, as long as it has the fault
}

func newRun(p *Program, changed func(State)) *run {
	r := &run{Program: p, changed: changed, watched: watched{liveness: map[string]*liveness{}, health: map[string]*Health{}}, timer: time.NewTimer(0)}
	r.timeline = newTimeline(p.pub)
	r.freeze = freeze{timeline: r.timeline, log: p.log}
	return r
}

func (r *run) close() {
	r.timer.Stop()
	r.onAir.close()
	r.next.close()
}

// step does everything that can be done now, then waits for something new.
func (r *run) step(ctx context.Context) {
	hubChanged := r.hub.Changed() // before the hub is read
	now := time.Now()
	r.takeRequest()
	more := r.forward(now)
	r.checkLiveness(now)
	r.checkHealth(now)
	r.chooseNext(now)
	r.gather()
	r.updateWatched()
	if r.onAir == nil && r.timeline.begun() {
		r.freeze.write(now)
	}
	r.publishState(now)
	if more {
		return
	}
	r.timer.Reset(r.untilDue(now))
	select {
	case <-ctx.Done():
	case <-r.wake:
		r.livenessChecked = time.Time{}
	case <-hubChanged:
		r.livenessChecked = time.Time{}
	case <-r.onAir.ready():
	case <-r.next.ready():
	case <-r.timer.C:
	}
}

// takeRequest reads what is requested now.
func (r *run) takeRequest() {
	before := r.request.follows
	r.request = r.requested()
	if r.request.follows == before {
		return
	}
	r.followPending = r.onAir == nil || r.onAir.name != r.request.target
	if r.followPending { // a newer Follow replaces one that is still waiting
		r.dropNext()
	} else {
		r.onAir.level, r.mixerOnAir = LevelMixer, r.onAir.name
	}
}

// forward writes what the source on air has sent to the program. It reports whether
// there may be more right away.
func (r *run) forward(now time.Time) (more bool) {
	if r.onAir == nil {
		return false
	}
	for range batch {
		au, err := r.onAir.sub.TryNext()
		if err == io.EOF {
			r.failOver("disconnected")
			return false
		}
		if err != nil {
			if now.Sub(r.onAir.lastFrame) >= r.timeout() {
				r.failOver("no video")
			}
			return false
		}
		if au.Video() {
			r.onAir.lastFrame = time.Now()
		}
		r.timeline.writeUnit(au)
	}
	return true
}

// failOver takes a source that failed off air.
func (r *run) failOver(how string) {
	r.log.Warn("program source failed", "feed", r.onAir.name, "reason", how)
	r.takeOffAir()
}

// takeOffAir takes the source off air; the freeze frame begins.
func (r *run) takeOffAir() {
	if r.liveness[r.onAir.name] == nil {
		r.liveness[r.onAir.name] = &liveness{lastFrame: r.onAir.lastFrame, timeout: r.timeoutOf(r.onAir.name)}
	}
	r.onAir.close()
	r.onAir = nil
	r.livenessChecked = time.Time{}
	r.timeline.sourceLeft()
	r.freeze.start()
}

// gather reads the source that is to come on air, and splices it in as soon as that
// is possible.
func (r *run) gather() {
	s := r.next
	if s == nil {
		return
	}
	if !s.gather() {
		r.dropNext()
		return
	}
	if p := r.liveness[s.name]; p != nil && s.tooLong {
		p.awaitsKeyframe = true
	}
	if !s.canSplice(time.Now(), r.timeoutOf(s.name)) {
		return
	}
	r.timeline.splice(s.frames)
	now := s.frames[len(s.frames)-1].Tracks
	for _, au := range s.audio {
		if au.Tracks == now { // audio in another format is older than this moment
			r.timeline.writeAudio(au)
		}
	}
	s.frames, s.audio, s.tooLong, s.awaitsKeyframe = nil, nil, false, false
	r.onAir.close()
	r.onAir, r.next = s, nil
	if s.name == r.request.target {
		r.followPending = false
	}
	if s.level == LevelMixer {
		r.mixerOnAir = s.name
	}
	r.splices++
	r.log.Info("program source", "feed", s.name, "level", s.level)
}

func (r *run) dropNext() {
	r.next.close()
	r.next = nil
}

// prepare makes name the source that is to come on air.
func (r *run) prepare(name string) {
	if r.next != nil && r.next.name == name {
		return
	}
	r.dropNext()
	when := mixer.Instant
	if r.followPending && name == r.request.target {
		when = r.request.when
	}
	if r.next = newSource(r.hub, name, when); r.next == nil {
		return
	}
	r.next.level = LevelBackup
	if name == r.request.target || name == r.mixerOnAir {
		r.next.level = LevelMixer
	}
}

// untilDue is how long nothing has to be done unless something arrives.
func (r *run) untilDue(now time.Time) time.Duration {
	wait := time.Hour
	if r.onAir != nil {
		wait = r.onAir.lastFrame.Add(r.timeout()).Sub(now)
	} else if r.timeline.begun() {
		wait = r.freeze.due(now)
	}
	if r.onAir != nil {
		wait = min(wait, r.healthChecked.Add(sampleEvery).Sub(now))
	}
	if len(r.liveness) > 0 {
		wait = min(wait, r.livenessChecked.Add(livenessEvery).Sub(now))
	}
	return max(wait, time.Millisecond)
}
