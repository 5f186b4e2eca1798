package whep

import (
	"net/netip"
	"time"

	"github.com/pion/rtcp"

	"obvan/hub"
	"obvan/media"
)

// videoSession is the position of one viewer's video. It is for one goroutine.
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

// send sends a frame of a stream that is that much further. It fails when the viewer
// has disconnected, or can't be shown more.
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

// delay is how long a frame may be delayed. Those that a viewer begins with are
// old already.
func (s *videoSession) delay(au *media.AccessUnit, show hints, behind time.Duration) playout {
	s.caughtUp = s.caughtUp || behind < catchUpLag
	audio := s.viewer.audio != nil && (au.Tracks.Audio() >= 0 || s.viewer.leaveLowRes != nil)
	switch {
	case audio && s.caughtUp: // also when a frame is late: without a delay the browser would drop those it holds
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

// retransmit sends lost packets again, within the budget.
func (s *videoSession) retransmit(lost []rtcp.NackPair) {
	if now := time.Now(); now.Sub(s.budgetStart) > time.Second {
		s.budgetStart, s.retransmitted = now, 0
	}
	s.gather()
	s.burst.begin()
	s.retransmitted += s.viewer.video.retransmit(lost, retransmitBudget-s.retransmitted)
	s.burst.end()
}

// restart goes back to the newest keyframe for a viewer that has lost the
// video; nil when it was sent that just now.
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
