package whep

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
)

func TestThePublicAddressIsOfferedToPeers(t *testing.T) {
	r := newRig(t)
	offered := func() string {
		api, err := r.whep.API(&webrtc.MediaEngine{}, &interceptor.Registry{}, func(*webrtc.SettingEngine) {})
		if err != nil {
			t.Fatal(err)
		}
		pc, err := api.NewPeerConnection(webrtc.Configuration{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = pc.GracefulClose() }()
		if _, err := pc.CreateDataChannel("x", nil); err != nil {
			t.Fatal(err)
		}
		gathered := webrtc.GatheringCompletePromise(pc)
		offer, err := pc.CreateOffer(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := pc.SetLocalDescription(offer); err != nil {
			t.Fatal(err)
		}
		<-gathered
		return pc.LocalDescription().SDP
	}
	_, port, _ := strings.Cut(r.whep.Addr(), ":")
	if sdp := offered(); strings.Contains(sdp, "203.0.113.7") || !strings.Contains(sdp, " 127.0.0.1 "+port) {
		t.Errorf("before: %s", sdp)
	}
	if err := r.whep.SetPublicAddrs([]netip.Addr{netip.MustParseAddr("203.0.113.7")}); err != nil {
		t.Fatal(err)
	}
	sdp := offered()
	for _, want := range []string{"udp 2130706431 203.0.113.7 " + port, "203.0.113.7 " + port + " typ host tcptype passive", " 127.0.0.1 " + port} {
		if !strings.Contains(sdp, want) {
			t.Errorf("%q is not among the candidates: %s", want, sdp)
		}
	}
}
