package studio

import (
	"cmp"
	"fmt"

	"obvan/control"
	"obvan/mixer"
)

// capability is the mixer as one that has more than every mixer has; what names it. A mixer
// that never has it is told apart from one that can't use it just now: a client need not
// ask again.
func capability[Capability any](s *Studio, what string) (Capability, error) {
	can, ok := s.deps.Mixer.(Capability)
	if !ok {
		return can, fmt.Errorf("%s: %w by this mixer", what, control.ErrUnsupported)
	}
	return can, nil
}

// mixerOffline is an error while the mixer is not connected, with the reason.
func (s *Studio) mixerOffline() (err error) {
	s.store.Read(func(st *control.State) {
		if !st.Mixer.Connected {
			err = fmt.Errorf("%w: %s", mixer.ErrOffline, cmp.Or(st.Mixer.Problem, "no reason given"))
		}
	})
	return err
}
