package redact_test

import (
	"net/url"
	"strings"
	"testing"

	"obvan/internal/redact"
)

func TestSecretsLeaveATextInEverySpelling(t *testing.T) {
	const key = "ab/cd ef?auth=p%2Bq&x=zz99"
	for _, text := range []string{
		"stream " + key + " is unknown", "ab/cd ef", url.QueryEscape(key), url.PathEscape(key), "P%2BQ", "p+q zz99", "AB/CD EF",
	} {
		got := redact.Text(text, key)
		for _, leak := range []string{"ab/cd", "p+q", "p%2bq", "zz99", "ab%2fcd"} {
			if strings.Contains(strings.ToLower(got), leak) {
				t.Errorf("%q became %q", text, got)
			}
		}
	}
	if got := redact.Text("a key of a letter: a", "a"); got != "*** key of *** letter: ***" {
		t.Errorf("short key: %q", got)
	}
	if got := redact.Text("127.0.0.1 closed", "ab?backup=1"); got != "127.0.0.1 closed" {
		t.Errorf("a value that is no secret: %q", got)
	}
	if got := redact.Text("nothing to hide"); got != "nothing to hide" {
		t.Errorf("got %q", got)
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("stream key123 unknown", "key123")
	f.Add("a?b=c", "a?b=c")
	f.Add("ſtream İ", "STREAM")
	f.Fuzz(func(t *testing.T, text, key string) {
		got := redact.Text(text, key)
		if len(key) >= 4 && !strings.Contains(key, "*") && strings.Contains(got, key) {
			t.Fatalf("%q keeps %q: %q", text, key, got)
		}
	})
}
