package control

import "context"

// resume tells a mixer without a memory what was on air when the server died in
// mid-show: with another camera on air the show would not go on, it would change.
func (s *Studio) resume(k *kept) {
	if m, ok := s.rooms.Mixer.(Resumer); ok && k.Live && k.OnAir != "" {
		m.Resume(k.OnAir)
	}
}

// keepOnAir keeps what such a mixer has on its program bus, until ctx is done. A cut
// does not wait for the disk.
func (s *Studio) keepOnAir(ctx context.Context) {
	if _, ok := s.rooms.Mixer.(Resumer); !ok {
		return
	}
	for {
		select {
		case <-s.told.cut:
		case <-ctx.Done():
			return
		}
		var onAir string
		s.store.Read(func(st *State) { onAir = st.Mixer.Program })
		if onAir == "" { // at its start, or while it waits for what was on air
			continue
		}
		// A disk that fails is in the log already.
		_ = s.book.edit(ctx, func(k *kept, _ *secrets) error { k.OnAir = onAir; return nil })
	}
}
