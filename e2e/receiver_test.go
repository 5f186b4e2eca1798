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

	"obvan/internal/testkit"
)

// frame is a video frame as it was delivered: its RTP time, and when it was complete.
type frame struct {
	rtp uint32
	at  time.Time
}

// receiver is a WHEP player that is no browser: it receives what was delivered, however
// much of it a browser shows.
type receiver struct {
	stream string
	pc     *webrtc.PeerConnection

	mu     sync.Mutex
	frames []frame
	audio  []uint32 // the RTP time of each packet
}

// receivers begin to play the streams with audio. The function they return ends that and
// checks what was delivered to each.
func (s *studio) receivers(t *testing.T, all []view) (ended func()) {
	t.Helper()
	playing := map[*receiver]float64{}
	for _, w := range all {
		if w.Audio {
			playing[s.receive(t, w.Stream)] = w.FPS
		}
	}
	return func() {
		t.Helper()
		for r, fps := range playing {
			r.check(t, fps)
		}
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
			r.audio = append(r.audio, packet.Timestamp)
		} else if packet.Marker {
			r.frames = append(r.frames, frame{packet.Timestamp, time.Now()})
		}
		r.mu.Unlock()
	}
}

// check checks the times that frames carry: as many as the stream has, each later than the
// one before. When they arrived is a figure, except for the burst of the first seconds.
func (r *receiver) check(t *testing.T, fps float64) {
	t.Helper()
	_ = r.pc.GracefulClose()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.frames) < 30 || len(r.audio) < 30 {
		t.Errorf("%s: %d frames and %d packets of audio were delivered", r.stream, len(r.frames), len(r.audio))
		return
	}
	first, last := r.frames[0], r.frames[len(r.frames)-1]
	settled, longest, count := first.at.Add(3*time.Second), time.Duration(0), 0
	for i, f := range r.frames[1:] {
		if int32(f.rtp-r.frames[i].rtp) <= 0 {
			t.Errorf("%s: frame %d has the RTP time %d, the one before %d", r.stream, i+1, f.rtp, r.frames[i].rtp)
		}
		if f.at.After(settled) {
			count, longest = count+1, max(longest, f.at.Sub(r.frames[i].at))
		}
	}
	if rate := float64(len(r.frames)-1) * 90000 / float64(last.rtp-first.rtp); math.Abs(rate-fps) > fps/10 {
		t.Errorf("%s: by their RTP times %.1f frames per second were delivered, the stream has %.1f", r.stream, rate, fps)
	}
	if rate := float64(len(r.audio)-1) * 48000 / float64(r.audio[len(r.audio)-1]-r.audio[0]); math.Abs(rate-50) > 2.5 {
		t.Errorf("%s: by their RTP times %.1f packets of audio per second were delivered, of 20 ms each", r.stream, rate)
	}
	name := fmt.Sprintf("monitor: %s delivered to a receiver that is no browser: ", r.stream)
	testkit.Measure(t, name+"frames", float64(count)/last.at.Sub(settled).Seconds(), "fps", testkit.Between(fps*14/15, fps*16/15))
	testkit.Measure(t, name+"longest gap", testkit.Milliseconds(longest), "ms", testkit.AtMost(200))
}
