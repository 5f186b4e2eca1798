package e2e

import (
	"fmt"
	"net"
	"testing"
	"time"

	"obvan/internal/testkit"
)

// TestALostLinkHealsInTheBrowser cuts the path to two viewers: one by UDP, one
// by the TCP that some firewalls leave, whose connection breaks, too.
func TestALostLinkHealsInTheBrowser(t *testing.T) {
	s := start(t, "-demo")
	s.live(10*time.Second, "cam1")
	link := testkit.NewLink(t, s.listen["webrtc"])
	_, own, _ := net.SplitHostPort(s.listen["webrtc"])
	b := s.viewers()
	b.eval(fmt.Sprintf(`(async () => {
		const by = proto => viewers.play("cam1", false, {proto, own: %q, port: %d});
		window.linked = [await by("udp"), await by("tcp")];
	})()`, own, link.Port()), nil)
	b.until(10*time.Second, "linked.every(v => v.shown.length > 30)")
	healed := func(what string) {
		t.Helper()
		var got []struct {
			HealedMs, Rate float64
			Proto          string
		}
		b.eval("viewers.heals(linked, performance.now())", &got)
		for _, v := range got {
			t.Logf("%s, by %s: a picture is shown %.0f ms after the link is back, and %.0f in the last second", what, v.Proto, v.HealedMs, v.Rate)
			if v.HealedMs > 2000 || v.Rate < 25 {
				t.Errorf("%s, by %s: healed after %.0f ms, %.0f pictures a second then", what, v.Proto, v.HealedMs, v.Rate)
			}
		}
	}
	for _, gone := range []time.Duration{time.Second, 2 * time.Second} {
		link.Cut()
		pause(t, gone)
		link.Mend()
		healed(fmt.Sprintf("gone for %v", gone))
	}
	link.Break()
	healed("the connection broke")
}
