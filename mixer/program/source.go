package program

import (
	"io"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/mixer"
)

const (
	// maxCompressed is how many frames may be compressed into the moment of a cut. More
	// would look like fast-forward, and push the timeline too far ahead.
	maxCompressed = 120
	// maxAudio is how many audio frames of a source are buffered until it goes on air:
	// only the newest second matters.
	maxAudio = 128
)

// source is a stream that is on air, or about to be.
type source struct {
	name      string
	level     string
	sub       *hub.Subscriber
	lastFrame time.Time // when we read its last video frame

	// Until it is on air:
	frames         []media.AccessUnit // since its newest keyframe
	nonDisposable  int                // how many of them are not disposable
	audio          []media.AccessUnit
	tooLong        bool // too many frames to compress: it waits for its next keyframe
	awaitsKeyframe bool // it was requested to wait for its next keyframe
}

func newSource(h *hub.Hub, name string, when mixer.When) *source {
	sub, err := h.Subscribe(name)
	if err != nil {
		return nil
	}
	s := &source{name: name, sub: sub, lastFrame: time.Now()}
	if when == mixer.Keyframe {
		sub.SkipToLive()
		s.awaitsKeyframe = true
	}
	return s
}

func (s *source) close() {
	if s != nil {
		s.sub.Close()
	}
}

// ready is the source's wake-up; a nil source never has one.
func (s *source) ready() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.sub.Ready()
}

// gather reads what is there, for a splice. It reports whether the stream goes on.
func (s *source) gather() bool {
	for {
		au, err := s.sub.TryNext()
		switch {
		case err == io.EOF:
			return false
		case err != nil:
			return true
		case au.Video():
			s.addFrame(au)
		default:
			s.audio = append(s.audio, au)
			if len(s.audio) > maxAudio {
				s.audio = append(s.audio[:0], s.audio[len(s.audio)-maxAudio/2:]...)
			}
		}
	}
}

func (s *source) addFrame(au media.AccessUnit) {
	s.lastFrame = time.Now()
	if au.Key {
		s.frames, s.nonDisposable, s.tooLong, s.awaitsKeyframe = s.frames[:0], 0, false, false
	}
	if !au.Key && len(s.frames) == 0 {
		return
	}
	s.frames = append(s.frames, au)
	if !au.Disposable {
		s.nonDisposable++
	}
	if s.nonDisposable > maxCompressed {
		s.frames, s.nonDisposable, s.tooLong = nil, 0, true
	}
}

// canSplice reports whether the source may go on air now: it has a keyframe, and it is
// live.
func (s *source) canSplice(now time.Time, timeout time.Duration) bool {
	n := len(s.frames)
	return n > 0 && now.Sub(s.frames[n-1].Arrived) < timeout
}
