package control

import (
	"strings"
	"testing"
	"time"

	"obvan/mixer"
	"obvan/mixer/obs/obstest"
)

func TestLowerThirdsAreKeptAndTheOverlayPageConfirmsThem(t *testing.T) {
	h := open(t)
	id := h.do(t, "graphics.add", `{"text":{"name":"Ada Lovelace","title":"Engineer"}}`).(GraphicAdded).ID
	h.do(t, "graphics.import", `{"csv":"name;title\nמרים;Mayor\nGrace Hopper;Rear admiral\n"}`)
	h.fails(t, "graphics.import", `{"csv":"Bob,x\n,no name\n"}`, BadRequest)
	h.fails(t, "graphics.add", `{"text":{"title":"no name"}}`, BadRequest)
	h.fails(t, "graphics.take", `{"id":"nobody"}`, NotFound)
	h.fails(t, "graphics.out", ``, Conflict)
	h.do(t, "graphics.take", `{"id":"`+id+`"}`)
	h.await(t, "on air, though nothing draws it", func(st *State) bool {
		return st.Graphics.OnAir != nil && !st.Graphics.OnAir.Confirmed && strings.Contains(st.Graphics.Problem, "nothing draws it")
	})
	viewer := as(Viewer)
	beat := func(args string) {
		t.Helper()
		if _, err := h.run(t.Context(), viewer, "overlay.heartbeat", []byte(args)); err != nil {
			t.Fatal(err)
		}
	}
	beat(`{"page":"p1","shown":false}`)
	beat(`{"page":"p2","shown":true,"text":{"name":"Ada Lovelace","title":"Engineer"}}`)
	h.await(t, "confirmed by a page", func(st *State) bool {
		return st.Graphics.Via == "overlay" && st.Graphics.OnAir.Confirmed && st.Graphics.Problem == ""
	})
	h.do(t, "graphics.update", `{"id":"`+id+`","text":{"name":"Ada King"}}`)
	h.await(t, "the new text is not confirmed", func(st *State) bool {
		return st.Graphics.OnAir.Text["name"] == "Ada King" && !st.Graphics.OnAir.Confirmed
	})
	h.do(t, "graphics.next", ``)
	h.await(t, "the next", func(st *State) bool { return st.Graphics.OnAir.Text["name"] == "מרים" })
	h.do(t, "graphics.out", ``)
	h.await(t, "out", func(st *State) bool { return st.Graphics.OnAir == nil && st.Graphics.Next != "" })
	beat(`{"page":"p2","shown":false,"closing":true}`)
	h.do(t, "graphics.move", `{"id":"`+id+`","to":2}`)
	again := build(t, h.dir, newDesk(), Options{}, quiet())
	items := again.desks.graphics.State().Items
	if len(items) != 3 || items[2].ID != id || items[2].Text["name"] != "Ada King" || items[0].Text["title"] != "Mayor" {
		t.Errorf("after a restart: %+v", items)
	}
	h.do(t, "graphics.remove", `{"id":"`+id+`"}`)
	if n := len(h.now().Graphics.Items); n > 3 {
		t.Errorf("%d items", n)
	}
}

func TestAnOverlayPageThatStopsIsSeen(t *testing.T) {
	h := build(t, t.TempDir(), newDesk(), Options{}, quiet())
	if err := h.beat(HeartbeatArgs{Page: "p", Shown: true, Text: map[string]string{"name": "Ada"}}); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if r := h.graphicReport(now.Add(2 * time.Second)); !r.Ready || !r.Shown || r.Problem != "" {
		t.Errorf("%+v", r)
	}
	if r := h.graphicReport(now.Add(4 * time.Second)); r.Ready || !strings.Contains(r.Problem, "does not move") {
		t.Errorf("%+v", r)
	}
	if r := h.graphicReport(now.Add(2 * time.Minute)); r.Ready || r.Problem != "" {
		t.Errorf("%+v", r)
	}
	for i := range mostPages + 1 {
		err := h.beat(HeartbeatArgs{Page: strings.Repeat("p", i+1)})
		if full := i >= mostPages; (err != nil) != full {
			t.Errorf("page %d: %v", i, err)
		}
	}
	if err := h.beat(HeartbeatArgs{}); err == nil {
		t.Error("a page without a name")
	}
}

func TestALowerThirdOnOBSSurvivesBothSidesRestarts(t *testing.T) {
	srv, dir := obstest.Start(t, "user's own"), t.TempDir()
	h, stop := onOBS(t, srv, dir, Options{})
	h.do(t, "feed.add", `{"id":"cam1","name":"Main"}`)
	h.fails(t, "graphics.out", ``, Conflict)
	h.do(t, "obs.provision", ``)
	h.do(t, "mixer.cut", `{"source":"Main [obvan]"}`)
	id := h.do(t, "graphics.add", `{"text":{"name":"Ada Lovelace"}}`).(GraphicAdded).ID
	h.await(t, "the lower third can be drawn", func(st *State) bool { return st.Mixer.Graphic != nil && st.Graphics.Via == "mixer" })
	h.do(t, "graphics.take", `{"id":"`+id+`"}`)
	confirmed := func(st *State) bool {
		return st.Graphics.OnAir != nil && st.Graphics.OnAir.ID == id && st.Graphics.OnAir.Confirmed
	}
	h.await(t, "confirmed by OBS", confirmed)

	srv.Down()
	h.await(t, "OBS is away: nobody knows", func(st *State) bool { return st.Graphics.OnAir != nil && !st.Graphics.OnAir.Confirmed })
	h.fails(t, "graphics.take", `{"id":"`+id+`"}`, Offline)
	srv.Up()
	h.await(t, "confirmed again", confirmed)

	stop()
	h, _ = onOBS(t, srv, dir, Options{})
	h.await(t, "on air though the studio was restarted", confirmed)
	h.do(t, "mixer.cut", `{"source":"user's own"}`)
	h.await(t, "not seen in a scene without it", func(st *State) bool {
		return st.Graphics.OnAir != nil && !st.Graphics.OnAir.Confirmed && strings.Contains(st.Graphics.Problem, "no lower third in the scene")
	})
	h.do(t, "graphics.out", ``)
	h.await(t, "out", func(st *State) bool { return st.Graphics.OnAir == nil && !st.Mixer.Graphic.Shown })
}

func TestAnUnsureOutcomeIsATimeoutForWhoAsked(t *testing.T) {
	for err, want := range map[error]Word{mixer.ErrUnsure: Timeout, mixer.ErrNotNow: Conflict, mixer.ErrNoInput: NotFound, mixer.ErrNoOutput: NotFound, mixer.ErrNoChoice: NotFound} {
		if word, _ := Code(err); word != want {
			t.Errorf("%v: %s", err, word)
		}
	}
}
