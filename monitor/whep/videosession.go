package whep

import (
	"net/netip"
	"time"

	"github.com/pion/rtcp"

	"obvan/hub"
	"obvan/media"
)

// videoSession sends the video to one viewer. It belongs to one goroutine.
type videoSession struct {
	viewer *viewer
	tracks *media.Tracks

	burstAt  time.Time // start of the last burst
	caughtUp bool      // the burst is over
	reported time.Time

	path  *netip.AddrPort
	burst *burst // batches packets to path; nil over TCP

	budgetStart   time.Time // of the current second of retransmitBudget
	retransmitted int
}

// send sends a frame; behind is how far it is behind the live position. It fails when the viewer
// has disconnected, or the stream can no longer be played.
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
	s.followPath()
	s.burst.begin()
	err = out.send(payloads, rtpTime(au.PTS, videoRate))
	s.burst.end()
	if err != nil {
		return errViewerLeft
	}
	s.reported = s.viewer.report(out, au, s.reported)
	return nil
}

// delay is a frame's playout delay. The frames of a burst since a keyframe are not delayed for
// the audio: they are late already.
func (s *videoSession) delay(au *media.AccessUnit, show hints, behind time.Duration) playout {
	s.caughtUp = s.caughtUp || behind < catchUpLag
	audio := s.viewer.audio != nil && (au.Tracks.Audio() >= 0 || s.viewer.leaveLowRes != nil)
	switch {
	case audio && s.caughtUp: // also when a frame is late: without a delay the browser would drop the frames in its buffer
		return playInSync(show.audioOffset)
	case show.smooth:
		return playSmooth
	}
	return playImmediately
}

// followPath batches packets to the viewer's current address, which may change at any time.
func (s *videoSession) followPath() {
	if path := s.viewer.path.Load(); path != s.path {
		s.close()
		if s.path = path; path != nil {
			s.burst = s.viewer.udp.newBurst(*path)
		}
	}
}

func (s *videoSession) close() {
	s.burst.close()
	s.burst = nil
}

// retransmit sends lost packets again, within retransmitBudget.
func (s *videoSession) retransmit(lost []rtcp.NackPair) {
	if now := time.Now(); now.Sub(s.budgetStart) > time.Second {
		s.budgetStart, s.retransmitted = now, 0
	}
	s.followPath()
	s.burst.begin()
	s.retransmitted += s.viewer.video.retransmit(lost, retransmitBudget-s.retransmitted)
	s.burst.end()
}

// restart goes back to the newest keyframe for a viewer that requested one. It returns nil when
// the viewer got one within restartInterval.
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
