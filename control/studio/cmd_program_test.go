package studio_test

import (
	"slices"
	"testing"

	"obvan/control"
	"obvan/control/studio"
	"obvan/control/studiotest"
)

func TestTheFailoverSettingsSurviveARestart(t *testing.T) {
	h := studiotest.Open(t)
	h.Do(t, "program.triggers", `{"on":["freeze","black","freeze"]}`)
	h.Do(t, "program.backups", `{"feeds":["cam2","cam3"]}`)
	for _, args := range []string{`{"ms":800}`, `{"ms":2000,"level":"mixer"}`, `{"ms":900,"level":"cam2"}`, `{"ms":900,"level":"cam3"}`, `{"ms":0,"level":"cam3"}`} {
		h.Do(t, "program.timeout", args)
	}
	for _, bad := range []string{`{"ms":-1}`, `{"ms":99999999999}`} {
		if _, err := h.Execute(t.Context(), studiotest.As(control.Director), "program.timeout", []byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	again := studiotest.Build(t, h.Dir, studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	again.Start(t)
	if asked := again.Fakes.Asked(); !slices.Equal(asked, []string{"triggers [black freeze]", "timeout  800ms", "timeout cam2 900ms", "timeout mixer 2s"}) {
		t.Errorf("%v", asked)
	}
}

func TestARemovedCameraIsNoLongerABackup(t *testing.T) {
	h := studiotest.Open(t)
	h.Do(t, "feed.add", `{"id":"cam1","name":"Camera 1"}`)
	h.Do(t, "feed.add", `{"id":"cam2","name":"Camera 2"}`)
	h.Do(t, "program.backups", `{"feeds":["cam1","cam2"]}`)
	h.Do(t, "program.timeout", `{"level":"cam1","ms":2000}`)
	h.Do(t, "feed.remove", `{"id":"cam1"}`)
	if !slices.Equal(h.Fakes.Backups, []string{"cam2"}) {
		t.Errorf("the program's backups are %v", h.Fakes.Backups)
	}
	again := studiotest.Build(t, h.Dir, studiotest.NewFakes(), studio.Options{Token: studiotest.AdminToken}, studiotest.Quiet())
	again.Start(t)
	if asked := again.Fakes.Asked(); slices.Contains(asked, "timeout cam1 2s") {
		t.Errorf("the program was asked %v", asked)
	}
}
