// Package clock corrects the timestamps of a stream: whatever a device sends, its decode
// times increase after correction, and the corrections are counted.
package clock

import (
	"sync/atomic"
	"time"

	"obvan/media"
)

// What a Corrector accepts as normal.
const (
	// A step between two units of a track, or a lead over the arrival clock, that is
	// longer than this is not a gap in the stream but a jump of its clock.
	jumpAfter = 2 * time.Second
	// A jump of one track is expected of the other one for this long.
	togetherFor = time.Second
	// The longest pause that is preserved when a clock jumps: it is not known how much of
	// it was a real pause.
	maxPause = 10 * time.Second
	// The smallest step of a corrected track. A millisecond, so that times also increase
	// in formats that count in milliseconds.
	tick = time.Millisecond
	// A frame is not presented earlier or later than this relative to its decode time.
	maxEarly, maxLate = time.Second, 5 * time.Second
	// Times beyond this (36 years) are invalid and would overflow the calculations.
	horizon = time.Duration(1) << 60
)

// Counts are the corrections made, by kind. It is safe for concurrent use.
type Counts struct {
	Jumps       atomic.Uint64 // clocks that jumped, restarted or wrapped
	Backwards   atomic.Uint64 // units whose decode time did not increase
	Composition atomic.Uint64 // frames with a presentation time before their decode time, or far after it
	Drift       atomic.Uint64 // times that audio and video had drifted apart
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

// Corrector corrects one stream. It is for one goroutine, except Counts.
//
// A track's times are moved by its shift, which changes only when its clock jumps. Both
// tracks have the same shift as long as they jump together, so audio and video stay in
// sync. The correction of a drift is added to it.
type Corrector struct {
	Counts Counts

	tracks     []track
	video      int
	audio      int
	line       arrivalLine
	jump       jump
	drift      drift
	audioMoved bool // audio was aligned with video: a smaller next time is not the device's error
}

// track is the state of one track.
type track struct {
	started bool
	shift   time.Duration
	in      time.Duration // the last decode time as received
	out     time.Duration // and as corrected
	slide   time.Duration // the drift correction contained in out
	arrived time.Time
	step    time.Duration // between the last two good units
	early   time.Duration // how much earlier it must be decoded than its decode time
}

// jump is the last change of a shift.
type jump struct {
	at    time.Time
	track int
	shift time.Duration // the new one
}

// arrivalLine is the stream's time relative to the arrival clock, for the unit with the
// least delay. Old values decay slowly, because the two clocks do not run at the same
// speed.
type arrivalLine struct {
	set    bool
	lead   time.Duration // stream time minus time since zero
	newest time.Duration // stream time
	at     time.Time
	zero   time.Time
}

// Reset must be called for each new generation of tracks. The timeline continues.
func (r *Corrector) Reset(tracks media.Tracks) {
	old := r.tracks
	if r.video != tracks.Video() || r.audio != tracks.Audio() {
		old = nil // the index now means another track, which starts at the stream's time
	}
	r.video, r.audio = tracks.Video(), tracks.Audio()
	r.tracks = make([]track, len(tracks))
	copy(r.tracks, old)
	r.drift.restart()
}

// Aligned reports that from here on audio and video are received in sync, according to
// the protocol: drift measured so far no longer counts.
func (r *Corrector) Aligned() { r.drift, r.audioMoved = drift{}, true }

// Fix corrects au's times in place.
func (r *Corrector) Fix(au *media.AccessUnit) {
	if au.Track < 0 || au.Track >= len(r.tracks) {
		return // the hub drops such a unit
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

// composition is how much later than its decode time the unit is presented. When frames
// have presentation times before their decode times, the decode times are wrong: from
// then on all frames are decoded earlier.
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
	// The other track has just jumped: use whichever shift fits better.
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

// start places a track's first unit: at its own time when that is plausible compared with
// the other arrivals, otherwise at its arrival. A late unit may still have a correct time:
// keyframes take seconds on a slow uplink.
func (r *Corrector) start(t *track, in time.Duration, arrived time.Time) {
	t.shift = r.jump.shift
	if !r.line.set {
		t.shift = max(0, -in) // a timeline does not start below zero
		r.jump.shift = t.shift
		return
	}
	ahead := r.line.ahead(in+t.shift, arrived)
	delayed := ahead < 0 && (in+t.shift-r.line.newest).Abs() <= jumpAfter
	if ahead.Abs() > jumpAfter && !delayed {
		r.Counts.Jumps.Add(1)
		t.shift -= ahead
	}
}

// ahead is how much earlier a unit of that time arrived than possible.
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
