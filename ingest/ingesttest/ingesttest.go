// Package ingesttest is the contract of an ingest protocol: what every protocol by which
// devices push a feed must guarantee.
package ingesttest

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"obvan/hub"
	"obvan/ingest"
	"obvan/internal/testkit"
	"obvan/media"
)

// Key is the stream key that the contract's authoriser accepts.
const Key = "Sesame-3"

// Protocol is an ingest protocol under test.
type Protocol struct {
	Scheme string // of the URL that Listen gets: Scheme://127.0.0.1:0
	Listen func(u *url.URL, env ingest.Env) (ingest.Server, error)
	// Publish is a device: it starts publishing and returns once the server accepted, or
	// the server's refusal. It gives up when ctx is done. The contract disconnects every
	// camera at the end of its test.
	Publish func(ctx context.Context, p Publication) (Camera, error)
	// Tracks is what the cameras send; nil is H.264 and AAC.
	Tracks media.Tracks
	TLS    *tls.Config // for Env
	// ClockTolerance is by how much timestamps may be off, for protocols that correct them
	// by the cameras' clock reports, which may be late on a busy machine.
	ClockTolerance time.Duration
}

// Publication is what a device requests.
type Publication struct {
	Addr   string // host:port of the server
	Stream string
	Key    string // "" for none
	Tracks media.Tracks
}

// Camera is a device that publishes. Its methods are for one goroutine.
type Camera interface {
	Send(au media.AccessUnit) error // Track is an index into the publication's tracks
	Leave()                         // disconnects as the protocol prescribes
	Cut()                           // closes the connection without that
}

// Test runs the contract.
func Test(t *testing.T, p Protocol) {
	if p.Tracks == nil {
		p.Tracks = Tracks()
	}
	for _, c := range []struct {
		name string
		test func(t *testing.T, r *rig)
	}{
		{"a published feed appears in the hub with its tracks", appears},
		{"units arrive unchanged and in order", unchanged},
		{"a wrong or missing key is refused", wrongKey},
		{"an invalid feed name is refused", badNames},
		{"a second publisher is refused, and admitted once the first has disconnected", secondAfterLeave},
		{"a second publisher is refused, and admitted once the first lost its connection", secondAfterCut},
		{"a silent publisher frees its name", silent},
		{"silent connections do not keep a camera out", abandoned},
		{"cancelling ends everything", cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, start(t, p))
		})
	}
}

// rig is a running server.
type rig struct {
	Protocol
	hub    *hub.Hub
	addr   string
	cancel context.CancelFunc
	ended  chan error // Run's, once
}

func start(t *testing.T, p Protocol) *rig {
	t.Helper()
	r := &rig{Protocol: p, hub: hub.New(), ended: make(chan error, 1)}
	env := ingest.Env{Hub: r.hub, Authorise: authorise, TLS: p.TLS, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	srv, err := p.Listen(&url.URL{Scheme: p.Scheme, Host: "127.0.0.1:0"}, env)
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	r.addr = srv.Addr()
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { r.ended <- srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		r.wait(t)
	})
	return r
}

// wait waits for the end of Run.
func (r *rig) wait(t *testing.T) {
	t.Helper()
	select {
	case err := <-r.ended:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		r.ended <- nil // for the next call of wait
	case <-time.After(testkit.Allow(8 * time.Second)):
		t.Fatal("Run does not end with its context")
	}
}

func authorise(r ingest.Request) error {
	if r.Key != Key {
		return ingest.ErrUnauthorised
	}
	return nil
}

// publish publishes stream; the camera is disconnected when the test ends.
func (r *rig) publish(t *testing.T, stream, key string) (Camera, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Allow(10*time.Second))
	defer cancel()
	c, err := r.Publish(ctx, Publication{Addr: r.addr, Stream: stream, Key: key, Tracks: r.Tracks})
	if err == nil {
		t.Cleanup(c.Cut)
	}
	return c, err
}

func (r *rig) camera(t *testing.T, stream string) Camera {
	t.Helper()
	c, err := r.publish(t, stream, Key)
	if err != nil {
		t.Fatalf("publish %s: %v", stream, err)
	}
	return c
}

// refused asserts that the server refuses, and promptly.
func (r *rig) refused(t *testing.T, stream, key, reason string) {
	t.Helper()
	from := time.Now()
	if _, err := r.publish(t, stream, key); err == nil {
		t.Errorf("%s: %q was admitted", reason, stream)
	}
	if d := time.Since(from); d > 6*time.Second {
		t.Errorf("%s: the refusal of %q took %v", reason, stream, d)
	}
}
