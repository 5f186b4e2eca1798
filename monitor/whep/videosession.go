package whep

import (
	"net/netip"
	"time"

	"github.com/pion/rtcp"

	"obvan/hub"
	"obvan/media"
)

// session is how far one viewer's pictures are. It is for one goroutine.
type videoSession struct {
	viewer *viewer
	tracks *media.Tracks

	burstAt  time.Time // the last burst
	caughtUp bool      // it is over
	reported time.Time

	path  *netip.AddrPort
	burst *burst // of the packets to path, nil for TCP

	budgetStart   time.Time // of the repeat budget
	retransmitted int
}

// unit sends a picture, of a stream that is so much further. It fails when the viewer
// is gone, or can't be shown more.
func (s *videoSession) send(au *media.AccessUnit, behind time.Duration) error {
	if au.Tracks != s.tracks {
		if err := watchable(au.Tracks); err != nil {
			return err
		}
		s.tracks = au.Tracks
	}
	if !au.Video() {
		return nil
	}
	payloads, show, err := s.viewer.source.frame(au)
	if err != nil || payloads == nil {
		return err
	}
	out := s.viewer.video
	out.delay = s.delay(au, show, behind)
	s.gather()
	s.burst.begin()
	err = out.send(payloads, rtpTime(au.PTS, videoRate))
	s.burst.end()
	if err != nil {
		return errViewerLeft
	}
	s.reported = s.viewer.report(out, au, s.reported)
	return nil
}

// delay is how long a picture may be held back. Those that a viewer begins with are
// old already.
func (s *videoSession) delay(au *media.AccessUnit, show hints, behind time.Duration) playout {
	s.caughtUp = s.caughtUp || behind < catchUpLag
	sounds := s.viewer.audio != nil && (au.Tracks.Audio() >= 0 || s.viewer.leaveLowRes != nil)
	switch {
	case sounds && s.caughtUp: // also when a picture is late: to hold none would throw away those that are held
		return playInSync(show.audioOffset)
	case show.smooth:
		return playSmooth
	}
	return playImmediately
}

// gather follows the path to the viewer, which may change at any time.
func (s *videoSession) gather() {
	if path := s.viewer.path.Load(); path != s.path {
		s.close()
		if s.path = path; path != nil {
			s.burst = s.viewer.udp.gather(*path)
		}
	}
}

func (s *videoSession) close() {
	s.burst.close()
	s.burst = nil
}

// repeat sends lost packets again, within the budget.
func (s *videoSession) retransmit(lost []rtcp.NackPair) {
	if now := time.Now(); now.Sub(s.budgetStart) > time.Second {
		s.budgetStart, s.retransmitted = now, 0
	}
	s.gather()
	s.burst.begin()
	s.retransmitted += s.viewer.video.retransmit(lost, retransmitBudget-s.retransmitted)
	s.burst.end()
}

// restart goes back to the newest key picture for a viewer that has lost the
// picture; nil when it had that only just now.
func (s *videoSession) restart() *hub.Subscriber {
	if time.Since(s.burstAt) < restartInterval {
		return nil
	}
	sub, err := s.viewer.subscribe()
	if err != nil {
		return nil
	}
	s.burstAt, s.caughtUp = time.Now(), false
	return sub
}
