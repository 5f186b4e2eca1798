package whip

import (
	"net/http"
	"testing"
)

func TestICEServersAreReadFromLinkHeaders(t *testing.T) {
	for header, want := range map[string][]string{
		`<stun:stun.example.net>; rel="ice-server"`: {"stun:stun.example.net", ""},
		`</docs>; rel=help, <turn:t.example.net?transport=udp>; rel="ice-server"; username="u;,"; credential="a\"b"; credential-type="password"`: {"turn:t.example.net?transport=udp", `a"b`},
		`<turns:t.example.net:443>;REL=ice-server;username=u;credential=secret`:                                                                  {"turns:t.example.net:443", "secret"},
		`<turn:t.example.net>; rel="ice-server"`:                                                                                                 nil, // a TURN server needs a password
		`<http://t.example.net>; rel="ice-server"`:                                                                                               nil,
		`<stun:stun.example.net>; rel="stylesheet"`:                                                                                              nil,
		`<stun:stun.example.net`:                                                                                                                 nil,
	} {
		got := iceServers(http.Header{"Link": {header}})
		if len(got) != len(want)/2 {
			t.Errorf("%s: %v", header, got)
			continue
		}
		if want == nil {
			continue
		}
		if secret, _ := got[0].Credential.(string); got[0].URLs[0] != want[0] || secret != want[1] {
			t.Errorf("%s: %v", header, got)
		}
	}
}

func FuzzLinks(f *testing.F) {
	f.Add(`<turn:t.example.net?transport=udp>; rel="ice-server"; username="u"; credential="a\"b", <stun:s>;rel=ice-server`)
	f.Add(`<;,=>;"\`)
	f.Fuzz(func(t *testing.T, header string) {
		if n := len(iceServers(http.Header{"Link": {header, header}})); n > maxServers {
			t.Fatalf("%d servers", n)
		}
	})
}
