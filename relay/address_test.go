package relay

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"obvan/hub"
	"obvan/internal/redact"
)

func TestAKeyInTheAddressGoesWhereItsProtocolHasIt(t *testing.T) {
	push := func(context.Context, *url.URL, *hub.Subscriber, *Link) error { return nil }
	outputs := Protocols{"rtmp": {Push: push}, "https": {Push: push}}
	for _, c := range []struct{ raw, key, want string }{
		{"rtmp://h/app/k3y", "k3y", "rtmp://h/app#k3y"},
		{"rtmp://h/app/{key}", "k3y", "rtmp://h/app#k3y"},
		{"https://h/whip", "k3y", "https://h/whip#k3y"},
		{"https://h/whip/k3y", "k3y", "https://h/whip/k3y#k3y"},
		{"https://h/whip/{key}", "k/3?y", "https://h/whip/k%2F3%3Fy#k/3?y"},
		{"https://h/whip/k3y", "", "https://h/whip/k3y"},
	} {
		u, err := outputs.address(c.raw, c.key)
		if err != nil || u.String() != c.want {
			t.Errorf("%s with %q: %v, %v", c.raw, c.key, u, err)
			continue
		}
		if remote := redact.Text("no such stream: "+u.Path, Secrets(u)...); c.key != "" && strings.Contains(remote, c.key) {
			t.Errorf("%s: said %q", c.raw, remote)
		}
	}
}
