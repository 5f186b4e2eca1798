package whep

import (
	"time"

	"obvan/media"
)

const (
	offsetWindow  = 2 * time.Second
	firstWindow   = time.Second           // shorter: a jump is acceptable just after the start
	minOffsetStep = 30 * time.Millisecond // a smaller change is not worth a visible jump
	maxOffset     = time.Second           // a longer delay would no longer be live

	// A small change is made in steps, one per frame, so that it can't be seen or heard.
	offsetSlew = 2 * time.Millisecond
	offsetJump = 150 * time.Millisecond // a larger one is made at once
)

// audioOffset measures how much later a stream's audio arrives than its video: ffmpeg's RTSP,
// for example, sends up to 0.7 s of audio in one packet. The offset is negative where the
// video is later, as in low-resolution streams. For a viewer with audio, the video is delayed
// by the offset.
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

// frame records a frame that arrived at now.
func (o *audioOffset) frame(au *media.AccessUnit, now time.Time) {
	at := o.delayOf(au, now)
	if o.audioPackets == 0 && now.Sub(o.from) > offsetWindow { // no viewer requests audio
		o.from, o.frames = now, 0
	}
	if o.frames == 0 || at < o.minVideo {
		o.minVideo = at
	}
	o.frames++
	if diff := o.target - o.current; diff.Abs() > offsetJump {
		o.current = o.target
	} else {
		o.current += min(max(diff, -offsetSlew), offsetSlew)
	}
}

// audio records an audio packet. Several viewers may report the same one, which changes
// nothing: only the latest packet of a window counts.
func (o *audioOffset) audio(au *media.AccessUnit) {
	if !au.Arrived.After(o.from) { // of an earlier window, which another viewer's report ended
		return
	}
	if o.audioPackets == 0 && !o.known { // one packet alone is not enough
		o.from, o.frames = au.Arrived, 0
	}
	at := o.delayOf(au, au.Arrived)
	if o.audioPackets == 0 || at > o.maxAudio {
		o.maxAudio = at
	}
	o.audioPackets++
	window := offsetWindow
	if !o.known {
		window = firstWindow
	}
	if o.frames > 0 && au.Arrived.Sub(o.from) > window {
		o.endWindow(au.Arrived)
	}
}

// delayOf is a unit's arrival time less its PTS.
func (o *audioOffset) delayOf(au *media.AccessUnit, arrived time.Time) time.Duration {
	if o.epoch.IsZero() {
		o.epoch, o.from = arrived, arrived
	}
	return arrived.Sub(o.epoch) - au.PTS
}

// endWindow evaluates a window and starts the next. A higher offset is used immediately; a lower one must last for
// several windows, because each change makes the video jump.
func (o *audioOffset) endWindow(now time.Time) {
	late := min(max(o.maxAudio-o.minVideo, -audioBuffering), maxOffset)
	switch {
	case !o.known:
		o.current, o.target, o.known = late, late, true
	case late > o.target+minOffsetStep:
		o.target, o.lowerWindows = late, 0
	case late < o.target-minOffsetStep:
		if o.lowerWindows++; o.lowerWindows >= 3 {
			o.target, o.lowerWindows = late, 0
		}
	default:
		o.lowerWindows = 0
	}
	o.videoDelay = o.minVideo
	o.from, o.frames, o.audioPackets = now, 0, 0
}

// due is when an audio packet is sent: delayed enough that the latest packet is still in time.
// So audio that arrives in bursts is sent evenly. Otherwise browsers would buffer the bursts
// themselves, and audio and video would drift apart.
func (o *audioOffset) due(au *media.AccessUnit) time.Time {
	if !o.known {
		return au.Arrived
	}
	return o.epoch.Add(au.PTS + o.videoDelay + o.current)
}
