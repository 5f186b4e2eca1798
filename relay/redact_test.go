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

func TestSecretsLeaveATextInEverySpelling(t *testing.T) {
	const key = "ab/cd ef?auth=p%2Bq&x=zz99"
	for _, text := range []string{
		"stream " + key + " is unknown", "ab/cd ef", url.QueryEscape(key), url.PathEscape(key), "P%2BQ", "p+q zz99", "AB/CD EF",
	} {
		got := relay.Redact(text, key)
		for _, leak := range []string{"ab/cd", "p+q", "p%2bq", "zz99", "ab%2fcd"} {
			if strings.Contains(strings.ToLower(got), leak) {
				t.Errorf("%q became %q", text, got)
			}
		}
	}
	if got := relay.Redact("a key of a letter: a", "a"); got != "*** key of *** letter: ***" {
		t.Errorf("short key: %q", got)
	}
	if got := relay.Redact("127.0.0.1 closed", "ab?backup=1"); got != "127.0.0.1 closed" {
		t.Errorf("a value that is no secret: %q", got)
	}
	if got := relay.Redact("nothing to hide"); got != "nothing to hide" {
		t.Errorf("got %q", got)
	}
}

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

func TestAFarEndsWordsAreOneBoundedLine(t *testing.T) {
	got := relay.Words("\x1b[31mno\r\n\tsuch  stream\x00\xff " + strings.Repeat("é", 5000))
	if !strings.HasPrefix(got, "[31mno such stream é") || len([]rune(got)) > 200 {
		t.Fatalf("%d characters: %q", len([]rune(got)), got)
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("stream key123 unknown", "key123")
	f.Add("a?b=c", "a?b=c")
	f.Add("ſtream İ", "STREAM")
	f.Fuzz(func(t *testing.T, text, key string) {
		got := relay.Redact(text, key)
		if len(key) >= 4 && !strings.Contains(key, "*") && strings.Contains(got, key) {
			t.Fatalf("%q keeps %q: %q", text, key, got)
		}
	})
}

func FuzzRedactURL(f *testing.F) {
	f.Add("rtmp://u:p@h/app?x=y#z")
	f.Fuzz(func(_ *testing.T, raw string) { relay.RedactURL(raw) })
}

func TestAnErrorWithoutItsSecretsIsJudgedAsBefore(t *testing.T) {
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
		t.Errorf("of no class: %v", got)
	}
}
