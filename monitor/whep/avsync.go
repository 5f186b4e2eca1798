package whep

import (
	"time"

	"obvan/media"
)

const (
	lagWindow = 2 * time.Second
	lagFirst  = time.Second           // a picture that begins to play may jump
	lagStep   = 30 * time.Millisecond // less is not worth a jump of the picture
	lagMost   = time.Second           // beyond, it is no live picture any more

	// A small change is made step by step, one a picture: nobody sees or hears it.
	lagSlide = 2 * time.Millisecond
	lagJump  = 150 * time.Millisecond // a larger one is made at once
)

// lag finds how much later a stream's sound comes than the picture that it belongs
// to: ffmpeg's RTSP, say, sends up to 0.7 s of sound in one packet. It is negative
// where the picture is later, as small ones are. Who hears a stream has its pictures
// held back for so long.
type lag struct {
	late  time.Duration
	goal  time.Duration // where late is going
	known bool          // late was measured
	first time.Duration // of the pictures of the last window: when they were there, less PTS

	from            time.Time // of this window
	pictures        int
	sounds          int
	soonest, latest time.Duration // of pictures and of sounds: when there, less PTS
	lower           int           // windows in which the sound came sooner
	epoch           time.Time
}

// picture is told of one that was there at now.
func (l *lag) picture(au *media.AccessUnit, now time.Time) {
	at := l.since(au, now)
	if l.sounds == 0 && now.Sub(l.from) > lagWindow { // nobody listens
		l.from, l.pictures = now, 0
	}
	if l.pictures == 0 || at < l.soonest {
		l.soonest = at
	}
	l.pictures++
	if away := l.goal - l.late; away.Abs() > lagJump {
		l.late = l.goal
	} else {
		l.late += min(max(away, -lagSlide), lagSlide)
	}
}

func (l *lag) sound(au *media.AccessUnit) {
	if !au.Arrived.After(l.from) { // another viewer has told already
		return
	}
	if l.sounds == 0 && !l.known { // one packet alone says little
		l.from, l.pictures = au.Arrived, 0
	}
	at := l.since(au, au.Arrived)
	if l.sounds == 0 || at > l.latest {
		l.latest = at
	}
	l.sounds++
	window := lagWindow
	if !l.known {
		window = lagFirst
	}
	if l.pictures > 0 && au.Arrived.Sub(l.from) > window {
		l.judge(au.Arrived)
	}
}

// since is when a unit was there, less its time on the stream's clock.
func (l *lag) since(au *media.AccessUnit, there time.Time) time.Duration {
	if l.epoch.IsZero() {
		l.epoch, l.from = there, there
	}
	return there.Sub(l.epoch) - au.PTS
}

// judge ends a window. Sound that comes later counts at once; that it comes sooner
// must last, as each change makes the picture jump.
func (l *lag) judge(now time.Time) {
	late := min(max(l.latest-l.soonest, -soundTakes), lagMost)
	switch {
	case !l.known:
		l.late, l.goal, l.known = late, late, true
	case late > l.goal+lagStep:
		l.goal, l.lower = late, 0
	case late < l.goal-lagStep:
		if l.lower++; l.lower >= 3 {
			l.goal, l.lower = late, 0
		}
	default:
		l.lower = 0
	}
	l.first = l.soonest
	l.from, l.pictures, l.sounds = now, 0, 0
}

// due is when a packet of sound is to go out: so late that the latest comes in time.
// What comes in lumps goes out evenly, or browsers would add a buffer of their own for
// the lumps, and sound and picture part.
func (l *lag) due(au *media.AccessUnit) time.Time {
	if !l.known {
		return au.Arrived
	}
	return l.epoch.Add(au.PTS + l.first + l.late)
}
