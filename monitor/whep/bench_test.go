package whep

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/pion/webrtc/v4"
)

const (
	benchViewers   = 100
	benchTargetEnv = "WHEP_BENCH_VIEWERS_OF" // set in the receiving process: the URL to play, or "sockets"
)

// receive is the receiving process: it prints an address for each viewer that is connected, and
// when its input ends, the number of packets received.
func receive(watch string) {
	var mu sync.Mutex
	total := 0
	count := func() { mu.Lock(); total++; mu.Unlock() }
	for range benchViewers {
		if watch == "sockets" {
			conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				panic(err)
			}
			fmt.Println(conn.LocalAddr())
			go func() {
				for buf := make([]byte, 2000); ; count() {
					if _, err := conn.Read(buf); err != nil {
						return
					}
				}
			}()
			continue
		}
		receiveWHEP(watch, count)
		fmt.Println("127.0.0.1:1")
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	mu.Lock()
	fmt.Println(total)
	mu.Unlock()
}

func receiveWHEP(url string, count func()) {
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		panic(err)
	}
	if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: playoutDelayURI}, webrtc.RTPCodecTypeVideo); err != nil {
		panic(err)
	}
	var set webrtc.SettingEngine
	set.SetIncludeLoopbackCandidate(true)
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(set)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		panic(err)
	}
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		panic(err)
	}
	connected := make(chan struct{})
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		close(connected)
		for buf := make([]byte, 2000); ; count() {
			if _, _, err := track.Read(buf); err != nil {
				return
			}
		}
	})
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		panic(err)
	}
	if err := pc.SetLocalDescription(offer); err != nil {
		panic(err)
	}
	resp, err := http.Post(url, "application/sdp", strings.NewReader(offer.SDP))
	if err != nil {
		panic(err)
	}
	answer, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: string(answer)}); err != nil {
		panic(fmt.Sprint(err, string(answer)))
	}
	<-connected
}
