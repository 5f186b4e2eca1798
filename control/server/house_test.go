package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/fstest"

	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// house is a studio on fakes, its server, and the panel's address.
type house struct {
	*studiotest.House
	server *Server
	url    string
}

// build makes a studio and its server that do not run yet.
func build(t testing.TB, opts studio.Options, log *slog.Logger, change ...func(*studio.Deps)) *house {
	t.Helper()
	h := &house{House: studiotest.Build(t, t.TempDir(), studiotest.NewFakes(), opts, log, change...)}
	h.server = New(Config{
		Studio: h.Studio, Store: h.Store(), Access: h.Access(), Commands: studio.Describe(), Hub: h.Hub, Monitor: studiotest.Monitor{},
		Panel: fstest.MapFS{
			"index.html":      {Data: []byte("<title>panel</title>")},
			"tally.html":      {Data: []byte("<title>tally</title>")},
			"assets/app.1.js": {Data: []byte("1")},
		},
	}, log)
	return h
}

// start runs the studio and serves it until the test ends, or stop is called: the server
// ends first.
func (h *house) start(t testing.TB) (stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.url = "http://" + l.Addr().String()
	stopStudio := h.Start(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.server.Run(ctx, l) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			stopStudio()
			http.DefaultClient.CloseIdleConnections()
		})
	}
	t.Cleanup(stop)
	return stop
}

// open is a studio that runs and is served.
func open(t testing.TB) *house {
	t.Helper()
	h := build(t, studio.Options{Token: studiotest.AdminToken}, studiotest.Quiet())
	h.start(t)
	return h
}
