package relay_test

import (
	"context"
	"errors"
	"io"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"obvan/relay"
)

// serverPair is two servers, each of which can be made to fail.
type serverPair struct {
	mu    sync.Mutex
	fails map[string]error // by host
	cut   map[string]context.CancelCauseFunc
	open  map[string]int
}

func newServerPair() *serverPair {
	return &serverPair{fails: map[string]error{}, cut: map[string]context.CancelCauseFunc{}, open: map[string]int{}}
}

func (p *serverPair) accept(ctx context.Context, u *url.URL, link *relay.Link) error {
	p.mu.Lock()
	err := p.fails[u.Host]
	within, cut := context.WithCancelCause(ctx)
	p.cut[u.Host] = cut
	p.open[u.Host]++
	p.mu.Unlock()
	defer func() { p.mu.Lock(); p.open[u.Host]--; p.mu.Unlock() }()
	if err != nil {
		return err
	}
	link.Accepted()
	link.Live()
	<-within.Done()
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(within)
}

// fail ends the session at host, and refuses new ones until it is called with nil.
func (p *serverPair) fail(host string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fails[host] = err
	if cut := p.cut[host]; cut != nil {
		cut(err)
	}
}

func (p *serverPair) sessions(host string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open[host]
}

func youTube() relay.Destination {
	d := twitch()
	d.Name, d.SendToBoth = "YouTube", true
	d.ReconnectWindow = relay.ReconnectWindow{Name: "YouTube", Grace: 60 * time.Second}
	return d
}

func TestADestinationSentToBothIsLiveWhileOneEndpointIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newServerPair()
		b := start(t, p.accept)
		b.onAir()
		b.put(youTube(), secret)
		_ = b.Start("a")
		b.wantState(relay.Live, "")
		if p.sessions("main") != 1 || p.sessions("spare") != 1 || b.one().Reason != "" || b.one().Backup {
			t.Fatalf("%v: %+v", p.open, b.one())
		}
		since := b.one().Since
		time.Sleep(time.Minute)

		p.fail("spare", io.EOF)
		b.wantState(relay.Live, "YouTube: the backup is not live: it closed the connection")
		time.Sleep(10 * time.Minute)
		p.fail("spare", nil)
		time.Sleep(time.Minute)
		b.wantState(relay.Live, "")
		if reason := b.one().Reason; reason != "" {
			t.Fatalf("restored, it says %q", reason)
		}
		if n := count(b.hosts(), "main"); n != 1 {
			t.Fatalf("connected to the primary %d times", n)
		}

		p.fail("main", relay.NewRemoteError(relay.ErrRefused, "no key "+secret))
		b.wantState(relay.Live, "YouTube: the primary is not live: it refused the stream: no key ***")
		if st := b.one(); !st.Backup || st.Since.Before(since) {
			t.Errorf("%+v", st)
		}
		p.fail("spare", io.EOF)
		b.wantState(relay.Retrying, "YouTube (backup) closed the connection. YouTube ends the broadcast in about 60 s")
		_ = b.Stop("a")
		b.wantState(relay.Off, "")
		if reason := b.one().Reason; reason != "" || p.sessions("main")+p.sessions("spare") != 0 {
			t.Errorf("off: %q", reason)
		}
	})
}

func count(all []string, one string) int {
	return len(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s != one }))
}

func TestEditingADestinationReconnectsOnlyTheEndpointConcerned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newServerPair()
		b := start(t, p.accept)
		b.onAir()
		d := youTube()
		d.SendToBoth = false
		b.put(d, secret)
		_ = b.Start("a")
		b.wantState(relay.Live, "")
		if len(b.hosts()) != 1 {
			t.Fatalf("connected to %v", b.hosts())
		}
		steps := []struct {
			change func()
			key    string
			main   int // connections to the primary by then
			open   map[string]int
		}{
			{func() { d.SendToBoth = true }, secret, 1, map[string]int{"main": 1, "spare": 1}},
			{func() { d.BackupURL = "rtmp://other/app" }, secret, 1, map[string]int{"main": 1, "other": 1}},
			{func() { d.SendToBoth = false }, secret, 1, map[string]int{"main": 1}},
			{func() { d.SendToBoth = true }, secret, 1, map[string]int{"main": 1, "other": 1}},
			{func() {}, "new-key", 2, map[string]int{"main": 1, "other": 1}},
			{func() { d.URL = "rtmp://elsewhere/app" }, "new-key", 2, map[string]int{"elsewhere": 1, "other": 1}},
		}
		for i, step := range steps {
			step.change()
			b.put(d, step.key)
			b.wantState(relay.Live, "")
			for _, host := range []string{"main", "spare", "other", "elsewhere"} {
				if p.sessions(host) != step.open[host] {
					t.Fatalf("step %d: %d sessions at %s", i, p.sessions(host), host)
				}
			}
			if n := count(b.hosts(), "main"); n != step.main {
				t.Fatalf("step %d: connected to the primary %d times", i, n)
			}
		}
	})
}

func TestSendingToBothNeedsTwoDifferentURLs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, acceptsAll)
		d := youTube()
		for backup, want := range map[string]string{
			"":                "to send to primary and backup at the same time, enter the backup URL too",
			"rtmp://main/app": "to send to primary and backup at the same time, the two URLs must differ",
			"main/app":        "invalid backup address: it must start with rtmp:// or rtmps://",
		} {
			d.BackupURL = backup
			if err := b.Put(d, secret); !errors.Is(err, relay.ErrAddress) || err.Error() != want {
				t.Errorf("%q: %v", backup, err)
			}
		}
	})
}
