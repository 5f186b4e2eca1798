package clock

import (
	"cmp"
	"slices"
	"time"
)

const (
	driftWindow  = time.Second            // one measurement, at least; the middle one of three counts
	driftArrived = 20                     // and so many arrivals of each track
	driftAllowed = 20 * time.Millisecond  // sound this far from the picture is put back, before it is seen on lips
	driftEnough  = 5 * time.Millisecond   // and this close it is well again
	driftSteady  = 200 * time.Microsecond // a window, when it no longer grows
	driftFound   = 3                      // windows in a row
	driftSlew    = 50                     // times are moved by one part in so many: it is not seen, nor heard
	// What changes faster in a window is no drift: a delay did, or the device found out
	// about its clocks (RTSP cameras say how theirs compare some seconds late).
	driftStep = 30 * time.Millisecond
)

// drift watches whether sound and picture run apart. Devices stamp sound by
// counting samples and pictures by a clock; the two are milliseconds apart after
// minutes and a second after a day. What arrives together was made together, so
// the arrival clock tells: of each window the unit with the least delay counts. A
// window is as long as it takes to see one that did not wait: sound that comes in two
// packets a second, each sent with a picture, waits differently in every second.
//
// The track that strays from the arrival clock is moved, so that a wrong clock of the
// picture does not cost samples.
type drift struct {
	zero, began time.Time
	window      window   // the present one
	last        [3]leads // those before it
	windows     int
	was, normal leads            // the last measurement; and when all was well
	offsets     [4]time.Duration // how far sound has to be moved against the picture, lately
	correction  correction
}

// leads is how far tracks are ahead of the arrival clock.
type leads struct {
	video, audio time.Duration
}

func (l leads) offset() time.Duration { return l.video - l.audio }

// window is what is known of one track, and of the other.
type window struct{ video, audio best }

// best is the unit of a window that came with the least delay.
type best struct {
	lead     time.Duration
	last     time.Time // arrival
	arrivals int
}

func (b *best) note(lead time.Duration, arrived time.Time) {
	if b.arrivals == 0 || lead > b.lead {
		b.lead = lead
	}
	if !arrived.Equal(b.last) { // what comes in one packet waited for it together
		b.last, b.arrivals = arrived, b.arrivals+1
	}
}

// mend is how the tracks are moved.
type correction struct {
	beyond       int // windows in a row
	active       bool
	moveVideo    bool          // it is moved, not the sound
	aim          time.Duration // where the track that is moved is going
	at           time.Time     // when it was last moved
	video, audio time.Duration // what is added to the tracks' times now
}

// restart is told that the tracks are others from now on. What was mended stays: sound
// and picture are together as they are.
func (d *drift) restart() {
	m := d.correction
	m.beyond, m.active = 0, false
	*d = drift{correction: m}
}

// slide is what has to be added to a track's times now.
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

// see notes a unit by its time before it was moved. It says whether a drift was found
// just now.
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

// judge takes a whole window's measurement.
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
	if to := offset + 2*grows; m.moveVideo { // measured a window ago, and good for the next one
		m.aim = m.audio - to
	} else {
		m.aim = m.video + to
	}
	return found
}
