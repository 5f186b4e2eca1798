package e2e

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
)

// receiver is a WHEP player that is no browser: what it gets is what was delivered,
// whatever a browser makes of it.
type receiver struct {
	stream string
	pc     *webrtc.PeerConnection

	mu       sync.Mutex
	pictures []time.Time // when each was complete
	sounds   int
}

// receivers begin to play the streams with sound. The function they return ends that, and
// says which did not come at its rate, or stood still.
func (s *studio) receivers(t *testing.T, all []shown) (ended func() (wrong []string)) {
	t.Helper()
	playing := map[*receiver]float64{}
	for _, w := range all {
		if w.Sound {
			playing[s.receive(t, w.Stream)] = w.FPS
		}
	}
	return func() (wrong []string) {
		t.Helper()
		for r, fps := range playing {
			wrong = append(wrong, r.check(t, fps)...)
		}
		return wrong
	}
}

func (s *studio) receive(t *testing.T, stream string) *receiver {
	t.Helper()
	m := &webrtc.MediaEngine{}
	var set webrtc.SettingEngine
	set.SetIncludeLoopbackCandidate(true)
	err := m.RegisterDefaultCodecs()
	if err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(set)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.GracefulClose() })
	r := &receiver{stream: stream, pc: pc}
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { r.read(track) })
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio} {
		if _, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			t.Fatal(err)
		}
	}
	offer, err := pc.CreateOffer(nil)
	if err == nil {
		err = pc.SetLocalDescription(offer)
	}
	if err != nil {
		t.Fatal(err)
	}
	answer := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: s.offer(t, stream, offer.SDP)}
	if err := pc.SetRemoteDescription(answer); err != nil {
		t.Fatal(err)
	}
	return r
}

// offer posts an offer and returns the answer.
func (s *studio) offer(t *testing.T, stream, sdp string) string {
	t.Helper()
	req, err := http.NewRequest("POST", s.url("/whep/"+stream), strings.NewReader(sdp))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/sdp")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("WHEP %s: %s %s %v", stream, resp.Status, text, err)
	}
	return string(text)
}

func (r *receiver) read(track *webrtc.TrackRemote) {
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		r.mu.Lock()
		if track.Kind() == webrtc.RTPCodecTypeAudio {
			r.sounds++
		} else if packet.Marker {
			r.pictures = append(r.pictures, time.Now())
		}
		r.mu.Unlock()
	}
}

// check looks at all but the first seconds, which are a burst.
func (r *receiver) check(t *testing.T, fps float64) (wrong []string) {
	t.Helper()
	_ = r.pc.GracefulClose()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.pictures) < 100 {
		return []string{fmt.Sprintf("%s: %d pictures were delivered", r.stream, len(r.pictures))}
	}
	first, longest, count := r.pictures[0].Add(3*time.Second), time.Duration(0), 0
	for i, at := range r.pictures {
		if at.After(first) {
			count, longest = count+1, max(longest, at.Sub(r.pictures[i-1]))
		}
	}
	rate := float64(count) / r.pictures[len(r.pictures)-1].Sub(first).Seconds()
	t.Logf("%s, delivered to a receiver that is no browser: %.1f pictures a second, longest still %v; %d packets of sound", r.stream, rate, longest.Round(time.Millisecond), r.sounds)
	if math.Abs(rate-fps) > fps/15 || longest > 200*time.Millisecond || r.sounds == 0 {
		wrong = append(wrong, fmt.Sprintf("%s: %.1f pictures a second were delivered, longest still %v, %d packets of sound", r.stream, rate, longest, r.sounds))
	}
	return wrong
}
