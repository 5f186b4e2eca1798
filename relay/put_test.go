package relay_test

import (
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"obvan/hub"
	"obvan/relay"
)

func TestDestinationsKeepTheirOrderAndUnknownOnesAreErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, acceptsAll)
		for _, id := range []string{"c", "a", "b"} {
			b.put(relay.Destination{ID: id, URL: "rtmp://h/app"}, "")
		}
		b.put(relay.Destination{ID: "a", URL: "rtmp://h/other"}, "k")
		if err := b.Remove("c"); err != nil {
			t.Fatal(err)
		}
		b.put(relay.Destination{ID: "c", URL: "rtmp://h/app"}, "")
		var order string
		for _, st := range b.Statuses() {
			order += st.ID
		}
		if order != "abc" || !b.one().HasKey {
			t.Fatalf("order %s, has key %v", order, b.one().HasKey)
		}
		for _, err := range []error{b.Start("x"), b.Stop("x"), b.Remove("x")} {
			if !errors.Is(err, relay.ErrUnknown) {
				t.Errorf("err = %v", err)
			}
		}
	})
}

func TestInvalidAddressesAreRefusedWithoutRepeatingThem(t *testing.T) {
	r := relay.New(hub.New(), relay.Protocols{"rtmps": {}, "rtsp": {CheckAddress: func(u *url.URL) error {
		return relay.NewRemoteError(relay.ErrInvalidAddress, "no room for "+u.Fragment)
	}}}, slog.New(slog.DiscardHandler))
	for raw, want := range map[string]error{
		"":                                 relay.ErrAddress,
		"live.example.com/app":             relay.ErrAddress,
		"srt://h:1?passphrase=verysecret":  relay.ErrAddress,
		"rtmps://":                         relay.ErrAddress,
		"rtmps:///verysecret":              relay.ErrAddress,
		"rtmps://u:verysecret@h:port/live": relay.ErrAddress,
		"rtmps://h/verysecret%zz":          relay.ErrAddress,
		"rtmps://h:70000/app":              relay.ErrAddress,
		"rtmps://h:0/app":                  relay.ErrAddress,
		"rtsp://h/app":                     relay.ErrAddress, // its output refuses it
	} {
		err := r.Put(relay.Destination{ID: "a", URL: raw}, "verysecret")
		if !errors.Is(err, want) || strings.Contains(err.Error(), "verysecret") {
			t.Errorf("%q: %v", raw, err)
		}
	}
}
