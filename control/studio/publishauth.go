package studio

import (
	"cmp"
	"fmt"

	"obvan/control"
	"obvan/control/auth"
	"obvan/control/showfile"
	"obvan/ingest"
	"obvan/internal/netaddr"
	"obvan/internal/text"
)

// Authorise answers whoever wants to publish; it is an ingest.Authorise.
//
// The mixer needs the mixer's key. A feed whose key an operator chose needs that
// key. Any other feed, also one that was never added, may publish from this machine
// without one; from elsewhere it needs the key that was made for it, or the token
// of an operator.
func (s *Studio) Authorise(r ingest.Request) error {
	key, everywhere := s.keyOf(r.Stream)
	switch {
	case r.Stream == ingest.Mixer:
		if hasKey(r, key) {
			return nil
		}
		return s.refusePublisher(r, "the mixer's key is wrong")
	case hasKey(r, key):
		return nil
	case !everywhere && netaddr.Loopback(r.Remote):
		return nil
	case everywhere:
		return s.refusePublisher(r, "the key is wrong or missing")
	}
	if you, err := s.access.Who(r.Key, r.Remote); err == nil && you.Role >= control.Operator {
		return nil
	}
	return s.refusePublisher(r, "the key is wrong or missing")
}

// knows says whether a publisher has a key. A token it has to show: of tokens only the
// hash is kept.
func hasKey(r ingest.Request, key string) bool {
	return key != "" && (auth.Same(r.Key, key) || r.Proves != nil && r.Proves(key))
}

// AuthorisePlay answers whoever wants to play a stream from the read-only ports: on
// this machine anybody may, from elsewhere whoever has a token. The mixer has its key.
func (s *Studio) AuthorisePlay(stream, token, remote string) error {
	if netaddr.Loopback(remote) || auth.Same(token, s.MixerKey()) {
		return nil
	}
	if _, err := s.access.Who(token, remote); err != nil {
		return fmt.Errorf("play %s: %w", text.Quote(stream), err)
	}
	return nil
}

// keyOf is the key a stream needs, "" for none, and whether this machine needs it.
func (s *Studio) keyOf(stream string) (key string, everywhere bool) {
	s.file.Read(func(_ *showfile.Show, sec *showfile.Secrets) {
		if stream == ingest.Mixer {
			key, everywhere = sec.MixerKey, true
			return
		}
		f := sec.Feeds[stream]
		key, everywhere = f.Key, f.Everywhere
	})
	return key, everywhere
}

// MixerKey is what the vision mixer publishes its output with.
func (s *Studio) MixerKey() string {
	key, _ := s.keyOf(ingest.Mixer)
	return key
}

// OBSPassword is OBS' password: the one that the data directory keeps, else that of
// the environment; "" for none.
func (s *Studio) OBSPassword() (password string) {
	s.file.Read(func(_ *showfile.Show, sec *showfile.Secrets) { password = cmp.Or(sec.OBSPassword, s.opts.OBSPassword) })
	return password
}

// turnAway refuses a publisher. The event log says so, but not as often as somebody
// can knock.
func (s *Studio) refusePublisher(r ingest.Request, why string) error {
	s.log.Warn("publisher refused", "feed", r.Stream, "proto", r.Proto, "remote", r.Remote, "why", why)
	if s.access.LogRefusal() {
		s.logEvent(control.Warn, "%s from %s tried to publish %s: %s.", r.Proto, netaddr.IP(r.Remote), r.Stream, why)
	}
	return fmt.Errorf("%s: %w", why, ingest.ErrUnauthorised)
}
