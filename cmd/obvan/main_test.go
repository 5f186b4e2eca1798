package main

import (
	"io"
	"log/slog"
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
		"-log yaml":       "use text or json",
		"-log-level loud": "use debug, info, warn or error",
		"-tls-cert a":     "go together",
		"serve":           "unexpected argument",
		"-unknown-thing":  "not defined",
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

func TestTheLogLevelIsChosenByFlagOrEnvironment(t *testing.T) {
	env := map[string]string{}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	for _, c := range []struct {
		args []string
		env  string
		want slog.Level
	}{
		{nil, "", slog.LevelInfo},
		{[]string{"-log-level", "debug"}, "", slog.LevelDebug},
		{nil, "warn", slog.LevelWarn},
		{[]string{"-log-level", "error"}, "debug", slog.LevelError},
	} {
		delete(env, "OBVAN_LOG_LEVEL")
		if c.env != "" {
			env["OBVAN_LOG_LEVEL"] = c.env
		}
		cfg, err := parse(c.args, lookup, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		for level := slog.LevelDebug; level <= slog.LevelError; level += 4 {
			if on := logger("text", cfg.logLevel).Enabled(t.Context(), level); on != (level >= c.want) {
				t.Errorf("%q, %q: %v is logged: %v", c.args, c.env, level, on)
			}
		}
	}
}

func TestOBSGetsAnAddressThatItCanReach(t *testing.T) {
	for _, c := range []struct{ addr, mixer, want string }{
		{"127.0.0.1:8555", "obs://192.0.2.1:4455", "127.0.0.1:8555"},
		{"[::]:1935", "obs://127.0.0.1:4455", "127.0.0.1:1935"},
		{"0.0.0.0:1935", "obs://127.0.0.1", "127.0.0.1:1935"},
		{"[::]:1935", "cut", "127.0.0.1:1935"},
	} {
		if got := reachableFrom(c.addr, c.mixer); got != c.want {
			t.Errorf("%s for %s: %s, want %s", c.addr, c.mixer, got, c.want)
		}
	}
}

func TestAnInvalidMixerFlagSaysWhatToDo(t *testing.T) {
	for flag, want := range map[string]string{
		"vmix": "no such mixer", "obs:": "obs://HOST:4455", "obs://:pass@127.0.0.1": "OBVAN_OBS_PASSWORD", "obs://a b": "not an address",
	} {
		if _, err := newMixer(flag, mixerDeps{}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pass@") {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

func TestCertificateAndNetworkFlagsAreCheckedTogether(t *testing.T) {
	env := map[string]string{}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	for args, want := range map[string]string{
		"-tls maybe":                        "auto",
		"-tls auto -tls-cert a -tls-key b":  "choose one",
		"-tls auto -acme studio.example":    "choose one",
		"-acme 10.0.0.1":                    "the public name of this host",
		"-acme https://studio.example/":     "the public name of this host",
		"-public-ip 1.2.3":                  "not an IP address",
		"-turn http://x":                    "turn:host",
		"-turn turn:u:p@host":               "OBVAN_TURN_USER",
		"-turn turn:turn.example:3478":      "OBVAN_TURN_SECRET",
		"-stun [::1":                        "host:port",
		"-public-ip 203.0.113.7,2001:db8::": "",
	} {
		_, err := parse(strings.Fields(args), lookup, io.Discard)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: err = %v", args, err)
		}
	}
	env["OBVAN_TURN_SECRET"] = "hush"
	cfg, err := parse(strings.Fields("-tls auto -stun stun:stun.example -turn turn:t.example:3478?transport=udp,turns:t.example:443"), lookup, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	links := cfg.net.links()
	if len(links) != 3 || links[0] != `<stun:stun.example:3478>; rel="ice-server"` || !strings.HasPrefix(links[1], `<turn:t.example:3478?transport=udp>; rel="ice-server"; username="`) {
		t.Errorf("links: %q", links)
	}
	if strings.Contains(strings.Join(links, ""), "hush") {
		t.Error("the secret itself is handed out")
	}
}
