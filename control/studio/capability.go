package studio

import (
	"cmp"
	"fmt"

	"obvan/control"
	"obvan/mixer"
)

// able is the mixer as one that can do more than every mixer; what is what it would
// do. A mixer that never can is told apart from one that can't just now: a client need
// not ask again.
func capability[Ability any](s *Studio, what string) (Ability, error) {
	can, ok := s.deps.Mixer.(Ability)
	if !ok {
		return can, fmt.Errorf("this mixer does not %s: %w", what, control.ErrUnsupported)
	}
	return can, nil
}

// offline is a mixer's state while it is away, as an error.
func (s *Studio) mixerOffline() (err error) {
	s.store.Read(func(st *control.State) {
		if !st.Mixer.Connected {
			err = fmt.Errorf("%w: %s", mixer.ErrOffline, cmp.Or(st.Mixer.Problem, "it did not say why"))
		}
	})
	return err
}
