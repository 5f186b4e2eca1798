package whip_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"obvan/hub"
	"obvan/ingest"
	"obvan/ingest/ingesttest"
	"obvan/internal/testkit"
	"obvan/media"
)

// testServer is a running server with its hub.
type testServer struct {
	hub  *hub.Hub
	addr string
}

func newTestServer(t *testing.T) *testServer {
	t.Helper()
	h := hub.New()
	env := ingest.Env{Hub: h, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Authorise: func(r ingest.Request) error {
		if r.Key != ingesttest.Key {
			return ingest.ErrUnauthorised
		}
		return nil
	}}
	srv, err := listen(&url.URL{Host: "127.0.0.1:0"}, env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return &testServer{h, srv.Addr()}
}

func (s *testServer) camera(t *testing.T) (*camera, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Allow(10*time.Second))
	defer cancel()
	c, err := publish(ctx, ingesttest.Publication{Addr: s.addr, Stream: "cam1", Key: ingesttest.Key, Tracks: tracks()})
	if err != nil {
		return nil, err
	}
	t.Cleanup(c.Cut)
	return c.(*camera), nil
}

// requests counts the keyframes and the lost packets that the server requests from a
// camera.
func (c *camera) requests() (keyframes, lost *atomic.Int64) {
	keyframes, lost = new(atomic.Int64), new(atomic.Int64)
	sender := c.pc.GetSenders()[0]
	go func() { // until the connection is closed
		for {
			packets, _, err := sender.ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				switch p.(type) {
				case *rtcp.PictureLossIndication:
					keyframes.Add(1)
				case *rtcp.TransportLayerNack:
					lost.Add(1)
				}
			}
		}
	}()
	return keyframes, lost
}

// sendFrame sends the i-th video frame, a keyframe if key.
func (c *camera) sendFrame(t *testing.T, i int, key bool) {
	t.Helper()
	at := time.Duration(i) * 40 * time.Millisecond
	head := byte(0x41)
	if key {
		head = 0x65
	}
	if err := c.Send(media.AccessUnit{Key: key, PTS: at, DTS: at, Data: []byte{0, 0, 0, 3, head, 0x88, byte(i)}}); err != nil {
		t.Fatal(err)
	}
}

func TestFramesAreDroppedAfterALossUntilTheNextKeyframe(t *testing.T) {
	r := newTestServer(t)
	c, err := r.camera(t)
	if err != nil {
		t.Fatal(err)
	}
	requested, lost := c.requests()
	n := 0
	testkit.Eventually(t, 5*time.Second, func() bool {
		c.sendFrame(t, n, n == 0 || n == 1)
		n++
		st, _ := r.hub.Stream("cam1")
		return st.Frames > 0
	}, "the feed is live")
	sub, err := r.hub.Subscribe("cam1")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	before := requested.Load()
	c.seq[0]++ // a packet is lost and not retransmitted
	first := n + 1
	testkit.Eventually(t, 3*time.Second, func() bool { n++; c.sendFrame(t, n, false); return requested.Load() > before }, "a keyframe is requested")
	if lost.Load() == 0 {
		t.Error("the lost packet was not requested")
	}
	n++
	key := n
	c.sendFrame(t, key, true)
	var shown []byte
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Allow(3*time.Second))
	defer cancel()
	for {
		au, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("the keyframe did not arrive: %v; frames in the hub: %v", err, shown)
		}
		if !au.Video() {
			continue
		}
		shown = append(shown, au.Data[6])
		if au.Key && au.Data[6] == byte(key) {
			break
		}
	}
	for _, i := range shown[:len(shown)-1] {
		if int(i) >= first {
			t.Errorf("frame %d refers to frames lost from %d on, and is in the hub", i, first)
		}
	}
}

func TestKeyframesAreRequestedRegularly(t *testing.T) {
	r := newTestServer(t)
	c, err := r.camera(t)
	if err != nil {
		t.Fatal(err)
	}
	requested, _ := c.requests()
	began := time.Now()
	c.sendFrame(t, 0, true)
	n := 1
	testkit.Eventually(t, 9*time.Second, func() bool {
		if behind := int(time.Since(began) / (40 * time.Millisecond)); n < behind {
			c.sendFrame(t, n, false)
			n++
		}
		return requested.Load() >= 4
	}, "a keyframe is requested again and again")
	// From 2 s on every half second, since none arrived.
	if took := time.Since(began); int64(requested.Load()) > int64(took/(500*time.Millisecond)) {
		t.Errorf("%d keyframes were requested in %v without one", requested.Load(), took)
	}
}

func TestAPhoneThatLostItsNetworkTakesOverItsName(t *testing.T) {
	r := newTestServer(t)
	first, err := r.camera(t)
	if err != nil {
		t.Fatal(err)
	}
	first.sendFrame(t, 0, true)
	if _, err := r.camera(t); err == nil || !strings.Contains(err.Error(), "already has a publisher") {
		t.Fatalf("a camera that is sending lost its name: %v", err)
	}
	// Now the first one is silent, and has not disconnected.
	var second *camera
	testkit.Eventually(t, ingest.PeerTimeout/2, func() bool { second, err = r.camera(t); return err == nil }, "the name is free for a camera that reconnects")
	n := 0
	testkit.Eventually(t, 5*time.Second, func() bool {
		second.sendFrame(t, n, true)
		n++
		st, _ := r.hub.Stream("cam1")
		return st.Frames > 0
	}, "the second one is live")
}

func TestAnInvalidRequestIsRefusedWithASentence(t *testing.T) {
	r := newTestServer(t)
	for _, c := range []struct {
		method, path, kind, key, body string
		status                        int
		message                       string
	}{
		{"POST", "/whip/cam1", "application/sdp", "wrong", "v=0", 401, "stream key is wrong"},
		{"POST", "/whip/cam1", "application/sdp", ingesttest.Key, "v=0", 400, "not SDP"},
		{"POST", "/whip/cam1", "application/json", ingesttest.Key, "{}", 415, "SDP offer"},
		{"POST", "/whip/-x", "application/sdp", ingesttest.Key, "v=0", 404, "feed name"},
		{"POST", "/whip/cam1", "application/sdp", ingesttest.Key, vp8, 406, "must send H.264"},
		{"PATCH", "/whip/cam1/x", "", ingesttest.Key, "", 405, "does not use"},
		{"GET", "/whip/cam1", "", "", "", 405, "does not use"},
		{"DELETE", "/whip/cam1/x", "", ingesttest.Key, "", 404, "no such session"},
		{"OPTIONS", "/whip/cam1", "", "", "", 204, ""},
	} {
		req, err := http.NewRequest(c.method, "http://"+r.addr+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", c.kind)
		req.Header.Set("Authorization", "Bearer "+c.key)
		resp, err := oneShotClient().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.status || !strings.Contains(string(body), c.message) {
			t.Errorf("%s %s %.20q: %d %s", c.method, c.path, c.body, resp.StatusCode, body)
		}
	}
	if all := r.hub.Streams(); len(all) != 0 {
		t.Errorf("in the hub: %+v", all)
	}
}

const vp8 = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=sendonly\r\na=rtpmap:96 VP8/90000\r\n"
