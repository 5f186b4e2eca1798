package whep

import (
	"time"

	"obvan/media"
)

const (
	lagWindow = 2 * time.Second
	lagStep   = 30 * time.Millisecond // less is not worth a jump of the picture
	lagMost   = time.Second           // beyond, it is no live picture any more
)

// lag finds how much later a stream's sound comes than the picture that it belongs
// to: ffmpeg's RTSP, say, sends up to 0.7 s of sound in one packet. Who hears a
// stream has its pictures held back for so long.
type lag struct {
	late time.Duration

	from            time.Time // of this window
	pictures        int
	sounds          int
	soonest, latest time.Duration // of pictures and of sounds: arrival less PTS
	lower           int           // windows in which the sound came sooner
	epoch           time.Time
}

func (l *lag) picture(au *media.AccessUnit) {
	at := l.since(au)
	if l.pictures == 0 || at < l.soonest {
		l.soonest = at
	}
	l.pictures++
}

func (l *lag) sound(au *media.AccessUnit) {
	if !au.Arrived.After(l.from) { // another viewer has told already
		return
	}
	at := l.since(au)
	if l.sounds == 0 || at > l.latest {
		l.latest = at
	}
	l.sounds++
	if l.pictures > 0 && au.Arrived.Sub(l.from) > lagWindow {
		l.judge(au.Arrived)
	}
}

// since is when a unit arrived, less its time on the stream's clock.
func (l *lag) since(au *media.AccessUnit) time.Duration {
	if l.epoch.IsZero() {
		l.epoch, l.from = au.Arrived, au.Arrived
	}
	return au.Arrived.Sub(l.epoch) - au.PTS
}

// judge ends a window. Sound that comes later counts at once; that it comes sooner
// must last, as each change makes the picture jump.
func (l *lag) judge(now time.Time) {
	late := min(max(l.latest-l.soonest, 0), lagMost)
	switch {
	case late > l.late+lagStep:
		l.late, l.lower = late, 0
	case late < l.late-lagStep:
		if l.lower++; l.lower >= 3 {
			l.late, l.lower = late, 0
		}
	default:
		l.lower = 0
	}
	l.from, l.pictures, l.sounds = now, 0, 0
}
