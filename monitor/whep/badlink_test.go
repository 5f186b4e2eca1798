package whep

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"obvan/internal/testkit"
)

// viaLink makes a player connect to the server through a link that can drop packets or fail.
func (d *rig) viaLink(link *testkit.Link) func(answer string) string {
	_, own, _ := net.SplitHostPort(d.whep.Addr())
	return func(answer string) string {
		return strings.ReplaceAll(answer, " 127.0.0.1 "+own+" ", fmt.Sprintf(" 127.0.0.1 %d ", link.Port()))
	}
}

func TestAViewerOnABadLinkDoesNotAffectTheOthers(t *testing.T) {
	d := newRig(t)
	d.camera("cam1").run(t)
	link := testkit.NewLink(t, d.whep.Addr())
	bad := d.watchBy("cam1", d.viaLink(link), webrtc.NetworkTypeUDP4)
	healthy := d.watch("cam1", webrtc.NetworkTypeUDP4)
	bad.await(1)
	before := len(healthy.await(1))
	link.DropOneIn(5) // 20 %
	got := healthy.await(before + 60)
	for n := range got[1:] {
		if step := got[n+1].time - got[n].time; step < 2999 || step > 3001 { // 30 a second, at 90 kHz
			t.Fatalf("frame %d is %d after the one before: one is missing, or was delayed", n+1, step)
		}
	}
	healthy.mu.Lock()
	defer healthy.mu.Unlock()
	for n := range healthy.seqs[1:] {
		if healthy.seqs[n+1] != healthy.seqs[n]+1 {
			t.Fatalf("packet %d is missing", healthy.seqs[n]+1)
		}
	}
	// What was lost on the bad link is retransmitted, to its viewer only.
	sent := bad.pc.GetStats()["iceTransport"].(webrtc.TransportStats)
	t.Logf("the bad link: %d frames reassembled, %d KB; the other: %d frames", len(bad.received()), sent.BytesReceived>>10, len(got))
}

// This tests UDP only: after an outage of a TCP connection a browser reconnects, but pion's
// player does not. The e2e tests do that with a browser.
func TestAViewerResumesImmediatelyAfterALinkOutage(t *testing.T) {
	d := newRig(t)
	d.camera("cam1").run(t)
	link := testkit.NewLink(t, d.whep.Addr())
	p := d.watchBy("cam1", d.viaLink(link), webrtc.NetworkTypeUDP4)
	p.await(10)
	p.mu.Lock()
	lost := []rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: p.ssrc}}
	p.mu.Unlock()
	link.Cut()
	outage := time.NewTimer(1500 * time.Millisecond)
	<-outage.C
	n := len(p.received())
	link.Restore()
	restored := time.Now()
	testkit.Eventually(t, 2*time.Second, func() bool {
		_ = p.pc.WriteRTCP(lost) // as a browser does after losing a frame
		return len(p.received()) > n+10
	}, "frames arrive again")
	t.Logf("the first frame arrives %v after the link is restored", p.received()[n].at.Sub(restored).Round(time.Millisecond))
}
