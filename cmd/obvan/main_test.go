package main

import (
	"io"
	"strings"
	"testing"
)

func TestFlagsWinOverTheEnvironment(t *testing.T) {
	env := map[string]string{"OBVAN_TOKEN": "from-env", "OBVAN_TLS_CERT": "c.pem", "OBVAN_TLS_KEY": "k.pem", "OBVAN_DEMO": "true"}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	cfg, err := parse([]string{"-token", "from-flag"}, lookup, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.token != "from-flag" || cfg.tls.cert != "c.pem" || !cfg.demo || cfg.listen.http != ":8080" {
		t.Fatalf("cfg = %+v", cfg)
	}
}

func TestBadFlagsSayWhatToDo(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	for args, want := range map[string]string{
		"-log yaml":      "use text or json",
		"-tls-cert a":    "go together",
		"serve":          "unexpected argument",
		"-unknown-thing": "not defined",
	} {
		if _, err := parse(strings.Fields(args), none, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: err = %v", args, err)
		}
	}
	bad := func(name string) (string, bool) { return "perhaps", name == "OBVAN_DEMO" }
	if _, err := parse(nil, bad, io.Discard); err == nil || !strings.Contains(err.Error(), "OBVAN_DEMO") {
		t.Errorf("err = %v", err)
	}
}
