// Package clock repairs the timestamps of a stream: whatever a device sends, its
// timeline leaves here growing, and what had to be mended is counted.
package clock

import (
	"sync/atomic"
	"time"

	"obvan/media"
)

// What a repairer takes for normal.
const (
	// A step between two units of a track, or a lead over the arrival clock, that is
	// longer than this is no gap of the stream but a jump of its clock.
	jumpAfter = 2 * time.Second
	// A jump of one track speaks for the other one this long.
	togetherFor = time.Second
	// The longest pause that is kept when a clock jumped: nobody knows how much of it
	// was silence.
	maxPause = 10 * time.Second
	// The smallest step of a mended track. A millisecond, so that formats which count
	// in milliseconds still see it grow.
	tick = time.Millisecond
	// A picture is not shown earlier or later than this against its decode time.
	maxEarly, maxLate = time.Second, 5 * time.Second
	// Times beyond this (36 years) are nonsense, and would overflow what follows.
	horizon = time.Duration(1) << 60
)

// Counts is what was mended, by kind. It is safe for concurrent use.
type Counts struct {
	Jumps       atomic.Uint64 // clocks that jumped, started again, or wrapped
	Backwards   atomic.Uint64 // units whose decode time did not grow
	Composition atomic.Uint64 // pictures to be shown before they are decoded
	Drift       atomic.Uint64 // times that sound and picture had run apart
}

// Map is the counts by name, without those that are zero.
func (c *Counts) Map() map[string]uint64 {
	m := map[string]uint64{}
	for name, n := range map[string]*atomic.Uint64{
		"jumps": &c.Jumps, "backwards": &c.Backwards, "composition": &c.Composition, "drift": &c.Drift,
	} {
		if v := n.Load(); v > 0 {
			m[name] = v
		}
	}
	return m
}

// Repairer mends one stream. It is for one goroutine; Counts is not.
//
// A track's times are moved by its shift, which changes only when its clock
// jumped. Both tracks have the same shift as long as they jump together, so sound
// stays with the picture. What makes up for a drift comes on top.
type Corrector struct {
	Counts Counts

	tracks     []track
	video      int
	audio      int
	line       arrivalLine
	jump       jump
	drift      drift
	audioMoved bool // the sound was, to be with the picture: its clock did not go back
}

// track is what was seen of one track.
type track struct {
	started bool
	shift   time.Duration
	in      time.Duration // the last decode time as it came
	out     time.Duration // and as it left
	slide   time.Duration // of it, what makes up for a drift
	arrived time.Time
	step    time.Duration // between the last two units that were well
	early   time.Duration // how much earlier it must be decoded than it says
}

// jump is the last change of a shift.
type jump struct {
	at    time.Time
	track int
	shift time.Duration // the new one
}

// line is the stream's time against the arrival clock, for the unit that came
// with the least delay. It forgets slowly, because the two clocks do not run at
// the same speed.
type arrivalLine struct {
	set    bool
	lead   time.Duration // stream time minus time since zero
	newest time.Duration // stream time
	at     time.Time
	zero   time.Time
}

// Reset is told of each new generation of tracks. The timeline goes on.
func (r *Corrector) Reset(tracks media.Tracks) {
	kept := r.tracks
	if r.video != tracks.Video() || r.audio != tracks.Audio() {
		kept = nil // a track's index means another track now: start it at the stream's time
	}
	r.video, r.audio = tracks.Video(), tracks.Audio()
	r.tracks = make([]track, len(tracks))
	copy(r.tracks, kept)
	r.drift.restart()
}

// Aligned is told that sound and picture are together from here on as they come, by
// more than a guess.
func (r *Corrector) Aligned() { r.drift, r.audioMoved = drift{}, true }

// Fix mends au's times in place.
func (r *Corrector) Fix(au *media.AccessUnit) {
	if au.Track < 0 || au.Track >= len(r.tracks) {
		return // the hub drops it
	}
	if au.Arrived.IsZero() {
		au.Arrived = time.Now()
	}
	t, video := &r.tracks[au.Track], au.Track == r.video
	in := bound(au.DTS)
	late := r.composition(t, bound(au.PTS)-in)
	r.place(au.Track, in, au.Arrived)
	slide := r.drift.slide(video, au.Arrived)
	shift := t.shift + slide
	dts := in + shift - t.early
	if t.started && dts < t.out+tick {
		if in <= t.in && (video || !r.audioMoved) {
			r.Counts.Backwards.Add(1)
		}
		dts = t.out + tick
	}
	r.audioMoved = r.audioMoved && video
	if d := in - t.in; t.started && d > 0 && d < time.Second {
		t.step = d
	}
	t.started, t.in, t.out, t.arrived, t.slide = true, in, dts, au.Arrived, slide
	au.DTS, au.PTS = dts, max(in+shift+late, dts)
	r.line.observe(dts, au.Arrived)
	if r.drift.observe(video, dts-slide, au.Arrived) {
		r.Counts.Drift.Add(1)
	}
}

func bound(d time.Duration) time.Duration { return min(max(d, -horizon), horizon) }

// composition is how much later than decoded the unit is shown. A stream with
// pictures that are shown before they are decoded has its decode times wrong, not
// its pictures: all of them are decoded earlier from then on.
func (r *Corrector) composition(t *track, late time.Duration) time.Duration {
	switch {
	case late < -maxEarly || late > maxLate:
		r.Counts.Composition.Add(1)
		return 0
	case late < 0:
		r.Counts.Composition.Add(1)
		t.early = max(t.early, -late)
	}
	return late
}

// place sets the track's shift for a unit of decode time in.
func (r *Corrector) place(index int, in time.Duration, arrived time.Time) {
	t := &r.tracks[index]
	if !t.started {
		r.start(t, in, arrived)
		return
	}
	pause := arrived.Sub(t.arrived)
	expected := t.out - t.slide + t.early + pause
	// The other track jumped just now: whichever shift fits better is right.
	if j := &r.jump; j.track != index && j.shift != t.shift && !j.at.IsZero() && arrived.Sub(j.at) < togetherFor {
		if (in + j.shift - expected).Abs() < (in + t.shift - expected).Abs() {
			t.shift = j.shift
			return
		}
	}
	step := in - t.in
	ahead := step > jumpAfter && r.line.ahead(in+t.shift, arrived) > jumpAfter
	if !ahead && step > -jumpAfter {
		return
	}
	r.Counts.Jumps.Add(1)
	step = max(t.step, tick)
	if pause > step+500*time.Millisecond {
		step = min(pause, maxPause)
	}
	t.shift = t.out - t.slide + t.early + step - in
	r.jump = jump{arrived, index, t.shift}
}

// start places a track's first unit: at its own time when that is plausible
// against what else arrived, else at the time of its arrival. A unit that is late may
// have its time for all that: key frames take seconds on a narrow way.
func (r *Corrector) start(t *track, in time.Duration, arrived time.Time) {
	t.shift = r.jump.shift
	if !r.line.set {
		t.shift = max(0, -in) // a timeline does not start below zero
		r.jump.shift = t.shift
		return
	}
	ahead := r.line.ahead(in+t.shift, arrived)
	heldUp := ahead < 0 && (in+t.shift-r.line.newest).Abs() <= jumpAfter
	if ahead.Abs() > jumpAfter && !heldUp {
		r.Counts.Jumps.Add(1)
		t.shift -= ahead
	}
}

// ahead is how much earlier than possible a unit of that time arrived.
func (l *arrivalLine) ahead(out time.Duration, arrived time.Time) time.Duration {
	return out - arrived.Sub(l.zero) - l.lead
}

func (l *arrivalLine) observe(out time.Duration, arrived time.Time) {
	if !l.set {
		*l = arrivalLine{set: true, lead: out, newest: out, at: arrived, zero: arrived}
		return
	}
	if since := arrived.Sub(l.at); since > 0 {
		l.lead -= since / 1000
		l.at = arrived
	}
	l.lead = max(l.lead, out-arrived.Sub(l.zero))
	l.newest = max(l.newest, out)
}
