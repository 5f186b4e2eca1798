package program

import (
	"time"

	"obvan/media"
	"obvan/media/silence"
)

const (
	// patience is how far the sound may stay behind the picture before it is taken
	// for missing. It grows for a source whose sound proves to come late, up to
	// maxPatience: else all of that sound would be dropped.
	audioGrace    = 300 * time.Millisecond
	maxAudioGrace = 1500 * time.Millisecond
	// farOff is a distance from the grid that no missing sound explains: the source
	// counts sound and picture on different clocks.
	clockMismatch = 2 * time.Second
)

// grid is where audio frames lie: at exact multiples of the frame's length from
// its start, computed from the count so that nothing adds up.
type grid struct {
	start   time.Duration
	count   int64
	samples int64
	rate    int64
}

func (g *grid) at(n int64) time.Duration {
	// Seconds and rest apart: the product of samples and nanoseconds overflows
	// after two days.
	samples := n * g.samples
	return g.start + time.Duration(samples/g.rate)*time.Second +
		time.Duration(samples%g.rate*int64(time.Second)/g.rate)
}

// next is where the next frame lies.
func (g *grid) next() time.Duration { return g.at(g.count) }

// frame is the length of a frame.
func (g *grid) frame() time.Duration { return time.Duration(g.samples * int64(time.Second) / g.rate) }

// sound keeps the program's audio on its grid.
type audioWriter struct {
	timeline    *timeline
	grid        grid
	silentFrame []byte // a silent frame in the present format
	source      sourceAudio

	filled, dropped uint64 // frames put in, frames left out
}

// hearing is what was learned of the present source's sound.
type sourceAudio struct {
	hasTrack   bool // it has a track of sound
	onAirSince time.Time
	shift      time.Duration
	grace      time.Duration
	joined     bool
}

// format starts a new grid where the present one ends when the frames' length
// changes; at is where the first one begins.
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

// take is told of a new source, which comes on air now.
func (s *audioWriter) setSource(has bool) {
	s.source = sourceAudio{hasTrack: has, onAirSince: time.Now(), grace: audioGrace}
}

// write puts a frame of the source on the grid; at is where it belongs.
func (s *audioWriter) write(au media.AccessUnit, at time.Duration) {
	if s.grid.rate == 0 {
		return // before the first picture
	}
	frame, h := s.grid.frame(), &s.source
	off := at + h.shift - s.grid.next()
	live := au.Arrived.After(h.onAirSince) // else it is what the source sent before it came on air
	if live && off.Abs() > clockMismatch {
		h.shift -= off
		off = 0
	}
	// Joining, a frame goes to the slot it is nearest to; from then on it may wander
	// by a whole frame either way before something is put in or left out.
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

// late leaves out a frame whose place is taken. When silence took it because the
// source's sound is always that late, silence has to wait longer.
func (s *audioWriter) dropLate(off time.Duration) {
	s.dropped++
	if behind := s.timeline.video.lastDTS - (s.grid.next() + off); behind > s.source.grace-s.grid.frame() {
		s.source.grace = min(behind+100*time.Millisecond, maxAudioGrace)
	}
}

// follow fills with silence what the picture left behind.
func (s *audioWriter) fillTo(frame time.Duration) {
	if s.grid.rate == 0 || s.silentFrame == nil {
		return
	}
	if s.source.hasTrack {
		frame -= s.source.grace
	}
	for s.grid.next() < frame {
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
