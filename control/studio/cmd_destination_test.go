package studio_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"obvan/control"
	"obvan/control/studio"
	"obvan/control/studiotest"
)

func TestSendToBothIsSavedAndEdited(t *testing.T) {
	h := studiotest.Open(t)
	h.Do(t, "destination.add", `{"id":"yt","name":"YT","url":"rtmps://a.example/live2","backupUrl":"rtmps://b.example/live2","sendToBoth":true,"key":"abcd"}`)
	if d := h.Fakes.Dests[0]; !d.SendToBoth || d.BackupURL != "rtmps://b.example/live2" {
		t.Fatalf("%+v", d)
	}
	h.Do(t, "destination.update", `{"id":"yt","name":"YouTube"}`)
	if !h.Fakes.Dests[0].SendToBoth {
		t.Fatal("a rename parted the twins")
	}
	h.Do(t, "destination.update", `{"id":"yt","sendToBoth":false}`)
	if h.Fakes.Dests[0].SendToBoth {
		t.Fatal("still twins")
	}
}

func TestAnInvalidDestinationIsRefusedInPlainWords(t *testing.T) {
	h := studiotest.Open(t)
	for args, want := range map[string]string{
		`{"name":"A","url":"a.example"}`:                                                     "enter a server address (url) like rtmp://server/app",
		`{"name":"A","url":"rtmp://a.example/app","backupUrl":"nowhere"}`:                    "enter a backup address (backupUrl) like rtmp://server/app",
		`{"name":"A","url":"rtmp://a.example/app","key":"two words"}`:                        "the stream key (key) must have no spaces, and at most 512 characters",
		`{"name":"A","url":"rtmp://a.example/app","maxKbps":100}`:                            "the bitrate limit (maxKbps) must be 200 to 1000000 kbit/s, or 0 for none",
		`{"name":"A","url":"rtmp://a.example/app","delayMs":70000}`:                          "the delay (delayMs) must be 0 to 60000 ms",
		`{"name":"A","url":"rtmp://a.example/app","platform":"you tube"}`:                    "the platform must be the name of a preset, such as youtube",
		`{"name":"A","url":"rtmp://a.example/app","id":"not an id"}`:                         "the id must be 1 to 64 letters, digits, '.', '_' or '-', and start with a letter or digit",
		`{"name":"A","url":"rtmp://a.example/app","key":"` + strings.Repeat("x", 513) + `"}`: "the stream key (key) must have no spaces, and at most 512 characters",
	} {
		_, err := h.Execute(t.Context(), studiotest.As(control.Admin), "destination.add", []byte(args))
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v", args, err)
		}
	}
}

func TestADestinationThatCouldNotBeRestoredCanBeRemoved(t *testing.T) {
	h := studiotest.Open(t)
	h.Do(t, "destination.add", `{"id":"yt","name":"YouTube","url":"rtmp://a.example/live2","key":"yt-key-1234"}`)
	// A file of secrets that was lost, and a studio that starts with the rest.
	if err := os.Remove(filepath.Join(h.Dir, "secrets.json")); err != nil {
		t.Fatal(err)
	}
	again := studiotest.Build(t, h.Dir, studiotest.NewFakes(), studio.Options{Token: studiotest.AdminToken}, studiotest.Quiet())
	again.Start(t)
	if st := again.Now(); len(st.Destinations) != 1 || st.Destinations[0].Reason == "" {
		t.Fatalf("destinations = %+v", st.Destinations)
	}
	again.Do(t, "destination.stop", `{"id":"yt"}`)
	again.Do(t, "destination.remove", `{"id":"yt"}`)
	if st := again.Now(); len(st.Destinations) != 0 {
		t.Fatalf("destinations = %+v", st.Destinations)
	}
}
