package program

import (
	"time"

	"obvan/media"
	"obvan/media/silence"
)

const (
	// audioGrace is how far the audio may be behind the video before silence takes its
	// place. It grows for a source whose audio always arrives late, up to maxAudioGrace:
	// otherwise all of that audio would be dropped.
	audioGrace    = 300 * time.Millisecond
	maxAudioGrace = 1500 * time.Millisecond
	// clockMismatch is a distance from the grid that no missing audio explains: the
	// source's audio and video timestamps are of different clocks.
	clockMismatch = 2 * time.Second
)

// grid is where audio frames lie: at exact multiples of the frame's length from its
// start, computed from the count so that rounding errors do not add up.
type grid struct {
	start   time.Duration
	count   int64
	samples int64
	rate    int64
}

func (g *grid) at(n int64) time.Duration {
	// Seconds and the rest separately: the product of samples and nanoseconds overflows
	// after two days.
	samples := n * g.samples
	return g.start + time.Duration(samples/g.rate)*time.Second +
		time.Duration(samples%g.rate*int64(time.Second)/g.rate)
}

// next is where the next frame lies.
func (g *grid) next() time.Duration { return g.at(g.count) }

// frame is the length of a frame.
func (g *grid) frame() time.Duration { return time.Duration(g.samples * int64(time.Second) / g.rate) }

// audioWriter keeps the program's audio on its grid.
type audioWriter struct {
	timeline    *timeline
	grid        grid
	silentFrame []byte // a silent frame in the present format
	source      sourceAudio

	filled, dropped uint64 // frames of silence inserted, frames dropped
}

// sourceAudio is what is known about the present source's audio.
type sourceAudio struct {
	hasTrack   bool // it has an audio track
	onAirSince time.Time
	shift      time.Duration
	grace      time.Duration
	joined     bool
}

// format starts a new grid where the present one ends when the frames' length changes;
// at is where the very first one begins.
func (s *audioWriter) format(t *media.Track, at time.Duration) {
	s.silentFrame = silence.Frame(t)
	samples, rate := int64(t.SamplesPerFrame()), int64(t.SampleRate)
	if rate <= 0 {
		rate = 48000 // never divide by a device's zero
	}
	if samples == s.grid.samples && rate == s.grid.rate {
		return
	}
	if s.grid.rate != 0 {
		at = s.grid.next()
	}
	s.grid = grid{start: at, samples: samples, rate: rate}
}

// setSource is called for a new source that goes on air now.
func (s *audioWriter) setSource(has bool) {
	s.source = sourceAudio{hasTrack: has, onAirSince: time.Now(), grace: audioGrace}
}

// write puts a frame of the source on the grid; at is where it belongs.
func (s *audioWriter) write(au media.AccessUnit, at time.Duration) {
	if s.grid.rate == 0 {
		return // before the first video frame
	}
	frame, h := s.grid.frame(), &s.source
	off := at + h.shift - s.grid.next()
	live := au.Arrived.After(h.onAirSince) // else it is what the source sent before it came on air
	if live && off.Abs() > clockMismatch {
		h.shift -= off
		off = 0
	}
	// The first frame goes to the nearest slot; from then on frames may drift by a whole
	// frame either way before silence is inserted or a frame is dropped.
	slack := frame
	if !h.joined {
		slack = frame / 2
	}
	if off < -slack {
		if live {
			s.dropLate(off)
		}
		return
	}
	for ; off > slack; off -= frame {
		s.writeSilence()
	}
	h.joined = true
	s.publish(au)
}

// dropLate drops a frame whose slot is taken. When silence took it because the source's
// audio is always that late, silence has to wait longer.
func (s *audioWriter) dropLate(off time.Duration) {
	s.dropped++
	if behind := s.timeline.video.lastDTS - (s.grid.next() + off); behind > s.source.grace-s.grid.frame() {
		s.source.grace = min(behind+100*time.Millisecond, maxAudioGrace)
	}
}

// fillTo fills the audio with silence up to a video frame's time.
func (s *audioWriter) fillTo(until time.Duration) {
	if s.grid.rate == 0 || s.silentFrame == nil {
		return
	}
	if s.source.hasTrack {
		until -= s.source.grace
	}
	for s.grid.next() < until {
		s.writeSilence()
	}
}

func (s *audioWriter) writeSilence() {
	s.filled++
	s.publish(media.AccessUnit{Data: s.silentFrame, Arrived: time.Now()})
}

func (s *audioWriter) publish(au media.AccessUnit) {
	au.DTS = s.grid.next()
	au.PTS, au.Key, au.Track = au.DTS, true, audioTrack
	s.grid.count++
	s.timeline.pub.Write(au)
}
