package relay_test

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"

	"obvan/relay"
)

func TestTheSecretsOfAnAddressAreFoundWhereverTheyAre(t *testing.T) {
	for raw, want := range map[string]string{
		"rtmp://h/app#thekey":       "thekey",
		"rtmp://h/app/thekey":       "thekey",
		"rtmp://u:passwd@h/app#k":   "passwd",
		"rtmp://h/app?sign=toks#k":  "toks",
		"rtmp://h/live/inst/thekey": "thekey",

		"https://h/whip/thekey":              "thekey",
		"https://h/whip/the-k3y-too#k":       "the-k3y-too",
		"whips://h/the-k3y-too/rtc/publish":  "the-k3y-too",
		"HTTPS://h/the-k3y-too/rtc/publish":  "the-k3y-too",
		"http://h/api/a%2Fthe-k3y-too/offer": "a%2Fthe-k3y-too",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(relay.Secrets(u), " "); !strings.Contains(got, want) {
			t.Errorf("%s: found %q", raw, got)
		}
	}
}

func TestAnAddressIsShownWithoutItsSecrets(t *testing.T) {
	for raw, want := range map[string]string{
		"":                                     "",
		"rtmp://h/app":                         "rtmp://h/app",
		"rtmp://h:1935/app/":                   "rtmp://h:1935/app/",
		"rtmps://user:pw@h/app?a=b&cc#frag":    "rtmps://user:***@h/app?a=***&***",
		"nonsense-that-may-be-a-key":           "***",
		"rtmp://u:p%zz@h/x":                    "rtmp://u:***@h/x",
		"srt://h:9000?passphrase=x&streamid=y": "srt://h:9000?passphrase=***&streamid=***",
		"https://h/whip/key?a=b#k":             "https://h/***?a=***",
		"WHIP://u:p@h:8080/key/publish":        "WHIP://u:***@h:8080/***",
		"https://h/":                           "https://h/",
		"https://h":                            "https://h",
	} {
		if got := relay.RedactURL(raw); got != want {
			t.Errorf("%q is shown as %q, want %q", raw, got, want)
		}
	}
}

func TestAServersTextBecomesOneBoundedLine(t *testing.T) {
	got := relay.CleanText("\x1b[31mno\r\n\tsuch  stream\x00\xff " + strings.Repeat("é", 300))
	if !strings.HasPrefix(got, "[31mno such stream é") || len([]rune(got)) > 200 {
		t.Fatalf("%d characters: %q", len([]rune(got)), got)
	}
}

func FuzzRedactURL(f *testing.F) {
	f.Add("rtmp://u:p@h/app?x=y#z")
	f.Fuzz(func(_ *testing.T, raw string) { relay.RedactURL(raw) })
}

func TestARedactedErrorIsClassifiedAsBefore(t *testing.T) {
	plain := fmt.Errorf("connect: %w", io.ErrUnexpectedEOF)
	if got := relay.Redacted(plain, "hunter22"); got != plain {
		t.Errorf("nothing to hide: %v", got)
	}
	for _, class := range []error{relay.ErrInvalidAddress, relay.ErrRefused, relay.ErrUnsupported, relay.ErrStalled, io.EOF} {
		for _, err := range []error{relay.NewRemoteError(class, "no hunter22 here"), fmt.Errorf("hunter22: %w", class)} {
			if got := relay.Redacted(err, "hunter22"); !errors.Is(got, class) || strings.Contains(got.Error(), "hunter22") {
				t.Errorf("%v became %v", err, got)
			}
		}
	}
	if got := relay.Redacted(errors.New("who is hunter22?"), "hunter22"); got == nil || strings.Contains(got.Error(), "hunter22") {
		t.Errorf("unclassified: %v", got)
	}
}
