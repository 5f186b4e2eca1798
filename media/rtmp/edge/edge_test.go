package edge_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/media/amf0"
	"obvan/media/rtmp"
	"obvan/media/rtmp/edge"
	"obvan/media/rtmp/rtmptest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// studio is a server that accepts every request for "cam".
type studio struct {
	addr string
	stop context.CancelFunc
	done chan error

	mu       sync.Mutex
	requests []edge.Request
	got      []rtmp.Message
	closed   int
}

func start(t *testing.T, timeout time.Duration) *studio {
	t.Helper()
	s := &studio{done: make(chan error, 1)}
	srv, err := edge.Listen("127.0.0.1:0", edge.Handlers{Publish: s.publish, Play: s.play},
		edge.Options{PeerTimeout: timeout, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	s.addr = srv.Addr()
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { s.done <- srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-s.done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(testkit.Allow(10 * time.Second)):
			t.Error("Run does not return")
		}
	})
	return s
}

func (s *studio) publish(r edge.Request) (edge.Sink, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	if r.Name != "cam" {
		return nil, edge.Refusal{Code: "NetStream.Publish.BadName", Message: "there is no " + r.Name}
	}
	return s, nil
}

func (s *studio) play(r edge.Request) (edge.Player, error) {
	if r.Name != "cam" {
		return nil, errors.New("an internal secret")
	}
	return func(ctx context.Context, out *edge.Out) error {
		out.Begin().Add(rtmp.Header{Chunks: rtmp.ChunksVideo, Type: rtmp.TypeVideo, Stream: out.Stream()}, []byte("first"), nil)
		if err := out.End(); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}, nil
}

// Message and Close make studio the sink of all publishers.
func (s *studio) Message(m *rtmp.Message) {
	s.mu.Lock()
	s.got = append(s.got, *m)
	s.mu.Unlock()
}

func (s *studio) Close() {
	s.mu.Lock()
	s.closed++
	s.mu.Unlock()
}

func (s *studio) messages() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}

func (s *studio) stopped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// camera is a client that publishes.
func (s *studio) camera(t *testing.T) *rtmptest.Client {
	t.Helper()
	c := rtmptest.Dial(t, s.addr)
	c.Connect("live")
	if code, description := c.Publish("cam"); code != "NetStream.Publish.Start" {
		t.Fatalf("%s: %s", code, description)
	}
	return c
}

// works asserts that c's messages still arrive.
func (s *studio) works(t *testing.T, c *rtmptest.Client, what string) {
	t.Helper()
	n := s.messages()
	c.Media(rtmp.TypeVideo, 0, []byte("frame"))
	testkit.Eventually(t, 3*time.Second, func() bool { return s.messages() > n }, "%s ended the connection", what)
}

func TestAFrameThatTakesLongerThanThePeerTimeoutArrives(t *testing.T) {
	t.Parallel()
	const timeout, parts, part = 2 * time.Second, 6, 40_000
	s := start(t, timeout)
	c := s.camera(t)
	s.works(t, c, "nothing")
	c.Raw([]byte{2, 0, 0, 0, 0, 0, 4, byte(rtmp.TypeChunkSize), 0, 0, 0, 0, 0, 0x10, 0, 0})
	size := parts * part
	c.Raw([]byte{rtmp.ChunksVideo, 0, 0, 0, byte(size >> 16), byte(size >> 8), byte(size), byte(rtmp.TypeVideo), 1, 0, 0, 0})
	tick := time.NewTicker(timeout / 4) // a keyframe on a slow uplink
	defer tick.Stop()
	for range parts {
		<-tick.C
		c.Raw(make([]byte, part))
	}
	testkit.Eventually(t, 3*time.Second, func() bool { return s.messages() == 2 }, "the frame did not arrive")
	if s.stopped() != 0 {
		t.Fatal("the camera was disconnected while it was sending")
	}
	testkit.Eventually(t, 3*timeout, func() bool { return s.stopped() == 1 }, "a silent camera is no longer disconnected")
}

func TestAppAndNameAreJoinedHoweverTheClientSplitsThem(t *testing.T) {
	s := start(t, time.Minute)
	for _, c := range []struct{ app, name string }{
		{"live", "cam?key=k&x=1"},
		{"live/cam?key=k", ""},
		{"live?key=k", "cam"},
		{"/live/", "/cam/?key=k"},
		{"live/cam", "?key=k"},
	} {
		cl := rtmptest.Dial(t, s.addr)
		cl.Connect(c.app)
		if code, description := cl.Publish(c.name); code != "NetStream.Publish.Start" {
			t.Errorf("%+v: %s: %s", c, code, description)
		}
		s.mu.Lock()
		if r := s.requests[len(s.requests)-1]; r.App != "live" || r.Name != "cam" || r.Query.Get("key") != "k" || !strings.HasPrefix(r.Remote, "127.0.0.1:") {
			t.Errorf("%+v became %+v", c, r)
		}
		s.mu.Unlock()
	}
}

func TestARefusalReachesTheClientWithItsMessage(t *testing.T) {
	s := start(t, time.Minute)
	c := rtmptest.Dial(t, s.addr)
	c.Connect("live")
	// Some encoders send before they are accepted; the message must still reach them.
	c.Media(rtmp.TypeVideo, 0, make([]byte, 300<<10))
	if code, description := c.Publish("other"); code != "NetStream.Publish.BadName" || description != "there is no other" {
		t.Errorf("%s: %s", code, description)
	}
	if code, _ := c.Status(); code != "" {
		t.Errorf("then status %s", code)
	}
	c = rtmptest.Dial(t, s.addr)
	c.Connect("live")
	if code, description := c.Play("other"); !strings.HasSuffix(code, "Failed") || strings.Contains(description, "secret") {
		t.Errorf("%s: %s", code, description)
	}
}

func TestAPublisherCanStopAndPublishAgainOnOneConnection(t *testing.T) {
	s := start(t, time.Minute)
	c := s.camera(t)
	c.Send(0, "FCUnpublish", 4, nil, "cam")
	c.Send(0, "deleteStream", 5, nil, 1)
	testkit.Eventually(t, 3*time.Second, func() bool { return s.stopped() == 1 }, "the publisher never stopped")
	c.Send(0, "createStream", 6, nil)
	c.Send(2, "publish", 7, nil, "cam", "live")
	if code, description := c.Status(); code != "NetStream.Publish.Start" {
		t.Fatalf("%s: %s", code, description)
	}
	s.works(t, c, "publishing again")
}

func TestPlayersGetPlayStartFirstAndUnpublishNotifyLast(t *testing.T) {
	s := start(t, time.Minute)
	c := rtmptest.Dial(t, s.addr)
	c.Connect("live")
	c.R.Media(true)
	c.Send(rtmptest.Stream, "play", 3, nil, "cam")
	for _, want := range []rtmp.Type{rtmp.TypeUserControl, rtmp.TypeCommand, rtmp.TypeVideo} {
		if m, err := c.R.Read(); err != nil || m.Type != want {
			t.Fatalf("%+v %v, not type %d", m, err, want)
		}
	}
	s.stop()
	if code, _ := c.Status(); code != "NetStream.Play.UnpublishNotify" {
		t.Errorf("the last status is %q", code)
	}
	if !c.Disconnected(3 * time.Second) {
		t.Error("the connection is still open")
	}
}

func TestPingsAreAnsweredAndBytesAcknowledged(t *testing.T) {
	s := start(t, time.Minute)
	c := s.camera(t)
	c.W.Event(rtmp.EventPingRequest, 77)
	c.Flush()
	for {
		m, err := c.R.Read()
		if err != nil {
			t.Fatal(err)
		}
		if event, v, _ := m.Event(); m.Type == rtmp.TypeUserControl && event == rtmp.EventPingResponse && v == 77 {
			break
		}
	}
	c.Media(rtmp.TypeVideo, 0, make([]byte, 3<<20))
	for {
		m, err := c.R.Read()
		if err != nil {
			t.Fatal(err)
		}
		if m.Type == rtmp.TypeAck && m.Uint32() > 2_500_000 {
			return
		}
	}
}

func TestASilentPublisherIsDisconnected(t *testing.T) {
	s := start(t, time.Second)
	c := s.camera(t)
	s.works(t, c, "nothing")
	testkit.Eventually(t, 5*time.Second, func() bool { // pings do not count as media
		c.W.Event(rtmp.EventPingRequest, 1)
		c.Flush()
		return s.stopped() == 1
	}, "the publisher was not stopped")
	if !c.Disconnected(5 * time.Second) {
		t.Error("its connection is still open")
	}
}

func TestClientsThatNeverPublishOrPlayAreDisconnected(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the login timeout")
	}
	s := start(t, time.Minute)
	half := rtmptest.Dial(t, s.addr)
	done := make(chan bool)
	go func() { done <- half.Disconnected(15 * time.Second) }()
	pinging := rtmptest.Dial(t, s.addr)
	pinging.Connect("live")
	go func() {
		for range 60 { // until it is disconnected, it only sends pings
			pinging.W.Event(rtmp.EventPingRequest, 1)
			if _, err := pinging.W.Flush(); err != nil {
				break
			}
			<-time.After(200 * time.Millisecond)
		}
		done <- pinging.Disconnected(3 * time.Second)
	}()
	for range 2 {
		if !<-done {
			t.Error("a client is still connected")
		}
	}
}

// memory is the memory in use after a garbage collection.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func connectWith(body []byte) []byte {
	return append(amf0.Append(nil, "connect", 1), body...)
}
