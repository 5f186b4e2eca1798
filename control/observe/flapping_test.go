package observe_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"obvan/control"
	"obvan/control/observe"
	"obvan/relay"
)

func TestAFlappingDestinationDoesNotFillTheLog(t *testing.T) {
	t0 := time.Now()
	told := observe.DestinationEvents{}
	var log []string
	say := func(after time.Duration, states ...relay.State) {
		for _, state := range states {
			for _, n := range told.Of([]relay.Status{{Destination: relay.Destination{ID: "tw", Name: "Twitch"}, State: state, Reason: "Twitch closed the connection"}}, t0.Add(after)) {
				log = append(log, n.Text)
			}
		}
	}
	for n := range 30 {
		say(time.Duration(n)*10*time.Second, relay.Connecting, relay.Live, relay.Retrying)
	}
	if len(log) != 9 || !strings.HasPrefix(log[8], "Twitch is unstable.") {
		t.Fatalf("log = %q", log)
	}
	say(320*time.Second, relay.Connecting, relay.Live)
	say(349*time.Second, relay.Live)
	if len(log) != 9 {
		t.Fatalf("log = %q", log)
	}
	say(351*time.Second, relay.Live, relay.Live)
	say(400*time.Second, relay.Retrying)
	if want := []string{"Twitch is live and stable again.", "Twitch closed the connection."}; !slices.Equal(log[9:], want) {
		t.Fatalf("log = %q", log)
	}
	// What an operator does is always logged.
	say(401*time.Second, relay.Off, relay.Live, relay.Refused)
	if want := []string{"Twitch is off.", "Twitch is live.", "Twitch closed the connection."}; !slices.Equal(log[11:], want) {
		t.Fatalf("log = %q", log)
	}
}

func TestAFlappingCameraDoesNotFillTheLog(t *testing.T) {
	t0 := time.Now()
	var told observe.FeedEvents
	var log []string
	say := func(after time.Duration, states ...control.FeedState) {
		for _, state := range states {
			for _, n := range told.Of(&control.Feed{Name: "Roof", Proto: "rtmp", State: state, Problem: "no video"}, t0.Add(after)) {
				log = append(log, n.Text)
			}
		}
	}
	for n := range 500 {
		say(time.Duration(n)*5*time.Second, control.FeedWaiting, control.FeedLive, control.FeedLive, control.FeedLost)
	}
	if len(log) != 9 || log[0] != "Roof connected (RTMP)." || log[1] != "Roof disconnected." || !strings.HasPrefix(log[8], "Roof is unstable.") {
		t.Fatalf("log = %q", log)
	}
	say(2500*time.Second, control.FeedLive)
	say(2560*time.Second, control.FeedLive, control.FeedLive)
	say(2570*time.Second, control.FeedStalled)
	if want := []string{"Roof is live and stable again.", "Roof: no video."}; !slices.Equal(log[9:], want) {
		t.Fatalf("log = %q", log)
	}
}
