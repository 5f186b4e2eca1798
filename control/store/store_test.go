package store_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"obvan/control"
	"obvan/control/store"
	"obvan/control/studiotest"
	"obvan/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func names(sections map[string]json.RawMessage) []string { return slices.Sorted(maps.Keys(sections)) }

func TestTheFirstAnswerHasAllSectionsAndNoNull(t *testing.T) {
	sections, rev, _ := store.New(quiet()).Since(0)
	want := []string{"clients", "destinations", "feeds", "graphics", "log", "mixer", "obs", "program", "selfTest", "show", "tally"}
	if got := names(sections); !slices.Equal(got, want) || rev != 1 {
		t.Fatalf("sections = %v, rev = %d", got, rev)
	}
	for name, s := range sections {
		if strings.Contains(string(s), "null") {
			t.Errorf("%s = %s", name, s)
		}
	}
}

func TestOnlyChangedSectionsAreSent(t *testing.T) {
	s := store.New(quiet())
	_, rev, next := s.Since(0)
	s.Update(func(st *control.State) { st.Mixer.Program = "cam1" })
	<-next
	sections, rev2, next := s.Since(rev)
	if got := names(sections); !slices.Equal(got, []string{"mixer"}) || rev2 != rev+1 {
		t.Fatalf("sections = %v, rev = %d", got, rev2)
	}
	s.Update(func(st *control.State) { st.Mixer.Program = "cam1" }) // no change
	<-next
	if sections, rev3, _ := s.Since(rev2); len(sections) != 0 || rev3 != rev2 {
		t.Fatalf("sections = %v, rev = %d", names(sections), rev3)
	}
}

func TestAChangeInsideAListIsSeen(t *testing.T) {
	s := store.New(quiet())
	s.Update(func(st *control.State) { st.Feeds = []control.Feed{{ID: "cam1"}} })
	_, rev, _ := s.Since(0)
	s.Update(func(st *control.State) { st.Feeds[0].Kbps = 5 })
	if sections, _, _ := s.Since(rev); !strings.Contains(string(sections["feeds"]), `"kbps":5`) {
		t.Fatalf("feeds = %s", sections["feeds"])
	}
}

func TestASlowReaderGetsTheNewestOnly(t *testing.T) {
	s := store.New(quiet())
	_, rev, _ := s.Since(0)
	for i := range 1000 {
		s.Update(func(st *control.State) { st.Mixer.Program = fmt.Sprint(i) })
	}
	sections, rev2, _ := s.Since(rev)
	if len(sections) != 1 || !strings.Contains(string(sections["mixer"]), `"program":"999"`) || rev2 != rev+1 {
		t.Fatalf("rev = %d, sections = %v", rev2, sections)
	}
}

func TestReadersShareWhatWasMarshalled(t *testing.T) {
	s := store.New(quiet())
	a, _, _ := s.Since(0)
	b, _, _ := s.Since(0)
	if &a["log"][0] != &b["log"][0] {
		t.Fatal("it was marshalled twice")
	}
}

func TestASectionThatCantBeMarshalledStaysAsItWas(t *testing.T) {
	s := store.New(quiet())
	_, rev, _ := s.Since(0)
	s.Update(func(st *control.State) { st.Program.FPS = math.NaN(); st.Show.Name = "x" })
	sections, rev, _ := s.Since(rev)
	if got := names(sections); !slices.Equal(got, []string{"show"}) {
		t.Fatalf("sections = %v", got)
	}
	s.Update(func(st *control.State) { st.Program.FPS = 30 })
	if sections, _, _ := s.Since(rev); len(sections) != 1 {
		t.Fatalf("sections = %v", names(sections))
	}
}

func TestManyReadersAndWritersSeeTheLastState(t *testing.T) {
	s := store.New(quiet())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			var rev uint64
			var tally string
			for {
				sections, now, next := s.Since(rev)
				if seen := sections["tally"]; seen != nil {
					tally = string(seen)
				}
				if rev = now; strings.Contains(string(sections["show"]), `"live":true`) {
					if tally != `{"0":"199","1":"199","2":"199","3":"199"}` {
						t.Errorf("it ends with %s", tally)
					}
					return
				}
				<-next
			}
		})
	}
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 200 {
				s.Update(func(st *control.State) { st.Tally[fmt.Sprint(w)] = control.Light(fmt.Sprint(i)) })
			}
		})
	}
	writers.Wait()
	s.Update(func(st *control.State) { st.Show.Live = true })
	all.Wait()
}

// BenchmarkCut is one change of the mixer, asked for by N panels.
func BenchmarkCut(b *testing.B) {
	for _, panels := range []int{0, 1, 100} {
		b.Run(fmt.Sprintf("%d panels", panels), func(b *testing.B) {
			s := store.New(quiet())
			s.Update(studiotest.FullShow)
			revs := make([]uint64, panels)
			for i := range revs {
				_, revs[i], _ = s.Since(0)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				s.Update(func(st *control.State) { st.Mixer.Program = st.Mixer.Sources[n%16].Name })
				for i := range revs {
					_, revs[i], _ = s.Since(revs[i])
				}
			}
		})
	}
}
