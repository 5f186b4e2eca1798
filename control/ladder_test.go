package control

import (
	"slices"
	"testing"
)

func TestWhatTheLadderWasToldOutlivesARestart(t *testing.T) {
	h := open(t)
	h.do(t, "program.triggers", `{"on":["freeze","black","freeze"]}`)
	h.do(t, "program.backups", `{"feeds":["cam2","cam3"]}`)
	for _, args := range []string{`{"ms":800}`, `{"ms":2000,"level":"mixer"}`, `{"ms":900,"level":"cam2"}`, `{"ms":900,"level":"cam3"}`, `{"ms":0,"level":"cam3"}`} {
		h.do(t, "program.timeout", args)
	}
	for _, bad := range []string{`{"ms":-1}`, `{"ms":99999999999}`} {
		if _, err := h.run(t.Context(), as(Director), "program.timeout", []byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	again := build(t, h.dir, newDesk(), Options{}, quiet())
	again.start(t)
	if asked := again.desk.list(); !slices.Equal(asked, []string{"triggers [black freeze]", "timeout  800ms", "timeout cam2 900ms", "timeout mixer 2s"}) {
		t.Errorf("%v", asked)
	}
}

func TestACameraThatIsRemovedIsNoBackupAnyMore(t *testing.T) {
	h := open(t)
	h.do(t, "feed.add", `{"id":"cam1","name":"Camera 1"}`)
	h.do(t, "feed.add", `{"id":"cam2","name":"Camera 2"}`)
	h.do(t, "program.backups", `{"feeds":["cam1","cam2"]}`)
	h.do(t, "program.timeout", `{"level":"cam1","ms":2000}`)
	h.do(t, "feed.remove", `{"id":"cam1"}`)
	if !slices.Equal(h.desk.backups, []string{"cam2"}) {
		t.Errorf("the program's backups are %v", h.desk.backups)
	}
	again := build(t, h.dir, newDesk(), Options{Token: adminToken}, quiet())
	again.start(t)
	if asked := again.desk.list(); slices.Contains(asked, "timeout cam1 2s") {
		t.Errorf("the program was asked %v", asked)
	}
}
