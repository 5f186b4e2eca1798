package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
	"obvan/ingest"
	"obvan/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// cameras is a protocol whose cameras do what dial says.
type cameras struct {
	dial   func(ctx context.Context, u *url.URL, env ingest.Env, feed string, live func()) error
	dials  atomic.Int32
	active atomic.Int32
}

func (c *cameras) pull(ctx context.Context, u *url.URL, env ingest.Env, feed string, live func()) error {
	c.dials.Add(1)
	c.active.Add(1)
	defer c.active.Add(-1)
	return c.dial(ctx, u, env, feed, live)
}

// startPulls runs pulls over c, and stops them at the end of the test.
func startPulls(t *testing.T, c *cameras) (*ingest.Pulls, *atomic.Int32) {
	t.Helper()
	env := ingest.Env{
		Hub: hub.New(), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Authorise: func(ingest.Request) error { return ingest.ErrUnauthorised },
	}
	p := ingest.NewPulls(env, ingest.Protocols{"cam": {Pull: c.pull}, "push": {}})
	var changes atomic.Int32
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- p.Run(ctx, func() { changes.Add(1) }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil || c.active.Load() != 0 {
			t.Errorf("Run: %v, with %d pulls left", err, c.active.Load())
		}
	})
	return p, &changes
}

func parseURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func put(t *testing.T, p *ingest.Pulls, feed, raw string) {
	t.Helper()
	if err := p.Put(feed, parseURL(t, raw)); err != nil {
		t.Fatal(err)
	}
}

// goesLive is a camera that works until the pull is cancelled.
func goesLive(ctx context.Context, _ *url.URL, _ ingest.Env, _ string, live func()) error {
	live()
	<-ctx.Done()
	return nil
}

func TestACameraIsPulledUntilItIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cameras{dial: goesLive}
		p, changes := startPulls(t, c)
		put(t, p, "cam1", "cam://one")
		put(t, p, "cam1", "cam://one") // the same address: no change
		synctest.Wait()
		if s, ok := p.State("cam1"); !ok || s.State != ingest.PullLive || changes.Load() == 0 {
			t.Fatalf("%+v %v", s, ok)
		}
		p.Remove("cam1")
		p.Remove("cam1")
		synctest.Wait()
		if _, ok := p.State("cam1"); ok || c.active.Load() != 0 || c.dials.Load() != 1 {
			t.Fatalf("%d active, %d dials", c.active.Load(), c.dials.Load())
		}
	})
}

func TestAFailedCameraIsRetriedWithBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cameras{dial: func(context.Context, *url.URL, ingest.Env, string, func()) error {
			return errors.New("no route to host")
		}}
		p, _ := startPulls(t, c)
		put(t, p, "cam1", "cam://one")
		synctest.Wait()
		s, _ := p.State("cam1")
		if s.State != ingest.PullRetrying || s.Problem != "no route to host" || time.Until(s.NextTry) > time.Second {
			t.Fatalf("%+v", s)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := c.dials.Load(); n < 12 || n > 60 {
			t.Fatalf("%d dials in two minutes", n)
		}
	})
}

func TestACameraThatWasStableIsReconnectedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cameras{dial: func(ctx context.Context, _ *url.URL, _ ingest.Env, _ string, live func()) error {
			live()
			<-time.After(time.Minute)
			return nil // the camera ended the stream
		}}
		p, _ := startPulls(t, c)
		put(t, p, "cam1", "cam://one")
		for range 5 {
			time.Sleep(time.Minute)
			synctest.Wait()
			s, _ := p.State("cam1")
			if s.State != ingest.PullRetrying || !strings.Contains(s.Problem, "ended") || time.Until(s.NextTry) > time.Second {
				t.Fatalf("%+v, in %v", s, time.Until(s.NextTry))
			}
			time.Sleep(time.Until(s.NextTry))
		}
		p.Remove("cam1")
		time.Sleep(time.Minute)
	})
}

func TestWrongCredentialsAreRetriedSlowlyAndNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cameras{dial: func(_ context.Context, u *url.URL, _ ingest.Env, _ string, _ func()) error {
			return fmt.Errorf("dial %v: %w", u, ingest.ErrCredentials) // a protocol whose error contains the password
		}}
		p, _ := startPulls(t, c)
		put(t, p, "cam1", "cam://root:hunter2@one")
		time.Sleep(5*time.Minute - time.Second)
		synctest.Wait()
		if n := c.dials.Load(); n != 10 {
			t.Fatalf("%d dials in five minutes", n)
		}
		s, _ := p.State("cam1")
		if s.Problem == "" || strings.Contains(s.Problem, "hunter2") {
			t.Fatalf("%+v", s)
		}
	})
}

func TestANewAddressReplacesThePreviousPull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cameras{dial: func(ctx context.Context, u *url.URL, env ingest.Env, feed string, live func()) error {
			f, err := env.Publish(ingest.Request{Stream: feed, Proto: "cam", Remote: u.Host})
			if err != nil {
				return err
			}
			live()
			<-ctx.Done()
			<-time.After(2 * time.Second) // a slow disconnect
			f.Close()
			return nil
		}}
		p, _ := startPulls(t, c)
		for _, host := range []string{"one", "two", "three"} {
			put(t, p, "cam1", "cam://"+host)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if s, _ := p.State("cam1"); s.State != ingest.PullLive || c.active.Load() != 1 {
			t.Fatalf("%+v, %d active", s, c.active.Load())
		}
	})
}

func TestAPullAddedBeforeRunStartsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cameras{dial: goesLive}
		p := ingest.NewPulls(ingest.Env{Hub: hub.New(), Log: slog.New(slog.DiscardHandler)}, ingest.Protocols{"cam": {Pull: c.pull}})
		put(t, p, "cam1", "cam://one")
		put(t, p, "cam1", "cam://two")
		if s, ok := p.State("cam1"); !ok || s.State != ingest.PullConnecting || c.dials.Load() != 0 {
			t.Fatalf("%+v", s)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- p.Run(ctx, func() {}) }()
		synctest.Wait()
		if s, _ := p.State("cam1"); s.State != ingest.PullLive || c.dials.Load() != 1 {
			t.Fatalf("%+v, %d dials", s, c.dials.Load())
		}
		cancel()
		if err := <-ended; err != nil || c.active.Load() != 0 {
			t.Fatalf("%v, %d active", err, c.active.Load())
		}
	})
}

func TestAnAddressThatCannotBePulledIsRefused(t *testing.T) {
	c := &cameras{dial: goesLive}
	p, _ := startPulls(t, c)
	for raw, want := range map[string]error{"smoke://one": ingest.ErrScheme, "push://one": ingest.ErrScheme} {
		if err := p.Put("cam1", parseURL(t, raw)); !errors.Is(err, want) || !strings.Contains(err.Error(), raw[:4]) {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if err := p.Put("program", parseURL(t, "cam://one")); !errors.Is(err, ingest.ErrReserved) {
		t.Errorf("err = %v", err)
	}
	if err := p.Put("../x", parseURL(t, "cam://one")); !errors.Is(err, ingest.ErrBadName) {
		t.Errorf("err = %v", err)
	}
	if _, ok := p.State("cam1"); ok {
		t.Error("it is pulled")
	}
}
