package graphics_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"obvan/graphics"
	"obvan/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// fakeRenderer is a renderer that records what it shows.
type fakeRenderer struct {
	shown bool
	text  map[string]string
	calls int
	err   error
}

func (s *fakeRenderer) ShowGraphic(_ context.Context, text map[string]string) error {
	s.calls++
	if s.err == nil {
		s.shown, s.text = true, text
	}
	return s.err
}

func (s *fakeRenderer) UpdateGraphic(_ context.Context, text map[string]string) error {
	s.calls++
	s.text = text
	return s.err
}

func (s *fakeRenderer) HideGraphic(context.Context) error {
	s.calls++
	s.shown = false
	return s.err
}

func (s *fakeRenderer) report() graphics.Report {
	return graphics.Report{Via: "mixer", Ready: true, Shown: s.shown, Text: s.text}
}

func person(id, name string) graphics.Item {
	return graphics.Item{ID: id, Text: map[string]string{"name": name}}
}

func newQueue(t *testing.T, s *fakeRenderer, items ...graphics.Item) *graphics.Queue {
	t.Helper()
	queue := graphics.New(s, nil)
	for _, it := range items {
		if _, err := queue.Add(it); err != nil {
			t.Fatal(err)
		}
	}
	queue.Report(t.Context(), s.report())
	return queue
}

func TestTheRendererConfirmsALowerThirdThatIsTakenUpdatedAndTakenOff(t *testing.T) {
	s := &fakeRenderer{}
	queue := newQueue(t, s, person("a", "Ada"), person("b", "Bea"))
	if err := queue.Take(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if on := queue.State().OnAir; on == nil || on.Confirmed || on.ID != "a" {
		t.Fatalf("on air = %+v", on)
	}
	queue.Report(t.Context(), s.report())
	if on := queue.State().OnAir; !on.Confirmed {
		t.Fatalf("on air = %+v", on)
	}
	if err := queue.Update(t.Context(), person("a", "Ada Lovelace")); err != nil || s.text["name"] != "Ada Lovelace" {
		t.Fatalf("%v, shown %v", err, s.text)
	}
	if queue.State().OnAir.Confirmed {
		t.Fatal("confirmed before the renderer said so")
	}
	if err := queue.Next(t.Context()); err != nil || s.text["name"] != "Bea" {
		t.Fatalf("%v, shown %v", err, s.text)
	}
	if err := queue.Next(t.Context()); !errors.Is(err, graphics.ErrNoNext) {
		t.Fatalf("err = %v", err)
	}
	if err := queue.Out(t.Context()); err != nil || s.shown || queue.State().OnAir != nil {
		t.Fatalf("%v, shown %v", err, s.shown)
	}
	if err := queue.Out(t.Context()); !errors.Is(err, graphics.ErrNotOnAir) {
		t.Fatalf("err = %v", err)
	}
}

func TestARendererThatFailsLeavesNothingOnAirAndReportsWhy(t *testing.T) {
	s := &fakeRenderer{err: errors.New("the mixer is not connected")}
	queue := newQueue(t, s, person("a", "Ada"))
	if err := queue.Take(t.Context(), "a"); err == nil {
		t.Fatal("no error")
	}
	if st := queue.State(); st.OnAir != nil || !strings.Contains(st.Problem, "not connected") {
		t.Fatalf("state = %+v", st)
	}
}

func TestALowerThirdIsTakenOffWhenItsTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeRenderer{}
		it := person("a", "Ada")
		it.AutoOutMs = 5000
		queue := newQueue(t, s, it)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- queue.Run(ctx, func(graphics.State) {}) }()
		if err := queue.Take(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4999 * time.Millisecond)
		synctest.Wait()
		if queue.State().OnAir == nil {
			t.Fatal("out before its time")
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if queue.State().OnAir != nil || s.shown {
			t.Fatal("still on air")
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheTimeOfALowerThirdOnAirCanBeChanged(t *testing.T) {
	queue := newQueue(t, &fakeRenderer{}, graphics.Item{ID: "a", Text: map[string]string{"name": "Ada"}, AutoOutMs: 5000})
	if err := queue.Take(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	since := queue.State().OnAir.Since
	for ms, want := range map[int]time.Duration{0: 0, 9000: 9 * time.Second} {
		it := person("a", "Ada")
		it.AutoOutMs = ms
		if err := queue.Update(t.Context(), it); err != nil {
			t.Fatal(err)
		}
		if on := queue.State().OnAir; want == 0 && on.OutAt != nil || want > 0 && (on.OutAt == nil || on.OutAt.Sub(since) != want) {
			t.Errorf("set to %d ms, it is taken off at %v", ms, on.OutAt)
		}
	}
}

func TestARendererThatReconnectsIsSentWhatIsOnAirAgain(t *testing.T) {
	s := &fakeRenderer{}
	queue := newQueue(t, s, person("a", "Ada"))
	queue.Take(t.Context(), "a")
	queue.Report(t.Context(), s.report())
	queue.Report(t.Context(), graphics.Report{Via: "mixer"}) // OBS has disconnected
	s.shown, s.text = false, nil                             // and restarts without it
	if st := queue.State(); st.OnAir == nil || st.OnAir.Confirmed || st.Via != "" {
		t.Fatalf("state = %+v", st)
	}
	queue.Report(t.Context(), s.report())
	if !s.shown || s.text["name"] != "Ada" {
		t.Fatal("it was not shown again")
	}
	queue.Report(t.Context(), s.report())
	if !queue.State().OnAir.Confirmed {
		t.Fatal("not confirmed")
	}
	s.shown = false // by hand, in OBS
	queue.Report(t.Context(), s.report())
	if queue.State().OnAir != nil {
		t.Fatal("the change in OBS was not adopted")
	}
}

func TestInvalidTextIsRefusedWithTheReason(t *testing.T) {
	queue := graphics.New(nil, nil)
	for why, it := range map[string]graphics.Item{
		"missing":  {Text: map[string]string{"title": "Engineer"}},
		"no field": {Text: map[string]string{"name": "A", "nmae": "B"}},
		"longer":   person("", strings.Repeat("ä", graphics.MaxRunes+1)),
		"UTF-8":    person("", "\xff"),
	} {
		if _, err := queue.Add(it); !errors.Is(err, graphics.ErrInvalidText) || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: err = %v", why, err)
		}
	}
	if _, err := queue.Add(graphics.Item{Template: "x", Text: map[string]string{"name": "A"}}); !errors.Is(err, graphics.ErrNoTemplate) {
		t.Errorf("err = %v", err)
	}
}

func TestNextFollowsWhenItemsAreMovedAndRemoved(t *testing.T) {
	queue := newQueue(t, &fakeRenderer{}, person("a", "A"), person("b", "B"), person("c", "C"))
	queue.Take(t.Context(), "a")
	if err := queue.Move("c", 1); err != nil || queue.State().Next != "c" {
		t.Fatalf("%v, next %q", err, queue.State().Next)
	}
	if err := queue.Remove("c"); err != nil || queue.State().Next != "b" {
		t.Fatalf("%v, next %q", err, queue.State().Next)
	}
	if err := queue.Remove("a"); err != nil || queue.State().OnAir == nil {
		t.Fatalf("%v: removing an item must not take it off air", err)
	}
	if err := queue.Remove("zz"); !errors.Is(err, graphics.ErrNoItem) {
		t.Fatalf("err = %v", err)
	}
}

func TestNamesAreImportedFromSpreadsheets(t *testing.T) {
	for _, text := range []string{
		"Ada Lovelace,Engineer\nמרים,\"Mayor, acting\"\n",
		"\xef\xbb\xbfTitle;Speaker;Phone\r\nEngineer;Ada Lovelace;1\r\nMayor, acting;מרים;\r\n",
		"name\ttitle\nAda Lovelace\tEngineer\n\t\nמרים\tMayor, acting",
	} {
		items, err := graphics.ParseCSV([]byte(text))
		if err != nil || len(items) != 2 || items[0].Text["name"] != "Ada Lovelace" || items[0].Text["title"] != "Engineer" ||
			items[1].Text["name"] != "מרים" || items[1].Text["title"] != "Mayor, acting" {
			t.Errorf("%q: %+v %v", text, items, err)
		}
	}
	if _, err := graphics.ParseCSV([]byte("Ada,x\n,Engineer\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("err = %v", err)
	}
}

func FuzzParseCSV(f *testing.F) {
	f.Add([]byte("name;title\nAda;Engineer"))
	f.Fuzz(func(t *testing.T, data []byte) {
		items, err := graphics.ParseCSV(data)
		if err != nil {
			return
		}
		queue := graphics.New(nil, nil)
		for _, it := range items {
			if _, err := queue.Add(it); err != nil {
				t.Fatalf("%+v: %v", it, err)
			}
		}
	})
}

func TestAFailedTakeLeavesThePreviousLowerThirdOnAir(t *testing.T) {
	s := &fakeRenderer{}
	queue := newQueue(t, s, person("a", "Ada"), person("b", "Bea"))
	queue.Take(t.Context(), "a")
	queue.Report(t.Context(), s.report())
	s.err = errors.New("the mixer is busy")
	if err := queue.Take(t.Context(), "b"); err == nil || queue.State().OnAir.ID != "a" || !queue.State().OnAir.Confirmed {
		t.Fatalf("%v, on air %+v", err, queue.State().OnAir)
	}
	s.err = context.DeadlineExceeded // the renderer may have shown it
	if err := queue.Take(t.Context(), "b"); err == nil || queue.State().OnAir.ID != "b" || queue.State().OnAir.Confirmed {
		t.Fatalf("%v, on air %+v", err, queue.State().OnAir)
	}
	queue.Report(t.Context(), graphics.Report{Via: "mixer", Ready: true, Shown: true, Text: map[string]string{"name": "Bea"}})
	if !queue.State().OnAir.Confirmed {
		t.Fatal("the report does not confirm it")
	}
}

func TestALowerThirdShownWhenTheStudioStartsIsOnAir(t *testing.T) {
	ada := person("a", "Ada")
	ada.AutoOutMs = 60_000
	for name, id := range map[string]string{"Ada": "a", "Another name": ""} {
		s := &fakeRenderer{shown: true, text: map[string]string{"name": name, "title": ""}}
		queue := graphics.New(s, []graphics.Item{ada})
		queue.Report(t.Context(), s.report())
		on := queue.State().OnAir
		if on == nil || on.ID != id || on.Text["name"] != name || !on.Confirmed || (on.OutAt != nil) != (id == "a") || s.calls > 0 {
			t.Errorf("%s: on air %+v after %d calls", name, on, s.calls)
		}
		if err := queue.Out(t.Context()); err != nil || s.shown {
			t.Errorf("%s: %v, shown %v", name, err, s.shown)
		}
	}
}

func TestAReportConfirmsTheLowerThirdThatViewersSee(t *testing.T) {
	long := strings.Repeat("very long ", 12)
	s := &fakeRenderer{}
	queue := newQueue(t, s, person("a", long+"name\nof two lines"))
	queue.Take(t.Context(), "a")
	for _, c := range []struct {
		what string
		r    graphics.Report
		want bool
	}{
		{"truncated", graphics.Report{Shown: true, Text: map[string]string{"name": long + "na…", "title": ""}}, true},
		{"on one line", graphics.Report{Shown: true, Text: map[string]string{"name": long + "name of two lines"}}, true},
		{"another text, truncated", graphics.Report{Shown: true, Text: map[string]string{"name": "other…"}}, false},
		{"not part of what is on air", graphics.Report{Shown: true, Hidden: true, Text: map[string]string{"name": long + "na…"}}, false},
		{"only an ellipsis", graphics.Report{Shown: true, Text: map[string]string{"name": "…"}}, false},
		{"a title left from before", graphics.Report{Shown: true, Text: map[string]string{"name": long + "na…", "title": "Mayor"}}, false},
	} {
		c.r.Via, c.r.Ready = graphics.ViaMixer, true
		queue.Report(t.Context(), c.r)
		if got := queue.State().OnAir.Confirmed; got != c.want {
			t.Errorf("%s: confirmed %v", c.what, got)
		}
	}
}

func TestReloadingTheOverlayPageTakesNothingOffAir(t *testing.T) {
	queue := newQueue(t, &fakeRenderer{}, person("a", "Ada"))
	page := graphics.Report{Via: graphics.ViaOverlay, Ready: true, Shown: true, Text: map[string]string{"name": "Ada"}}
	queue.Take(t.Context(), "a")
	queue.Report(t.Context(), page)
	if !queue.State().OnAir.Confirmed {
		t.Fatal("not confirmed")
	}
	page.Shown = false
	queue.Report(t.Context(), page)
	if on := queue.State().OnAir; on == nil || on.Confirmed {
		t.Fatalf("on air %+v", on)
	}
	queue.Report(t.Context(), graphics.Report{})
	if st := queue.State(); st.OnAir == nil || st.Via != "" || !strings.Contains(st.Problem, "nothing renders it") {
		t.Fatalf("%+v", st)
	}
}

func TestAnImportIsCompleteOrRefused(t *testing.T) {
	queue := newQueue(t, &fakeRenderer{}, person("a", "Ada"))
	many := make([]graphics.Item, graphics.MaxItems)
	for i := range many {
		many[i] = person("", "Name")
	}
	if err := queue.Import(many); !errors.Is(err, graphics.ErrFull) || len(queue.State().Items) != 1 {
		t.Fatalf("%v, %d items", err, len(queue.State().Items))
	}
	many[3] = person("", "")
	if err := queue.Import(many[:5]); !errors.Is(err, graphics.ErrInvalidText) || !strings.Contains(err.Error(), "number 4") || len(queue.State().Items) != 1 {
		t.Fatalf("%v, %d items", err, len(queue.State().Items))
	}
	if err := queue.Import(many[:3]); err != nil || len(queue.State().Items) != 4 || queue.State().Items[1].ID == queue.State().Items[2].ID {
		t.Fatalf("%v, %+v", err, queue.State().Items)
	}
}

func TestALowerThirdWhoseTimeIsUpDoesNotTakeItsSuccessorOff(t *testing.T) {
	for range 20 { // two things happen at once, in random order
		synctest.Test(t, func(t *testing.T) {
			s := &fakeRenderer{}
			it := person("a", "Ada")
			it.AutoOutMs = 5000
			queue := newQueue(t, s, it, person("b", "Bea"))
			if err := queue.Take(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done, busy := make(chan error), make(chan struct{})
			go func() { done <- queue.Run(ctx, func(graphics.State) { <-busy }) }()
			time.Sleep(5 * time.Second) // its time is up, and Run has not seen it yet
			if err := queue.Take(ctx, "b"); err != nil {
				t.Fatal(err)
			}
			close(busy)
			synctest.Wait()
			if on := queue.State().OnAir; on == nil || on.ID != "b" || !s.shown {
				t.Fatalf("on air = %+v, shown %v", on, s.shown)
			}
			cancel()
			<-done
		})
	}
}
