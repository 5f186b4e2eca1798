package whep

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/media"
)

const keyframesQuery = "?video=keyframes"

func TestAKeyframeViewerGetsKeyframesOnlyAndAllAudio(t *testing.T) {
	d := newRig(t)
	track := media.Track{Codec: media.Opus, SampleRate: 48000, Channels: 2}
	cam := d.camera("cam1", track180p, track)
	var want []media.AccessUnit
	publish := func(n int) {
		for i := range n {
			if au := cam.publish(i%10 == 0); au.Key {
				want = append(want, au)
			}
		}
	}
	publish(25)
	want = want[len(want)-1:] // a viewer starts at the newest keyframe
	p, all := d.watch("cam1"+keyframesQuery), d.watch("cam1")
	p.await(1)
	all.await(5)
	cam.publishAudio(t, track)
	publish(37)
	all.await(5 + 37)
	got := p.await(len(want))
	if len(got) != len(want) {
		t.Fatalf("%d frames, %d were keyframes", len(got), len(want))
	}
	for n, au := range want {
		if !bytes.Equal(got[n].data, withParameterSets(au, track180p)) || got[n].time != rtpTime(au.PTS, videoRate) {
			t.Errorf("frame %d: %d bytes at %d", n, len(got[n].data), got[n].time)
		}
	}
	p.mu.Lock()
	for n, seq := range p.seqs {
		if seq != p.seqs[0]+uint16(n) {
			t.Errorf("packet %d: a gap in the sequence numbers, which looks like packet loss", n)
		}
	}
	p.mu.Unlock()
	testkit.Eventually(t, 5*time.Second, func() bool { return len(p.audioReceived()) > 20 }, "the audio arrives")
	step := uint32(track.FrameDuration() * audioRate / time.Second)
	audio := p.audioReceived()
	for n, s := range audio[1:] {
		if s.time-audio[n].time != step {
			t.Errorf("audio packet %d is %d samples after the one before", n+1, s.time-audio[n].time)
		}
	}
}

func TestAKeyframeRequestOfAKeyframeViewerBringsOneKeyframe(t *testing.T) {
	d := newRig(t)
	cam := d.camera("cam1")
	cam.publish(true)
	for range 5 {
		cam.publish(false)
	}
	p := d.watch("cam1" + keyframesQuery)
	p.await(1)
	p.requestKeyframesUntil(2)
	cam.publish(false)
	cam.publish(true)
	key := cam.publish(true)
	testkit.Eventually(t, 3*time.Second, func() bool {
		got := p.received()
		return bytes.Equal(got[len(got)-1].data, withParameterSets(key, track180p))
	}, "the newest keyframe arrives")
	for n, frame := range p.received() {
		if len(frame.data) < 5000 {
			t.Errorf("frame %d is not a keyframe", n)
		}
	}
}

func TestAKeyframeViewerLosesNoneOfASparseStream(t *testing.T) {
	d := newRig(t)
	cam := d.camera("cam1")
	w := &packetSink{gate: make(chan struct{})}
	close(w.gate)
	old := time.Now().Add(-20 * time.Second)
	for n := range 271 { // a keyframe every three seconds: longer than a viewer may be behind
		au := cam.unit(n%90 == 0)
		au.Arrived = old.Add(au.DTS)
		cam.Write(au)
		if n == 45 { // the viewer joins in the middle of the first GOP
			d.viewerOn(w, "cam1", func(v *viewer) { v.keyframesOnly = true })
		}
		if n%90 == 45 {
			testkit.Eventually(t, 5*time.Second, func() bool { return w.count() == 6*(1+n/90) }, "keyframe %d is sent", n/90)
		}
	}
	testkit.Eventually(t, 5*time.Second, func() bool { return w.count() == 6*4 }, "the last keyframe is sent")
	if st, _ := d.hub.Stream("cam1"); st.Lost != 0 {
		t.Errorf("%d units count as lost", st.Lost)
	}
}

func TestALateKeyframeViewerResumesAtTheNewest(t *testing.T) {
	d := newRig(t)
	cam := d.camera("cam1")
	w := &packetSink{gate: make(chan struct{})}
	old := time.Now().Add(-10 * time.Second)
	for n := range 90 {
		au := cam.unit(n%15 == 0)
		au.Arrived = old.Add(au.DTS)
		cam.Write(au)
		if n == 0 {
			d.viewerOn(w, "cam1", func(v *viewer) { v.keyframesOnly = true })
			w.waitBlocked(t)
		}
	}
	close(w.gate)
	testkit.Eventually(t, 5*time.Second, func() bool { return w.count() == 6+6 }, "the frame that was blocked, and the newest keyframe, are sent")
	w.mu.Lock()
	defer w.mu.Unlock()
	if got, want := w.headers[6].Timestamp, rtpTime(75*time.Second/30, videoRate); got != want {
		t.Errorf("the viewer resumed at %d, want %d", got, want)
	}
}

func TestAnUnknownVideoParameterIsRefusedWithAReason(t *testing.T) {
	d := newRig(t)
	d.camera("cam1").publish(true)
	for _, kind := range []string{"keys", "KEYFRAMES", "all", "keyframes%20"} {
		if r := d.post("/whep/cam1?video="+kind, goodOffer); r.code != http.StatusBadRequest || !strings.HasPrefix(r.body, `Video must be "keyframes"`) {
			t.Errorf("%s: %d %q", kind, r.code, r.body)
		}
	}
	if r := d.post("/whep/cam1?video=", goodOffer); r.code != http.StatusCreated {
		t.Errorf("an empty parameter: %d %q", r.code, r.body)
	}
}
