package studio_test

import (
	"strings"
	"testing"
	"time"

	"obvan/control"
	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/mixer"
	"obvan/mixer/obs/obstest"
)

func TestLowerThirdsAreSavedAndTheOverlayPageConfirmsThem(t *testing.T) {
	h := studiotest.Open(t)
	id := h.Do(t, "graphics.add", `{"text":{"name":"Ada Lovelace","title":"Engineer"}}`).(studio.GraphicAdded).ID
	h.Do(t, "graphics.import", `{"csv":"name;title\nמרים;Mayor\nGrace Hopper;Rear admiral\n"}`)
	h.Fails(t, "graphics.import", `{"csv":"Bob,x\n,no name\n"}`, control.BadRequest)
	h.Fails(t, "graphics.add", `{"text":{"title":"no name"}}`, control.BadRequest)
	h.Fails(t, "graphics.take", `{"id":"nobody"}`, control.NotFound)
	h.Fails(t, "graphics.out", ``, control.Conflict)
	h.Do(t, "graphics.take", `{"id":"`+id+`"}`)
	h.Await(t, "on air, though nothing renders it", func(st *control.State) bool {
		return st.Graphics.OnAir != nil && !st.Graphics.OnAir.Confirmed && strings.Contains(st.Graphics.Problem, "nothing renders it")
	})
	viewer := studiotest.As(control.Viewer)
	beat := func(args string) {
		t.Helper()
		if _, err := h.Execute(t.Context(), viewer, "overlay.heartbeat", []byte(args)); err != nil {
			t.Fatal(err)
		}
	}
	beat(`{"page":"p1","shown":false}`)
	beat(`{"page":"p2","shown":true,"text":{"name":"Ada Lovelace","title":"Engineer"}}`)
	h.Await(t, "confirmed by a page", func(st *control.State) bool {
		return st.Graphics.Via == "overlay" && st.Graphics.OnAir.Confirmed && st.Graphics.Problem == ""
	})
	h.Do(t, "graphics.update", `{"id":"`+id+`","text":{"name":"Ada King"}}`)
	h.Await(t, "the new text is not confirmed", func(st *control.State) bool {
		return st.Graphics.OnAir.Text["name"] == "Ada King" && !st.Graphics.OnAir.Confirmed
	})
	h.Do(t, "graphics.next", ``)
	h.Await(t, "the next", func(st *control.State) bool { return st.Graphics.OnAir.Text["name"] == "מרים" })
	h.Do(t, "graphics.out", ``)
	h.Await(t, "out", func(st *control.State) bool { return st.Graphics.OnAir == nil && st.Graphics.Next != "" })
	beat(`{"page":"p2","shown":false,"closing":true}`)
	h.Do(t, "graphics.move", `{"id":"`+id+`","to":2}`)
	again := studiotest.Build(t, h.Dir, studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	items := again.Graphics().Items
	if len(items) != 3 || items[2].ID != id || items[2].Text["name"] != "Ada King" || items[0].Text["title"] != "Mayor" {
		t.Errorf("after a restart: %+v", items)
	}
	h.Do(t, "graphics.remove", `{"id":"`+id+`"}`)
	if n := len(h.Now().Graphics.Items); n > 3 {
		t.Errorf("%d items", n)
	}
}

func TestAFrozenOverlayPageIsNoticed(t *testing.T) {
	h := studiotest.Build(t, t.TempDir(), studiotest.NewFakes(), studio.Options{}, studiotest.Quiet())
	if err := h.Heartbeat(studio.HeartbeatArgs{Page: "p", Shown: true, Text: map[string]string{"name": "Ada"}}); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if r := h.GraphicReport(now.Add(2 * time.Second)); !r.Ready || !r.Shown || r.Problem != "" {
		t.Errorf("%+v", r)
	}
	if r := h.GraphicReport(now.Add(4 * time.Second)); r.Ready || !strings.Contains(r.Problem, "is frozen") {
		t.Errorf("%+v", r)
	}
	if r := h.GraphicReport(now.Add(2 * time.Minute)); r.Ready || r.Problem != "" {
		t.Errorf("%+v", r)
	}
	for i := range studio.MaxPages + 1 {
		err := h.Heartbeat(studio.HeartbeatArgs{Page: strings.Repeat("p", i+1)})
		if full := i >= studio.MaxPages; (err != nil) != full {
			t.Errorf("page %d: %v", i, err)
		}
	}
	if err := h.Heartbeat(studio.HeartbeatArgs{}); err == nil {
		t.Error("a page without a name")
	}
}

func TestALowerThirdOnOBSSurvivesBothSidesRestarts(t *testing.T) {
	srv, dir := obstest.Start(t, "user's own"), t.TempDir()
	h, stop := onOBS(t, srv, dir, studio.Options{})
	h.Do(t, "feed.add", `{"id":"cam1","name":"Main"}`)
	h.Fails(t, "graphics.out", ``, control.Conflict)
	h.Do(t, "obs.provision", ``)
	h.Do(t, "mixer.cut", `{"source":"Main [obvan]"}`)
	id := h.Do(t, "graphics.add", `{"text":{"name":"Ada Lovelace"}}`).(studio.GraphicAdded).ID
	h.Await(t, "the lower third can be drawn", func(st *control.State) bool { return st.Mixer.Graphic != nil && st.Graphics.Via == "mixer" })
	h.Do(t, "graphics.take", `{"id":"`+id+`"}`)
	confirmed := func(st *control.State) bool {
		return st.Graphics.OnAir != nil && st.Graphics.OnAir.ID == id && st.Graphics.OnAir.Confirmed
	}
	h.Await(t, "confirmed by OBS", confirmed)

	srv.Down()
	h.Await(t, "OBS is not connected: unconfirmed", func(st *control.State) bool { return st.Graphics.OnAir != nil && !st.Graphics.OnAir.Confirmed })
	h.Fails(t, "graphics.take", `{"id":"`+id+`"}`, control.Offline)
	srv.Up()
	h.Await(t, "confirmed again", confirmed)

	stop()
	h, _ = onOBS(t, srv, dir, studio.Options{})
	h.Await(t, "on air though the studio was restarted", confirmed)
	h.Do(t, "mixer.cut", `{"source":"user's own"}`)
	h.Await(t, "not seen in a scene without it", func(st *control.State) bool {
		return st.Graphics.OnAir != nil && !st.Graphics.OnAir.Confirmed && strings.Contains(st.Graphics.Problem, "has no lower third")
	})
	h.Do(t, "graphics.out", ``)
	h.Await(t, "out", func(st *control.State) bool { return st.Graphics.OnAir == nil && !st.Mixer.Graphic.Shown })
}

func TestAnUnsureOutcomeIsATimeoutForTheCaller(t *testing.T) {
	for err, want := range map[error]control.ErrorCode{mixer.ErrUnsure: control.Timeout, mixer.ErrNotNow: control.Conflict, mixer.ErrNoInput: control.NotFound, mixer.ErrNoOutput: control.NotFound, mixer.ErrNoChoice: control.NotFound} {
		if code, _ := control.Code(err); code != want {
			t.Errorf("%v: %s", err, code)
		}
	}
}
