package studio_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"obvan/control"
	"obvan/control/studio"
	"obvan/control/studiotest"
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
func inUse(t *testing.T, h *studiotest.House) string {
	t.Helper()
	st, d := h.Now(), h.Fakes
	running := d.Running()
	if !st.Show.Live { // what is only tried is not started again
		running = nil
	}
	byID := map[string]any{}
	for _, dest := range d.Dests {
		byID[dest.ID] = []any{dest, d.Keys[dest.ID]}
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
		byID, shown, running, feeds, d.Feeds, d.Pulls, slices.Concat([]string{}, d.Backups), h.Graphics().Items, st.Show.Name, st.Show.Live, st.Show.Since,
	}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryChangeSurvivesARestart(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		dice := rand.New(rand.NewPCG(seed, 0))
		h := studiotest.Build(t, t.TempDir(), studiotest.NewFakes(), studio.Options{Token: studiotest.AdminToken}, studiotest.Quiet())
		stop := h.Start(t)
		var done []string
		for range 8 { // restarts
			for range 12 {
				lowerThird := "none"
				if items := h.Graphics().Items; len(items) > 0 {
					lowerThird = items[dice.IntN(len(items))].ID
				}
				name, args := deed(dice, lowerThird)
				_, err := h.Execute(t.Context(), studiotest.As(control.Admin), name, []byte(args))
				done = append(done, fmt.Sprint(name, " ", args, ": ", err))
				if code, _ := control.Code(err); err != nil && code == control.Internal {
					t.Fatalf("seed %d: %s", seed, done[len(done)-1])
				}
			}
			was := inUse(t, h)
			if dice.IntN(2) == 0 { // or the power was cut
				stop()
			}
			again := studiotest.Build(t, h.Dir, studiotest.NewFakes(), studio.Options{Token: studiotest.AdminToken}, studiotest.Quiet())
			next := again.Start(t)
			if is := inUse(t, again); is != was {
				t.Fatalf("seed %d: it was\n%s\nand is\n%s\nafter %q", seed, was, is, done)
			}
			stop()
			h, stop = again, next
		}
		stop()
	}
}
