package control

import (
	"slices"
	"strings"
	"testing"
	"time"

	"obvan/ingest"
	"obvan/mixer"
	"obvan/mixer/program"
	"obvan/relay"
)

func TestADestinationThatComesAndGoesDoesNotFillTheLog(t *testing.T) {
	t0 := time.Now()
	told := told{destinations: map[string]*fare{}}
	var log []string
	say := func(after time.Duration, states ...relay.State) {
		for _, state := range states {
			for _, n := range told.relayNews([]relay.Status{{Destination: relay.Destination{ID: "tw", Name: "Twitch"}, State: state, Reason: "Twitch closed the connection"}}, t0.Add(after)) {
				log = append(log, n.Text)
			}
		}
	}
	for n := range 30 {
		say(time.Duration(n)*10*time.Second, relay.Connecting, relay.Live, relay.Retrying)
	}
	if len(log) != 9 || !strings.HasPrefix(log[8], "Twitch comes and goes.") {
		t.Fatalf("log = %q", log)
	}
	say(320*time.Second, relay.Connecting, relay.Live)
	say(349*time.Second, relay.Live)
	if len(log) != 9 {
		t.Fatalf("log = %q", log)
	}
	say(351*time.Second, relay.Live, relay.Live)
	say(400*time.Second, relay.Retrying)
	if want := []string{"Twitch is live, and steady again.", "Twitch closed the connection."}; !slices.Equal(log[9:], want) {
		t.Fatalf("log = %q", log)
	}
	// What somebody does is always said.
	say(401*time.Second, relay.Off, relay.Live, relay.Refused)
	if want := []string{"Twitch is off.", "Twitch is live.", "Twitch closed the connection."}; !slices.Equal(log[11:], want) {
		t.Fatalf("log = %q", log)
	}
}

func TestTheLogCallsCamerasByTheirNames(t *testing.T) {
	h := open(t)
	h.do(t, "feed.add", `{"id":"a","name":"Stage left"}`)
	h.do(t, "feed.add", `{"id":"b","name":"Stage right"}`)
	for why, want := range map[string]string{
		"a sends no picture":                  "Stage left sends no picture.",
		"a: the picture is frozen":            "Stage left: the picture is frozen.",
		"waiting for the next key frame of a": "waiting for the next key frame of Stage left.",
		"another thing":                       "another thing.",
	} {
		h.ProgramChanged(program.State{Level: "mixer", OnAir: "a", Target: "a"})
		h.ProgramChanged(program.State{Level: "backup", OnAir: "b", Target: "a", Reason: why})
		if !h.logged("The backup Stage right is on air: " + want) {
			t.Errorf("%q: %v", why, h.now().Log)
		}
	}
}

func TestACameraThatComesAndGoesDoesNotFillTheLog(t *testing.T) {
	t0 := time.Now()
	var told feedNews
	var log []string
	say := func(after time.Duration, states ...FeedState) {
		for _, state := range states {
			for _, n := range told.of(&Feed{Name: "Roof", Proto: "rtmp", State: state, Problem: "no picture came"}, t0.Add(after)) {
				log = append(log, n.Text)
			}
		}
	}
	for n := range 500 {
		say(time.Duration(n)*5*time.Second, FeedWaiting, FeedLive, FeedLive, FeedLost)
	}
	if len(log) != 9 || log[0] != "Roof is live, by rtmp." || log[1] != "Roof is lost." || !strings.HasPrefix(log[8], "Roof comes and goes.") {
		t.Fatalf("log = %q", log)
	}
	say(2500*time.Second, FeedLive)
	say(2560*time.Second, FeedLive, FeedLive)
	say(2570*time.Second, FeedStalled)
	if want := []string{"Roof is live, and steady again.", "Roof sends nothing: no picture came."}; !slices.Equal(log[9:], want) {
		t.Fatalf("log = %q", log)
	}
}

func TestAMixerThatComesAndGoesDoesNotFillTheLog(t *testing.T) {
	h := open(t)
	for range 50 {
		h.MixerChanged(mixer.State{Kind: "obs", Connected: true, Program: "Wide", Output: ingest.Mixer})
		h.MixerChanged(mixer.State{Kind: "obs", Problem: "the connection to OBS broke"})
	}
	var said []string
	for _, e := range h.now().Log {
		if strings.Contains(e.Text, "mixer") {
			said = append(said, e.Text)
		}
	}
	if len(said) != 10 || said[0] != "The mixer (obs) is connected." || said[1] != "Wide is on the mixer's program." ||
		said[8] != "The mixer (obs) is gone: the connection to OBS broke." || !strings.HasPrefix(said[9], "The mixer (obs) comes and goes.") {
		t.Errorf("log = %q", said)
	}
}
