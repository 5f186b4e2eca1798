package studio

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"obvan/control"
	"obvan/control/showfile"
)

// restore applies the show file to what the studio controls. A destination that was
// sending while the show was live sends again: after a crash in mid-show the show goes on.
func (s *Studio) restore() {
	s.forgetTestSends()
	var k showfile.Show
	var sec showfile.Secrets
	s.file.Read(func(now *showfile.Show, secret *showfile.Secrets) { k, sec = now.Clone(), secret.Clone() })
	s.resumeOnAir(&k) // before the feeds connect, or the first of them is on air
	for _, f := range k.Feeds {
		if err := s.pull(f.ID, sec.Feeds[f.ID].URL); err != nil {
			s.logEvent(control.Error, "Can't pull %s: %v.", f.Name, err)
		}
	}
	s.updateMixerFeeds(&k)
	s.restoreFailover(&k)
	for i := range k.Destinations {
		d := &k.Destinations[i]
		err := s.putDestination(d, sec.Destinations[d.ID])
		if err == nil && k.Live && d.Started {
			err = s.deps.Relay.Start(d.ID)
		}
		if err != nil {
			s.logEvent(control.Error, "%s could not be restored: %v.", d.Name, err)
			s.last.mu.Lock()
			s.last.notAccepted[d.ID] = "This server can't send to this address."
			s.last.mu.Unlock()
		}
	}
	if k.Live {
		s.logEvent(control.Info, "The show was live when the server stopped; it continues.")
	}
	s.updateDestinations()
}

// restoreFailover hands the program what was stored of its failover chain. What a newer
// version stored and this one does not know is left out.
func (s *Studio) restoreFailover(k *showfile.Show) {
	s.deps.Program.SetBackups(k.Backups)
	if len(k.Triggers) > 0 {
		if err := s.deps.Program.SetTriggers(k.Triggers); err != nil {
			s.logEvent(control.Error, "The failover triggers could not be restored: %v.", err)
		}
	}
	timeouts := maps.Clone(k.Timeouts)
	if k.TimeoutMs > 0 {
		if timeouts == nil {
			timeouts = map[string]int{}
		}
		timeouts[""] = k.TimeoutMs
	}
	for _, level := range slices.Sorted(maps.Keys(timeouts)) {
		if err := s.deps.Program.SetTimeout(level, time.Duration(timeouts[level])*time.Millisecond); err != nil {
			s.logEvent(control.Error, "A signal-loss timeout could not be restored: %v.", err)
		}
	}
}

// What the log says when the disk fails, and when it works again.
const (
	notSavedText   = "The show could not be saved: changes are lost when the server stops. Check the disk."
	savedAgainText = "The show is saved again."
)

// retrySaveEvery is how often saving is retried after the disk failed.
const retrySaveEvery = 5 * time.Second

// retrySaving saves what the disk did not take, once it works again, until ctx is done: the
// next command may be an hour away, and the next power cut before it.
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

// resumeOnAir tells a mixer that stores nothing what was on air when the server stopped in
// mid-show: the show should continue with the same camera.
func (s *Studio) resumeOnAir(k *showfile.Show) {
	if m, ok := s.deps.Mixer.(Resumer); ok && k.Live && k.OnAir != "" {
		m.Resume(k.OnAir)
	}
}

// saveOnAir stores what such a mixer has on its program bus, until ctx is done. A cut does
// not wait for the disk.
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
		if onAir == "" { // at its start, or while it waits for the source that was on air
			continue
		}
		behind := s.file.Behind()
		err := s.file.Edit(ctx, func(k *showfile.Show, _ *showfile.Secrets) error { k.OnAir = onAir; return nil })
		if errors.Is(err, showfile.ErrNotSaved) && !behind {
			s.logEvent(control.Error, notSavedText)
		}
	}
}

// forgetTestSends forgets which destinations were sending before the show: they no longer
// do, and a crash in the show must not start them.
func (s *Studio) forgetTestSends() {
	// When the disk fails, saving is retried.
	_ = s.file.Edit(context.Background(), func(k *showfile.Show, _ *showfile.Secrets) error {
		for i := range k.Destinations {
			k.Destinations[i].Started = k.Destinations[i].Started && k.Live
		}
		return nil
	})
}
