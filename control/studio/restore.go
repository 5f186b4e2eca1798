package studio

import (
	"context"
	"errors"
	"time"

	"obvan/control"
	"obvan/control/showfile"
)

// What the log says of a disk that fails, and of one that does not any more.
const (
	notSavedText   = "The show could not be saved: what was changed is lost when the server ends. Look at the disk."
	savedAgainText = "The show is saved again."
)

// saveEvery is how often it is tried to save what could not be.
const retrySaveEvery = 5 * time.Second

// saveLater saves what a disk did not take, once it takes it again, until ctx is done:
// the next command may be an hour away, and the next power cut before it.
func (s *Studio) retrySaving(ctx context.Context) {
	tick := time.NewTicker(retrySaveEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if !s.file.Behind() {
			continue
		}
		if err := s.file.Edit(ctx, func(*showfile.Show, *showfile.Secrets) error { return nil }); err == nil {
			s.logEvent(control.Info, savedAgainText)
		}
	}
}

// resume tells a mixer without a memory what was on air when the server died in
// mid-show: with another camera on air the show would not go on, it would change.
func (s *Studio) resumeOnAir(k *showfile.Show) {
	if m, ok := s.deps.Mixer.(Resumer); ok && k.Live && k.OnAir != "" {
		m.Resume(k.OnAir)
	}
}

// keepOnAir keeps what such a mixer has on its program bus, until ctx is done. A cut
// does not wait for the disk.
func (s *Studio) saveOnAir(ctx context.Context) {
	if _, ok := s.deps.Mixer.(Resumer); !ok {
		return
	}
	for {
		select {
		case <-s.last.programChanged:
		case <-ctx.Done():
			return
		}
		s.last.mu.Lock() // the state may not have this cut yet
		onAir := s.last.mixer.Program
		s.last.mu.Unlock()
		if onAir == "" { // at its start, or while it waits for what was on air
			continue
		}
		behind := s.file.Behind()
		err := s.file.Edit(ctx, func(k *showfile.Show, _ *showfile.Secrets) error { k.OnAir = onAir; return nil })
		if errors.Is(err, showfile.ErrNotSaved) && !behind {
			s.logEvent(control.Error, notSavedText)
		}
	}
}

// forgetTests forgets what was sending before a show: it does no more, and a crash in the
// show must not start it.
func (s *Studio) forgetTestSends() {
	// A disk that does not take it is tried again.
	_ = s.file.Edit(context.Background(), func(k *showfile.Show, _ *showfile.Secrets) error {
		for i := range k.Destinations {
			k.Destinations[i].Started = k.Destinations[i].Started && k.Live
		}
		return nil
	})
}
