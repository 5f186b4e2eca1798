package whep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"obvan/internal/testkit"
)

// packetSink is where a sender's packets go in place of a connection.
type packetSink struct {
	mu       sync.Mutex
	gate     chan struct{} // writes block until it is closed
	attempts int           // writes so far, including those that block
	headers  []rtp.Header
}

func (w *packetSink) WriteRTP(header *rtp.Header, payload []byte) (int, error) {
	w.mu.Lock()
	w.attempts++
	w.mu.Unlock()
	<-w.gate
	w.mu.Lock()
	defer w.mu.Unlock()
	w.headers = append(w.headers, *header)
	return len(payload), nil
}

func (w *packetSink) Write([]byte) (int, error) { return 0, errors.New("not used") }

func (w *packetSink) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.headers)
}

// waitBlocked waits until a viewer blocks in a write.
func (w *packetSink) waitBlocked(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, 5*time.Second, func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.attempts > 0 }, "the viewer sends")
}

// viewerOn runs a viewer's sending side on w, until the test ends.
func (d *rig) viewerOn(w *packetSink, stream string, how ...func(*viewer)) {
	d.t.Helper()
	src, err := d.whep.source(stream)
	if err != nil {
		d.t.Fatal(err)
	}
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		d.t.Fatal(err)
	}
	v := &viewer{
		request: request{stream: stream}, content: content{hub: d.hub, source: src}, pc: pc, video: newSender(webrtc.RTPCodecTypeVideo, stream),
		feedback: feedback{nacks: make(chan []rtcp.NackPair), keyframeRequests: make(chan struct{}), wake: make(chan struct{})},
	}
	v.video.out = w
	for _, change := range how {
		change(v)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- v.sendVideo(ctx) }()
	d.t.Cleanup(func() {
		stop(errViewerLeft)
		if err := <-ended; !errors.Is(err, errViewerLeft) && !errors.Is(err, errStreamEnded) {
			d.t.Errorf("ended with %v", err)
		}
		_ = pc.GracefulClose()
	})
}

func TestASlowViewerDelaysNoOther(t *testing.T) {
	d := newRig(t)
	cam := d.camera("cam1")
	slow, fast := &packetSink{gate: make(chan struct{})}, &packetSink{gate: make(chan struct{})}
	defer close(slow.gate)
	close(fast.gate)
	cam.publish(true)
	d.viewerOn(slow, "cam1")
	d.viewerOn(fast, "cam1")
	for range 90 {
		cam.publish(false)
	}
	const packets = 6 + 90 // the keyframe is one packet of parameter sets and five fragments
	testkit.Eventually(t, 5*time.Second, func() bool { return fast.count() == packets }, "the fast viewer has all packets")
	if slow.count() != 0 {
		t.Fatal("packets reached the blocked viewer")
	}
}

func TestALateViewerResumesAtTheNewestKeyframe(t *testing.T) {
	d := newRig(t)
	cam := d.camera("cam1")
	w := &packetSink{gate: make(chan struct{})}
	old := time.Now().Add(-10 * time.Second)
	for n := range 90 { // written now, with arrival times as if in real time
		au := cam.unit(n%30 == 0)
		au.Arrived = old.Add(au.DTS)
		cam.Write(au)
		if n == 0 {
			d.viewerOn(w, "cam1")
			w.waitBlocked(t)
		}
	}
	close(w.gate)
	const packets = 6 + 6 + 29 // the frame that was blocked, and all since the newest keyframe
	testkit.Eventually(t, 5*time.Second, func() bool { return w.count() == packets }, "the viewer is up to date")
	w.mu.Lock()
	defer w.mu.Unlock()
	for n, h := range w.headers {
		if h.SequenceNumber != w.headers[0].SequenceNumber+uint16(n) {
			t.Fatalf("packet %d: a gap in the sequence numbers, which looks like packet loss", n)
		}
	}
	if got, want := w.headers[6].Timestamp, rtpTime(60*time.Second/30, videoRate); got != want {
		t.Errorf("the viewer resumed at %d, want %d", got, want)
	}
}

func TestAViewerWithoutUDPIsServedByTCP(t *testing.T) {
	d := newRig(t)
	d.camera("cam1").run(t)
	p := d.watch("cam1", webrtc.NetworkTypeTCP4)
	p.await(20)
	pair, err := p.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err == nil && pair != nil && pair.Remote.Protocol != webrtc.ICEProtocolTCP {
		t.Errorf("served by %v", pair)
	}
}

// freezableRelay is a TCP relay to the server. freeze makes it stop forwarding what the server
// sends.
func freezableRelay(t *testing.T, to string) (port int, freeze func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	relay := func(from, to net.Conn, stop <-chan struct{}) {
		buf := make([]byte, 2000)
		for {
			n, err := from.Read(buf)
			select {
			case <-stop:
				<-t.Context().Done()
				return
			default:
			}
			if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
				_ = to.Close()
				return
			}
		}
	}
	all.Go(func() {
		for {
			player, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			t.Cleanup(func() { player.Close(); server.Close() })
			all.Go(func() { relay(player, server, nil) })
			all.Go(func() { relay(server, player, stop) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().(*net.TCPAddr).Port, func() { close(stop) }
}

func TestATCPViewerThatStopsReadingIsDisconnectedAndDelaysNoOther(t *testing.T) {
	d := newRig(t)
	cam := d.camera("cam1")
	port, freeze := freezableRelay(t, d.whep.Addr())
	_, own, _ := net.SplitHostPort(d.whep.Addr())
	cam.publish(true)
	stalled := d.watchBy("cam1", func(answer string) string {
		return strings.ReplaceAll(answer, " 127.0.0.1 "+own+" ", fmt.Sprintf(" 127.0.0.1 %d ", port))
	}, webrtc.NetworkTypeTCP4)
	other := d.watch("cam1")
	stalled.await(1)
	other.await(1)
	freeze()
	tick := time.NewTicker(10 * time.Millisecond) // frames of 100 KB fill the socket buffers soon
	defer tick.Stop()
	n := 1
	testkit.Eventually(t, 20*time.Second, func() bool {
		<-tick.C
		au := cam.unit(true)
		au.Data = prefixed(nal(0x65, sliceI, 100_000, n))
		cam.Write(au)
		n++
		return d.whep.Viewers() == 1
	}, "the viewer that reads nothing is disconnected")
	last := cam.publish(true)
	testkit.Eventually(t, 5*time.Second, func() bool {
		got := other.received()
		return got[len(got)-1].time == rtpTime(last.PTS, videoRate)
	}, "the other viewer is up to date")
}

func TestAllInterfacesAreServedIncludingLoopback(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0"} {
		d := newRigAt(t, addr)
		d.camera("cam1").run(t)
		p := d.watch("cam1")
		p.await(5)
		if !bytes.Contains([]byte(p.answer), []byte(" 127.0.0.1 ")) {
			t.Errorf("%s: %s", addr, p.answer)
		}
	}
}

func TestASilentTCPPeerDoesNotDelayShutdown(t *testing.T) {
	d := newRig(t)
	conn, err := net.Dial("tcp", d.whep.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() }) // after the server has stopped, which must not wait for this connection
	garbage, err := net.Dial("tcp", d.whep.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer garbage.Close()
	if _, err := garbage.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	_ = garbage.SetReadDeadline(time.Now().Add(testkit.Allow(10 * time.Second)))
	if _, err := garbage.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("garbage is answered: %v", err)
	}
}
