package whep

import (
	"time"

	"obvan/media"
)

const (
	offsetWindow  = 2 * time.Second
	firstWindow   = time.Second           // a picture that begins to play may jump
	minOffsetStep = 30 * time.Millisecond // less is not worth a jump of the picture
	maxOffset     = time.Second           // beyond, it is no live picture any more

	// A small change is made step by step, one a picture: nobody sees or hears it.
	offsetSlew = 2 * time.Millisecond
	offsetJump = 150 * time.Millisecond // a larger one is made at once
)

// lag finds how much later a stream's sound comes than the picture that it belongs
// to: ffmpeg's RTSP, say, sends up to 0.7 s of sound in one packet. It is negative
// where the picture is later, as small ones are. Who hears a stream has its pictures
// held back for so long.
type audioOffset struct {
	current    time.Duration
	target     time.Duration // where late is going
	known      bool          // late was measured
	videoDelay time.Duration // of the pictures of the last window: when they were there, less PTS

	from               time.Time // of this window
	frames             int
	audioPackets       int
	minVideo, maxAudio time.Duration // of pictures and of sounds: when there, less PTS
	lowerWindows       int           // windows in which the sound came sooner
	epoch              time.Time
}

// picture is told of one that was there at now.
func (l *audioOffset) frame(au *media.AccessUnit, now time.Time) {
	at := l.delayOf(au, now)
	if l.audioPackets == 0 && now.Sub(l.from) > offsetWindow { // nobody listens
		l.from, l.frames = now, 0
	}
	if l.frames == 0 || at < l.minVideo {
		l.minVideo = at
	}
	l.frames++
	if away := l.target - l.current; away.Abs() > offsetJump {
		l.current = l.target
	} else {
		l.current += min(max(away, -offsetSlew), offsetSlew)
	}
}

func (l *audioOffset) audio(au *media.AccessUnit) {
	if !au.Arrived.After(l.from) { // another viewer has told already
		return
	}
	if l.audioPackets == 0 && !l.known { // one packet alone says little
		l.from, l.frames = au.Arrived, 0
	}
	at := l.delayOf(au, au.Arrived)
	if l.audioPackets == 0 || at > l.maxAudio {
		l.maxAudio = at
	}
	l.audioPackets++
	window := offsetWindow
	if !l.known {
		window = firstWindow
	}
	if l.frames > 0 && au.Arrived.Sub(l.from) > window {
		l.endWindow(au.Arrived)
	}
}

// since is when a unit was there, less its time on the stream's clock.
func (l *audioOffset) delayOf(au *media.AccessUnit, there time.Time) time.Duration {
	if l.epoch.IsZero() {
		l.epoch, l.from = there, there
	}
	return there.Sub(l.epoch) - au.PTS
}

// judge ends a window. Sound that comes later counts at once; that it comes sooner
// must last, as each change makes the picture jump.
func (l *audioOffset) endWindow(now time.Time) {
	late := min(max(l.maxAudio-l.minVideo, -audioBuffering), maxOffset)
	switch {
	case !l.known:
		l.current, l.target, l.known = late, late, true
	case late > l.target+minOffsetStep:
		l.target, l.lowerWindows = late, 0
	case late < l.target-minOffsetStep:
		if l.lowerWindows++; l.lowerWindows >= 3 {
			l.target, l.lowerWindows = late, 0
		}
	default:
		l.lowerWindows = 0
	}
	l.videoDelay = l.minVideo
	l.from, l.frames, l.audioPackets = now, 0, 0
}

// due is when a packet of sound is to go out: so late that the latest comes in time.
// What comes in lumps goes out evenly, or browsers would add a buffer of their own for
// the lumps, and sound and picture part.
func (l *audioOffset) due(au *media.AccessUnit) time.Time {
	if !l.known {
		return au.Arrived
	}
	return l.epoch.Add(au.PTS + l.videoDelay + l.current)
}
