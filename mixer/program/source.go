package program

import (
	"io"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/mixer"
)

const (
	// maxSqueeze is how many pictures may be squeezed into the moment of a cut. More
	// would be seen as a fast-forward, and push the timeline too far ahead.
	maxSqueeze = 120
	// maxSound is how many audio frames of a source are kept until it comes on air:
	// only the newest second matters.
	maxSound = 128
)

// source is a stream that is on air, or about to be.
type source struct {
	name string
	rung string
	sub  *hub.Subscriber
	seen time.Time // when we read its last picture

	// Until it is on air:
	pictures []media.AccessUnit // since its newest key frame
	heavy    int                // of them, how many are not disposable
	sounds   []media.AccessUnit
	tooLong  bool // the squeeze would be too long: it waits for its next key frame
	waits    bool // it was told to wait for its next key frame
}

func newSource(h *hub.Hub, name string, when mixer.When) *source {
	sub, err := h.Subscribe(name)
	if err != nil {
		return nil
	}
	s := &source{name: name, sub: sub, seen: time.Now()}
	if when == mixer.Keyframe {
		sub.SkipToLive()
		s.waits = true
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
			s.addPicture(au)
		default:
			s.sounds = append(s.sounds, au)
			if len(s.sounds) > maxSound {
				s.sounds = append(s.sounds[:0], s.sounds[len(s.sounds)-maxSound/2:]...)
			}
		}
	}
}

func (s *source) addPicture(au media.AccessUnit) {
	s.seen = time.Now()
	if au.Key {
		s.pictures, s.heavy, s.tooLong, s.waits = s.pictures[:0], 0, false, false
	}
	if !au.Key && len(s.pictures) == 0 {
		return
	}
	s.pictures = append(s.pictures, au)
	if !au.Disposable {
		s.heavy++
	}
	if s.heavy > maxSqueeze {
		s.pictures, s.heavy, s.tooLong = nil, 0, true
	}
}

// fit reports whether the source may come on air now: it has its key frame, and it
// is alive.
func (s *source) fit(now time.Time, budget time.Duration) bool {
	n := len(s.pictures)
	return n > 0 && now.Sub(s.pictures[n-1].Arrived) < budget
}
