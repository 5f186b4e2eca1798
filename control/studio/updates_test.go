package studio_test

import (
	"strings"
	"testing"

	"obvan/control"
	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/ingest"
	"obvan/mixer"
	"obvan/mixer/program"
)

func TestTallyShowsWhatViewersMaySee(t *testing.T) {
	m := mixer.State{OnAir: []string{"a", "b"}, OnPreview: []string{"b", "c"}}
	got := studio.Tally(&m, &program.State{Level: "backup", OnAir: "c"})
	for id, want := range map[string]control.Light{"a": control.LightProgram, "b": control.LightBoth, "c": control.LightBoth, "d": ""} {
		if got[id] != want {
			t.Errorf("%s = %q, want %q", id, got[id], want)
		}
	}
}

func TestTheEventLogIsBounded(t *testing.T) {
	h := studiotest.Build(t, t.TempDir(), studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	for i := range 3 * studio.LogLines {
		h.Note(control.Info, "line %d", i)
	}
	h.Note(control.Warn, "%s", strings.Repeat("é", 10*studio.MaxLine)+"\n")
	log := h.Now().Log
	if len(log) != studio.LogLines || log[studio.LogLines-2].Text != "line 599" || len([]rune(log[studio.LogLines-1].Text)) != studio.MaxLine {
		t.Fatalf("%d lines, the last %q", len(log), log[len(log)-2:])
	}
}

func TestTheLogCallsCamerasByTheirNames(t *testing.T) {
	h := studiotest.Open(t)
	h.Do(t, "feed.add", `{"id":"a","name":"Stage left"}`)
	h.Do(t, "feed.add", `{"id":"b","name":"Stage right"}`)
	for why, want := range map[string]string{
		"a is sending no video":              "Stage left is sending no video.",
		"a: the video seems to be frozen":    "Stage left: the video seems to be frozen.",
		"waiting for the next keyframe of a": "waiting for the next keyframe of Stage left.",
		"another thing":                      "another thing.",
	} {
		h.ProgramChanged(program.State{Level: "mixer", OnAir: "a", Target: "a"})
		h.ProgramChanged(program.State{Level: "backup", OnAir: "b", Target: "a", Reason: why})
		if !h.Logged("Stage right is on air as backup: " + want) {
			t.Errorf("%q: %v", why, h.Now().Log)
		}
	}
}

func TestAFlappingMixerDoesNotFillTheLog(t *testing.T) {
	h := studiotest.Open(t)
	for range 50 {
		h.MixerChanged(mixer.State{Kind: "obs", Connected: true, Program: "Wide", Output: ingest.Mixer})
		h.MixerChanged(mixer.State{Kind: "obs", Problem: "the connection to OBS broke"})
	}
	var said []string
	for _, e := range h.Now().Log {
		if strings.Contains(e.Text, "OBS") || strings.Contains(e.Text, "mixer") {
			said = append(said, e.Text)
		}
	}
	if len(said) != 10 || said[0] != "Connected to OBS." || said[1] != "Wide is on the mixer's program bus." ||
		said[8] != "Lost the connection to OBS: the connection to OBS broke." || !strings.HasPrefix(said[9], "The connection to OBS is unstable.") {
		t.Errorf("log = %q", said)
	}
}
