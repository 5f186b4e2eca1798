package main

import (
	"io"
	"log/slog"
	"strings"
	"testing"

	"obvan/hub"
	"obvan/relay"
)

func TestAnInvalidDestinationAddressIsRefusedWhenItIsEntered(t *testing.T) {
	r := relay.New(hub.New(), outputs(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	for address, want := range map[string]string{
		"rtmp://live.example.com":                  "the part after the host is missing, such as /live or /app",
		"rtmps://me@live.example.com/app":          "can't contain a user name",
		"rtsp://live.example.com/app?user=me":      "it has a query",
		"srt://live.example.com":                   "it needs a port",
		"srt://live.example.com:99999":             "its port is not a number from 1 to 65535",
		"srt://live.example.com:1?passphrase=ab":   "10 to 79 characters",
		"selftest://nope":                          "there is no such self-test",
		"selftest://slow?kbps=fast":                "kbps must be a number",
		"rtmp://live.example.com/app":              "",
		"rtsp://me:word@live.example.com/app":      "",
		"srt://live.example.com:9000?streamid=a":   "",
		"https://live.example.com/whip":            "",
		"selftest://stall?after=5s":                "",
		"rtmp://[2001:db8::1]:1935/app?token=1234": "",
	} {
		err := r.Put(relay.Destination{ID: "a", URL: address}, "s3cret-key")
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", address, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}
