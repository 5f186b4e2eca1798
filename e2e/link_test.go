package e2e

import (
	"fmt"
	"net"
	"testing"
	"time"

	"obvan/internal/testkit"
)

// TestALostNetworkPathHealsInTheBrowser cuts the path to two viewers: one by UDP, one
// by the TCP that some firewalls leave, whose connection breaks, too.
func TestALostNetworkPathHealsInTheBrowser(t *testing.T) {
	parallel(t, heavy)
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
			HealedMs, Rate float64 // of the second after
			Proto          string
		}
		b.eval("viewers.heals(linked, performance.now())", &got)
		for _, v := range got {
			if v.HealedMs < 0 || v.Rate == 0 {
				t.Errorf("%s, by %s: healed after %.0f ms, %.0f frames in the second after", what, v.Proto, v.HealedMs, v.Rate)
			}
			name := fmt.Sprintf("network path, %s, by %s: ", what, v.Proto)
			testkit.Measure(t, name+"until a frame is shown", v.HealedMs, "ms", testkit.AtMost(2000))
			testkit.Measure(t, name+"frames in the next second", v.Rate, "fps", testkit.AtLeast(25))
		}
	}
	for _, lost := range []time.Duration{time.Second, 2 * time.Second} {
		link.Cut()
		pause(t, lost)
		link.Restore()
		healed(fmt.Sprintf("lost for %v", lost))
	}
	link.Disconnect()
	healed("connection reset")
}
