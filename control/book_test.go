package control

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"obvan/relay"
)

// deed is a command that an operator may give, with arguments by chance.
func deed(dice *rand.Rand, lowerThird string) (name, args string) {
	n := dice.IntN(9)
	feed, dest := []string{"cam1", "cam2", "roof"}[dice.IntN(3)], []string{"yt", "tw"}[dice.IntN(2)]
	all := [][2]string{
		{"feed.add", fmt.Sprintf(`{"id":%q,"name":"Camera %d"}`, feed, n)},
		{"feed.add", fmt.Sprintf(`{"id":%q,"name":"Camera %d","url":"rtsp://joe:hunter%[2]d@10.0.0.9/s1"}`, feed, n)},
		{"feed.update", fmt.Sprintf(`{"id":%q,"url":"rtsp://joe:***@10.0.0.9/s%d"}`, feed, n)},
		{"feed.update", fmt.Sprintf(`{"id":%q,"key":"sesame-%d"}`, feed, n)},
		{"feed.remove", fmt.Sprintf(`{"id":%q}`, feed)},
		{"program.backups", fmt.Sprintf(`{"feeds":[%q,"roof"]}`, feed)},
		{"program.timeout", fmt.Sprintf(`{"ms":%d,"level":"mixer"}`, 250*n)},
		{"destination.add", fmt.Sprintf(`{"id":%q,"name":"Channel","url":"rtmp://a.example/live","key":"key-%d-abcd"}`, dest, n)},
		{"destination.update", fmt.Sprintf(`{"id":%q,"url":"rtmp://b.example/x","key":"key-%d-efgh","enabled":%v}`, dest, n, n%2 == 0)},
		{"destination.update", fmt.Sprintf(`{"id":%q,"url":"bogus:","delayMs":%d}`, dest, n)},
		{"destination.remove", fmt.Sprintf(`{"id":%q}`, dest)},
		{"destination.start", fmt.Sprintf(`{"id":%q}`, dest)},
		{"destination.stop", fmt.Sprintf(`{"id":%q}`, dest)},
		{"show.live", ``},
		{"show.end", ``},
		{"show.rename", fmt.Sprintf(`{"name":"Show %d"}`, n)},
		{"graphics.add", fmt.Sprintf(`{"text":{"name":"Guest %d"}}`, n)},
		{"graphics.update", fmt.Sprintf(`{"id":%q,"text":{"name":"Host %d"}}`, lowerThird, n)},
		{"graphics.move", fmt.Sprintf(`{"id":%q,"to":%d}`, lowerThird, n)},
		{"graphics.remove", fmt.Sprintf(`{"id":%q}`, lowerThird)},
	}
	one := all[dice.IntN(len(all))]
	return one[0], one[1]
}

// inUse is what the rooms were told, and what panels are shown of it.
func (h *house) inUse(t *testing.T) string {
	t.Helper()
	st, d := h.now(), h.desk
	running := d.running()
	if !st.Show.Live { // what is only tried is not started again
		running = nil
	}
	byID := map[string]any{}
	for _, dest := range d.dests {
		byID[dest.ID] = []any{dest, d.keys[dest.ID]}
	}
	var shown []relay.Destination
	for i := range st.Destinations {
		shown = append(shown, st.Destinations[i].Destination)
	}
	feeds := map[string]any{}
	for _, f := range st.Feeds {
		feeds[f.ID] = []any{f.Name, f.URL, f.HasKey}
	}
	text, err := json.MarshalIndent([]any{
		byID, shown, running, feeds, d.setFeeds, d.pulls, slices.Concat([]string{}, d.backups), h.desks.graphics.State().Items, st.Show.Name, st.Show.Live, st.Show.Since,
	}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhateverWasDoneIsSoAfterARestart(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		dice := rand.New(rand.NewPCG(seed, 0))
		h := build(t, t.TempDir(), newDesk(), Options{Token: adminToken}, quiet())
		stop := h.start(t)
		var done []string
		for range 8 { // restarts
			for range 12 {
				lowerThird := "none"
				if items := h.desks.graphics.State().Items; len(items) > 0 {
					lowerThird = items[dice.IntN(len(items))].ID
				}
				name, args := deed(dice, lowerThird)
				_, err := h.run(t.Context(), as(Admin), name, []byte(args))
				done = append(done, fmt.Sprint(name, " ", args, ": ", err))
				if word, _ := Code(err); err != nil && word == Internal {
					t.Fatalf("seed %d: %s", seed, done[len(done)-1])
				}
			}
			was := h.inUse(t)
			if dice.IntN(2) == 0 { // or the power was cut
				stop()
			}
			again := build(t, h.dir, newDesk(), Options{Token: adminToken}, quiet())
			next := again.start(t)
			if is := again.inUse(t); is != was {
				t.Fatalf("seed %d: it was\n%s\nand is\n%s\nafter %q", seed, was, is, done)
			}
			stop()
			h, stop = again, next
		}
		stop()
	}
}
