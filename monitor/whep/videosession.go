package whep

import (
	"net/netip"
	"time"

	"github.com/pion/rtcp"

	"obvan/hub"
	"obvan/media"
)

// session is how far one viewer's pictures are. It is for one goroutine.
type session struct {
	viewer *viewer
	tracks *media.Tracks

	begun    time.Time // the last burst
	live     bool      // it is over
	reported time.Time

	path  *netip.AddrPort
	burst *burst // of the packets to path, nil for TCP

	second   time.Time // of the repeat budget
	repeated int
}

// unit sends a picture, of a stream that is so much further. It fails when the viewer
// is gone, or can't be shown more.
func (s *session) unit(au *media.AccessUnit, behind time.Duration) error {
	if au.Tracks != s.tracks {
		if err := watchable(au.Tracks); err != nil {
			return err
		}
		s.tracks = au.Tracks
	}
	if !au.Video() {
		return nil
	}
	payloads, show, err := s.viewer.source.picture(au)
	if err != nil || payloads == nil {
		return err
	}
	out := s.viewer.picture
	out.delay = s.delay(au, show, behind)
	s.gather()
	s.burst.begin()
	err = out.send(payloads, rtpTime(au.PTS, videoRate))
	s.burst.end()
	if err != nil {
		return errLeft
	}
	s.reported = s.viewer.report(out, au, s.reported)
	return nil
}

// delay is how long a picture may be held back. Those that a viewer begins with are
// old already.
func (s *session) delay(au *media.AccessUnit, show hints, behind time.Duration) playout {
	s.live = s.live || behind < catchingUp
	sounds := s.viewer.sound != nil && (au.Tracks.Audio() >= 0 || s.viewer.left != nil)
	switch {
	case sounds && s.live: // also when a picture is late: to hold none would throw away those that are held
		return playInSync(show.late)
	case show.smooth:
		return playSmooth
	}
	return playAtOnce
}

// gather follows the path to the viewer, which may change at any time.
func (s *session) gather() {
	if path := s.viewer.path.Load(); path != s.path {
		s.close()
		if s.path = path; path != nil {
			s.burst = s.viewer.udp.gather(*path)
		}
	}
}

func (s *session) close() {
	s.burst.close()
	s.burst = nil
}

// repeat sends lost packets again, within the budget.
func (s *session) repeat(lost []rtcp.NackPair) {
	if now := time.Now(); now.Sub(s.second) > time.Second {
		s.second, s.repeated = now, 0
	}
	s.gather()
	s.burst.begin()
	s.repeated += s.viewer.picture.repeat(lost, repeatBudget-s.repeated)
	s.burst.end()
}

// restart goes back to the newest key picture for a viewer that has lost the
// picture; nil when it had that only just now.
func (s *session) restart() *hub.Subscriber {
	if time.Since(s.begun) < restartEvery {
		return nil
	}
	sub, err := s.viewer.follow()
	if err != nil {
		return nil
	}
	s.begun, s.live = time.Now(), false
	return sub
}
