package clock

import "time"

const (
	driftWindow  = 10 * time.Second       // one measurement
	driftSettle  = 3                      // windows before the first measurement counts
	driftAllowed = 60 * time.Millisecond  // sound this far from the picture is heard
	driftEnough  = 10 * time.Millisecond  // and this close it is well again
	driftSlew    = 10 * time.Millisecond  // correction in one window: inaudible
	driftNoise   = 500 * time.Millisecond // more than this in a few windows is no drift
)

// drift watches whether sound and picture run apart. Devices stamp sound by
// counting samples and pictures by a clock; the two are milliseconds apart after
// minutes and a second after a day. What arrives together was made together, so
// the arrival clock tells: of each window the unit with the least delay counts.
type drift struct {
	correction time.Duration // added to the sound

	began        time.Time
	zero         time.Time
	video, audio time.Duration // the greatest lead over the arrival clock in this window
	sawV, sawA   bool
	windows      int
	normal       time.Duration // video minus audio when all was well
	beyond       int           // windows in a row
	correcting   bool
}

// see notes a unit. It says whether a drift was found just now.
func (d *drift) see(video bool, out time.Duration, arrived time.Time) bool {
	if d.began.IsZero() {
		d.began, d.zero = arrived, arrived
	}
	lead := out - arrived.Sub(d.zero)
	if video {
		if !d.sawV || lead > d.video {
			d.video, d.sawV = lead, true
		}
	} else if !d.sawA || lead > d.audio {
		d.audio, d.sawA = lead, true
	}
	if arrived.Sub(d.began) < driftWindow {
		return false
	}
	apart, whole := d.video-d.audio, d.sawV && d.sawA
	d.began, d.sawV, d.sawA = arrived, false, false
	return whole && d.judge(apart)
}

// judge takes a whole window's measurement.
func (d *drift) judge(apart time.Duration) (found bool) {
	d.windows++
	if d.windows <= driftSettle {
		d.normal = apart
		return false
	}
	off := apart - d.normal
	if off.Abs() > driftNoise { // a delay changed, or a jump was mended
		d.windows, d.beyond, d.correcting = 0, 0, false
		return false
	}
	if off.Abs() <= driftAllowed {
		d.beyond = 0
	} else if d.beyond++; d.beyond == 3 {
		found, d.correcting = true, true
	}
	if off.Abs() <= driftEnough {
		d.correcting = false
	}
	if d.correcting {
		d.correction += min(max(off, -driftSlew), driftSlew)
	}
	return found
}
