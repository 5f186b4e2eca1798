package control

import (
	"slices"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/mixer"
)

// forgetful is a mixer that is told what was on air.
type forgetful struct{ fakeMixer }

func (m forgetful) Resume(source string) { m.ask("resume %s", source) }

func TestACrashInMidShowPutsTheSameCameraOnAir(t *testing.T) {
	dir := t.TempDir()
	restarted := func() *house {
		d := newDesk()
		return buildOn(t, dir, d, forgetful{fakeMixer{d}}, Options{}, quiet()) // the one before was not told to stop
	}
	cut := func(h *house, source string) {
		t.Helper()
		h.MixerChanged(mixer.State{Connected: true, Program: source})
		testkit.Eventually(t, 5*time.Second, func() (is bool) {
			again, _, err := openBook(dir, quiet())
			if err != nil {
				t.Fatal(err)
			}
			again.read(func(k *kept, _ *secrets) { is = k.OnAir == source })
			return is
		}, "%s is kept", source)
	}
	h := restarted()
	h.start(t)
	cut(h, "cam1")
	h.do(t, "show.live", ``)
	cut(h, "cam2")

	again := restarted()
	again.start(t)
	again.MixerChanged(mixer.State{Connected: true}) // it waits for cam2
	if asked := again.desk.list(); !slices.Contains(asked, "resume cam2") {
		t.Fatalf("asked: %v", asked)
	}
	again.do(t, "show.end", ``)

	third := restarted()
	third.start(t)
	if asked := third.desk.list(); slices.Contains(asked, "resume cam2") {
		t.Fatalf("after the end of the show: %v", asked)
	}
}
