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

// hasKey reports whether a publisher has a key. A token must be shown: of tokens only the
// hash is stored.
func hasKey(r ingest.Request, key string) bool {
	return key != "" && (auth.Same(r.Key, key) || r.Proves != nil && r.Proves(key))
}

// AuthorisePlay answers whoever wants to play a stream from the read-only ports: on this
// machine anyone may, from elsewhere anyone with a token. The mixer shows its key.
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

// OBSPassword is the password of OBS: the stored one, else that of the environment; "" for
// none.
func (s *Studio) OBSPassword() (password string) {
	s.file.Read(func(_ *showfile.Show, sec *showfile.Secrets) { password = cmp.Or(sec.OBSPassword, s.opts.OBSPassword) })
	return password
}

// refusePublisher refuses a publisher. It is logged, but not as often as someone can try.
func (s *Studio) refusePublisher(r ingest.Request, reason string) error {
	s.log.Warn("publisher refused", "feed", r.Stream, "proto", r.Proto, "remote", r.Remote, "reason", reason)
	if s.access.LogRefusal() {
		s.logEvent(control.Warn, "Refused a publisher of %s (%s from %s): %s.", r.Stream, r.Proto, netaddr.IP(r.Remote), reason)
	}
	return fmt.Errorf("%s: %w", reason, ingest.ErrUnauthorised)
}
