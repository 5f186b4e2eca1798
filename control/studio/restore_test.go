package studio_test

import (
	"slices"
	"testing"
	"time"

	"obvan/control/showfile"
	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/internal/testkit"
	"obvan/mixer"
)

// forgetful is a mixer that is told what was on air.
type forgetful struct{ studiotest.Mixer }

func (m forgetful) Resume(source string) { m.Ask("resume %s", source) }

func TestACrashInMidShowPutsTheSameCameraOnAir(t *testing.T) {
	dir := t.TempDir()
	restarted := func() *studiotest.House {
		d := studiotest.NewFakes()
		return studiotest.Build(t, dir, d, studio.Options{}, studiotest.Quiet(), studiotest.On(forgetful{studiotest.Mixer{Fakes: d}})) // the one before was not told to stop
	}
	cut := func(h *studiotest.House, source string) {
		t.Helper()
		h.MixerChanged(mixer.State{Connected: true, Program: source})
		testkit.Eventually(t, 5*time.Second, func() (is bool) {
			again, _, err := showfile.Open(dir, studiotest.Quiet())
			if err != nil {
				t.Fatal(err)
			}
			again.Read(func(k *showfile.Show, _ *showfile.Secrets) { is = k.OnAir == source })
			return is
		}, "%s is kept", source)
	}
	h := restarted()
	h.Start(t)
	cut(h, "cam1")
	h.Do(t, "show.live", ``)
	cut(h, "cam2")

	again := restarted()
	again.Start(t)
	again.MixerChanged(mixer.State{Connected: true}) // it waits for cam2
	if asked := again.Fakes.Asked(); !slices.Contains(asked, "resume cam2") {
		t.Fatalf("asked: %v", asked)
	}
	again.Do(t, "show.end", ``)

	third := restarted()
	third.Start(t)
	if asked := third.Fakes.Asked(); slices.Contains(asked, "resume cam2") {
		t.Fatalf("after the end of the show: %v", asked)
	}
}
