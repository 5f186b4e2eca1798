package control

import (
	"context"
	"time"
)

// What the log says of a disk that fails, and of one that does not any more.
const (
	notSaved   = "The show could not be saved: what was changed is lost when the server ends. Look at the disk."
	savedAgain = "The show is saved again."
)

// saveEvery is how often it is tried to save what could not be.
const saveEvery = 5 * time.Second

// saveLater saves what a disk did not take, once it takes it again, until ctx is done:
// the next command may be an hour away, and the next power cut before it.
func (s *Studio) saveLater(ctx context.Context) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if !s.book.behind.Load() {
			continue
		}
		if err := s.book.edit(ctx, func(*kept, *secrets) error { return nil }); err == nil {
			s.note(Info, savedAgain)
		}
	}
}

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
		s.told.mu.Lock() // the state may not have this cut yet
		onAir := s.told.mixer.Program
		s.told.mu.Unlock()
		if onAir == "" { // at its start, or while it waits for what was on air
			continue
		}
		behind := s.book.behind.Load()
		err := s.book.edit(ctx, func(k *kept, _ *secrets) error { k.OnAir = onAir; return nil })
		if isNotSaved(err) && !behind {
			s.note(Error, notSaved)
		}
	}
}

// forgetTests forgets what was sending before a show: it does no more, and a crash in the
// show must not start it.
func (s *Studio) forgetTests() {
	// A disk that does not take it is tried again.
	_ = s.book.edit(context.Background(), func(k *kept, _ *secrets) error {
		for i := range k.Destinations {
			k.Destinations[i].Started = k.Destinations[i].Started && k.Live
		}
		return nil
	})
}
