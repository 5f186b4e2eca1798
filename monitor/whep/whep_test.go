package whep

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"obvan/internal/testkit"
	"obvan/media"
)

func TestAViewerStartsAtTheNewestKeyframe(t *testing.T) {
	d := newRig(t)
	cam := d.camera("cam1")
	for n := range 20 {
		cam.publish(n%12 == 0)
	}
	var want []media.AccessUnit
	p := d.watch("cam1")
	sub, _ := d.hub.Subscribe("cam1")
	defer sub.Close()
	for au, err := sub.TryNext(); err == nil; au, err = sub.TryNext() {
		want = append(want, au)
	}
	got := p.await(8)
	for n, au := range want {
		if !bytes.Equal(got[n].data, withParameterSets(au, track180p)) || got[n].time != rtpTime(au.PTS, videoRate) {
			t.Fatalf("frame %d: %d bytes at %d", n, len(got[n].data), got[n].time)
		}
	}
	t.Logf("first frame %v after the offer", got[0].at.Sub(p.posted))
	last := cam.publish(false)
	if got := p.await(9); !bytes.Equal(got[8].data, last.Data) {
		t.Fatalf("the next frame has %d bytes", len(got[8].data))
	}
	p.mu.Lock()
	if n := len(p.seqs); p.delays["000000"] != n {
		t.Errorf("of %d packets, playout delays are %v", n, p.delays)
	}
	p.mu.Unlock()
	rtp, arrived, ok := d.whep.Clock("cam1")
	if !ok || rtp != rtpTime(last.PTS, videoRate) || time.Since(arrived) > 5*time.Second {
		t.Fatalf("clock = %d %v %v", rtp, arrived, ok)
	}
}

func TestDeleteEndsTheSession(t *testing.T) {
	d := newRig(t)
	d.camera("cam1").run(t)
	p := d.watch("cam1")
	p.await(1)
	if r := d.do(http.MethodDelete, p.location+"x", "", ""); r.code != http.StatusNotFound {
		t.Fatalf("DELETE of another session: %d", r.code)
	}
	if r := d.do(http.MethodDelete, p.location, "", ""); r.code != http.StatusOK {
		t.Fatalf("DELETE: %d", r.code)
	}
	testkit.Eventually(t, 5*time.Second, func() bool { return d.whep.Viewers() == 0 }, "the viewer is removed")
	testkit.Eventually(t, 5*time.Second, func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.state == webrtc.PeerConnectionStateClosed }, "the player's connection is closed")
	if _, _, ok := d.whep.Clock("cam1"); ok {
		t.Fatal("a stream without viewers has a clock")
	}
}

func TestAFeedThatEndsDisconnectsItsOwnViewersOnly(t *testing.T) {
	d := newRig(t)
	cam1, cam2 := d.camera("cam1"), d.camera("cam2")
	cam1.run(t)
	cam2.publish(true)
	p1, p2 := d.watch("cam1"), d.watch("cam2")
	p1.await(1)
	p2.await(1)
	cam2.Close()
	testkit.Eventually(t, 5*time.Second, func() bool { p2.mu.Lock(); defer p2.mu.Unlock(); return p2.state == webrtc.PeerConnectionStateClosed }, "the player's connection is closed")
	n := len(p1.received())
	p1.await(n + 10)
	if d.whep.Viewers() != 1 {
		t.Fatalf("%d viewers", d.whep.Viewers())
	}
	if r := d.post("/whep/cam2", p2.pc.LocalDescription().SDP); r.code != http.StatusNotFound || r.body != "The stream is not live.\n" {
		t.Fatalf("%d %q", r.code, r.body)
	}
}

// requestKeyframesUntil requests keyframes until there are n frames.
func (p *player) requestKeyframesUntil(n int) []frame {
	p.t.Helper()
	pli := []rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: p.ssrc}}
	testkit.Eventually(p.t, 3*time.Second, func() bool { _ = p.pc.WriteRTCP(pli); return len(p.received()) >= n }, "frames arrive again, %d in total", n)
	return p.received()
}

func TestAKeyframeRequestResendsTheNewestKeyframe(t *testing.T) {
	d := newRig(t)
	cam := d.camera("cam1")
	cam.publish(true)
	for range 5 {
		cam.publish(false)
	}
	p := d.watch("cam1")
	p.await(6)
	p.requestKeyframesUntil(7)
	got := p.await(12)
	if !bytes.Equal(got[6].data, got[0].data) {
		t.Fatal("the burst does not start with the keyframe")
	}
	for n := 1; n < len(got); n++ {
		if int32(got[n].time-got[n-1].time) <= 0 {
			t.Fatalf("frame %d goes back in time: %d after %d", n, got[n].time, got[n-1].time)
		}
	}
	if n := len(got); n > 12 {
		t.Fatalf("%d frames: repeated requests within half a second were answered more than once", n)
	}
	last := cam.publish(false)
	if got := p.await(13); got[12].time != rtpTime(last.PTS, videoRate) {
		t.Fatal("the next frame does not have its own timestamp again")
	}
}

func TestLostPacketsAreRetransmitted(t *testing.T) {
	d := newRig(t)
	cam := d.camera("cam1")
	cam.publish(true)
	p := d.watch("cam1")
	p.await(1)
	p.mu.Lock()
	seq, before := p.seqs[1], len(p.seqs)
	p.mu.Unlock()
	// The player's SRTP drops packets that it has already received, so that a retransmitted
	// packet shows only in the number of bytes.
	nack := &rtcp.TransportLayerNack{MediaSSRC: p.ssrc, Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{seq, seq + 1, seq + 500})}
	sent := func() uint64 { return p.pc.GetStats()["iceTransport"].(webrtc.TransportStats).BytesReceived }
	was := sent()
	if err := p.pc.WriteRTCP([]rtcp.Packet{nack}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, 3*time.Second, func() bool { return sent() >= was+2*1188 }, "two packets are retransmitted")
	cam.publish(false)
	p.await(2)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seqs) != before+1 {
		t.Fatalf("%d new packets", len(p.seqs)-before)
	}
}

func TestACodecChangeContinuesInTheSameSession(t *testing.T) {
	d := newRig(t)
	cam := d.camera("program")
	cam.publish(true)
	p := d.watch("program")
	p.await(1)
	cam.SetTracks(media.Tracks{track360p})
	au := cam.publish(true)
	if got := p.await(2); !bytes.Equal(got[1].data, withParameterSets(au, track360p)) {
		t.Fatal("the keyframe is not preceded by the new parameter sets")
	}
	cam.SetTracks(media.Tracks{{Codec: media.H265, Config: []byte{1}}})
	cam.publish(true)
	testkit.Eventually(t, 5*time.Second, func() bool { return d.whep.Viewers() == 0 }, "a codec that browsers can't play ends the session")
	if r := d.post("/whep/program", p.pc.LocalDescription().SDP); r.code != http.StatusConflict || !strings.Contains(r.body, "H.265") {
		t.Fatalf("%d %q", r.code, r.body)
	}
}

func TestABurstOfFramesArrivesComplete(t *testing.T) {
	d := newRig(t)
	cam := d.camera("program")
	cam.publish(true)
	p := d.watch("program")
	p.await(1)
	cam.step = time.Millisecond // an instant cut catches up in steps of 1 ms
	var want []media.AccessUnit
	for n := range 60 {
		want = append(want, cam.publish(n == 0))
	}
	got := p.await(61)
	for n, au := range want {
		if !bytes.Equal(got[n+1].data, withParameterSets(au, track180p)) || got[n+1].time != rtpTime(au.PTS, videoRate) {
			t.Fatalf("frame %d is not what was sent", n)
		}
	}
}

func TestAServerThatStopsEndsAllSessions(t *testing.T) {
	d := newRig(t)
	d.camera("cam1").publish(true)
	p := d.watch("cam1")
	p.await(1)
	// The rig's cleanup stops the server and hangs when Run does not return; TestMain finds
	// goroutines that were left.
}
