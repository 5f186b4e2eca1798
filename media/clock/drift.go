package clock

import (
	"cmp"
	"slices"
	"time"
)

const (
	driftWindow  = time.Second            // least length of a measurement; the median of three counts
	driftArrived = 20                     // least arrivals of each track in it
	driftAllowed = 20 * time.Millisecond  // audio further from video than this is corrected, before lip sync suffers
	driftEnough  = 5 * time.Millisecond   // and this close the correction is complete
	driftSteady  = 200 * time.Microsecond // per window: less means that the drift has stopped growing
	driftFound   = 3                      // windows in a row
	driftSlew    = 50                     // times are moved by one part in this many, which is neither visible nor audible
	// A larger change within a window is not drift: a delay changed, or the device
	// aligned its clocks (RTSP cameras report how theirs compare a few seconds late).
	driftStep = 30 * time.Millisecond
)

// drift detects that audio and video drift apart. Devices derive audio timestamps from a
// count of samples and video timestamps from a clock; the two differ by milliseconds after
// minutes and by a second after a day. What arrives together was captured together, so the
// drift shows against the arrival clock: in each window the unit with the least delay
// counts. A window is long enough to contain a unit that was not delayed: audio sent in two
// packets a second, each with a video frame, is delayed differently in every second.
//
// The track that deviates from the arrival clock is moved, so that a wrong video clock
// does not cost audio samples.
type drift struct {
	zero, began time.Time
	window      window   // the current one
	last        [3]leads // the measurements before it
	windows     int
	was, normal leads            // the last measurement; and the one without drift
	offsets     [4]time.Duration // recent values of how far audio must be moved relative to video
	correction  correction
}

// leads is how far tracks are ahead of the arrival clock.
type leads struct {
	video, audio time.Duration
}

func (l leads) offset() time.Duration { return l.video - l.audio }

// window is what the current window has measured, per track.
type window struct{ video, audio best }

// best is the unit of a window that arrived with the least delay.
type best struct {
	lead     time.Duration
	last     time.Time // arrival
	arrivals int
}

func (b *best) note(lead time.Duration, arrived time.Time) {
	if b.arrivals == 0 || lead > b.lead {
		b.lead = lead
	}
	if !arrived.Equal(b.last) { // units in one packet were delayed together
		b.last, b.arrivals = arrived, b.arrivals+1
	}
}

// correction is how the tracks are moved.
type correction struct {
	beyond       int // windows in a row beyond driftAllowed
	active       bool
	moveVideo    bool          // video is moved, not audio
	aim          time.Duration // the final offset of the track that is moved
	at           time.Time     // when it was last moved
	video, audio time.Duration // what is currently added to the tracks' times
}

// restart is called when the tracks change. The correction made so far remains: audio and
// video are in sync with it.
func (d *drift) restart() {
	m := d.correction
	m.beyond, m.active = 0, false
	*d = drift{correction: m}
}

// slide is what must be added to a track's times now.
func (d *drift) slide(video bool, arrived time.Time) time.Duration {
	m := &d.correction
	now := &m.audio
	if video {
		now = &m.video
	}
	if m.active && video == m.moveVideo {
		limit := min(max(arrived.Sub(m.at), 0), time.Second) / driftSlew
		*now += min(max(m.aim-*now, -limit), limit)
		m.at = arrived
	}
	return *now
}

// observe records a unit by its time before the correction. It reports whether a drift
// has just been found.
func (d *drift) observe(video bool, out time.Duration, arrived time.Time) bool {
	if d.began.IsZero() {
		d.began, d.zero = arrived, arrived
	}
	w := &d.window.audio
	if video {
		w = &d.window.video
	}
	w.note(out-arrived.Sub(d.zero), arrived)
	if arrived.Sub(d.began) < driftWindow || min(d.window.video.arrivals, d.window.audio.arrivals) < driftArrived {
		return false
	}
	measured := leads{d.window.video.lead, d.window.audio.lead}
	d.began, d.window = arrived, window{}
	return d.evaluate(measured)
}

// evaluate takes the measurement of a complete window.
func (d *drift) evaluate(w leads) (found bool) {
	d.last[d.windows%len(d.last)] = w
	d.windows++
	if d.windows < len(d.last) {
		return false
	}
	sorted := d.last
	slices.SortFunc(sorted[:], func(a, b leads) int { return cmp.Compare(a.offset(), b.offset()) })
	now, m := sorted[len(sorted)/2], &d.correction
	if d.windows == len(d.last) {
		d.was, d.normal = now, leads{video: now.video + m.video, audio: now.audio + m.audio}
		for i := range d.offsets {
			d.offsets[i] = m.audio - m.video
		}
		return false
	}
	if step := now.offset() - d.was.offset(); step.Abs() > driftStep {
		d.normal.video += now.video - d.was.video
		d.normal.audio += now.audio - d.was.audio
	}
	d.was = now
	offset := now.offset() - d.normal.offset()
	d.offsets[d.windows%len(d.offsets)] = offset
	grows := (offset - d.offsets[(d.windows+1)%len(d.offsets)]) / time.Duration(len(d.offsets)-1)
	off := offset - (m.audio - m.video)
	if off.Abs() <= driftAllowed {
		m.beyond = 0
	} else if m.beyond++; m.beyond == driftFound && !m.active {
		found = true
		m.active, m.at = true, d.began
		m.moveVideo = (d.normal.video - now.video - m.video).Abs() > (d.normal.audio - now.audio - m.audio).Abs()
	}
	if off.Abs() <= driftEnough && grows.Abs() < driftSteady {
		m.active = false
	}
	if to := offset + 2*grows; m.moveVideo { // measured a window ago and extrapolated to the next one
		m.aim = m.audio - to
	} else {
		m.aim = m.video + to
	}
	return found
}
