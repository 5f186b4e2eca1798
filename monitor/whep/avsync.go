package whep

import (
	"time"

	"obvan/media"
)

const (
	offsetWindow  = 2 * time.Second
	firstWindow   = time.Second           // shorter: video that has just started may jump
	minOffsetStep = 30 * time.Millisecond // less is not worth a visible jump
	maxOffset     = time.Second           // beyond this it is no longer live video

	// A small change is made in steps, one per frame, so that it can't be seen or heard.
	offsetSlew = 2 * time.Millisecond
	offsetJump = 150 * time.Millisecond // a larger one is made at once
)

// audioOffset finds how much later a stream's audio arrives than the video that it belongs
// to: ffmpeg's RTSP, for example, sends up to 0.7 s of audio in one packet. It is negative
// where the video is later, as low-resolution streams are. A viewer with audio gets the
// video delayed by that much.
type audioOffset struct {
	current    time.Duration
	target     time.Duration // what current is moving to
	known      bool          // the offset was measured
	videoDelay time.Duration // of the earliest frame in the last window: arrival less PTS

	from               time.Time // of this window
	frames             int
	audioPackets       int
	minVideo, maxAudio time.Duration // earliest video and latest audio: arrival less PTS
	lowerWindows       int           // windows in which the audio arrived earlier
	epoch              time.Time
}

// frame takes note of a frame that arrived at now.
func (l *audioOffset) frame(au *media.AccessUnit, now time.Time) {
	at := l.delayOf(au, now)
	if l.audioPackets == 0 && now.Sub(l.from) > offsetWindow { // no viewer has audio
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
	if !au.Arrived.After(l.from) { // another viewer has reported it already
		return
	}
	if l.audioPackets == 0 && !l.known { // one packet alone is not enough
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

// delayOf is when a unit arrived, less its time on the stream's clock.
func (l *audioOffset) delayOf(au *media.AccessUnit, there time.Time) time.Duration {
	if l.epoch.IsZero() {
		l.epoch, l.from = there, there
	}
	return there.Sub(l.epoch) - au.PTS
}

// endWindow ends a window. A higher offset is used immediately; a lower one must last for
// several windows, because each change makes the video jump.
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

// due is when a packet of audio is sent: late enough for the latest one to be in time.
// Audio that arrives in bursts is sent evenly; otherwise browsers would add a buffer of their
// own for the bursts, and audio and video would drift apart.
func (l *audioOffset) due(au *media.AccessUnit) time.Time {
	if !l.known {
		return au.Arrived
	}
	return l.epoch.Add(au.PTS + l.videoDelay + l.current)
}
