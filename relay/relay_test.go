package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
	"obvan/internal/testkit"
	"obvan/media"
	"obvan/relay"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const secret = "sk_live-123?token=hunter22"

// testRelay is a relay with a program, whose outputs are simulated by the test.
type testRelay struct {
	*relay.Relay
	t       *testing.T
	hub     *hub.Hub
	program *hub.Publisher

	mu       sync.Mutex
	connects []string // hosts, in order
	seen     []relay.Status
	push     func(ctx context.Context, u *url.URL, link *relay.Link) error
}

// start runs a relay in a synctest bubble.
func start(t *testing.T, play func(ctx context.Context, u *url.URL, link *relay.Link) error) *testRelay {
	var b *testRelay
	b = startOn(t, func(ctx context.Context, u *url.URL, _ *hub.Subscriber, link *relay.Link) error {
		b.mu.Lock()
		b.connects = append(b.connects, u.Host)
		b.mu.Unlock()
		return b.push(ctx, u, link)
	})
	b.push = play
	return b
}

// startOn is start with an output that reads the program itself.
func startOn(t *testing.T, push relay.Push) *testRelay {
	b := &testRelay{t: t, hub: hub.New()}
	b.Relay = relay.New(b.hub, relay.Protocols{"rtmp": {Push: push}, "rtmps": {Push: push}}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := b.Run(ctx, b.saw); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return b
}

func (b *testRelay) saw(all []relay.Status) {
	b.mu.Lock()
	b.seen = append(b.seen, all...)
	b.mu.Unlock()
}

func (b *testRelay) hosts() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.connects...)
}

// onAir publishes a program with one frame.
func (b *testRelay) onAir() {
	p, err := b.hub.Publish(hub.Program, hub.Origin{Proto: "program"})
	if err != nil {
		b.t.Fatal(err)
	}
	b.program = p
	p.SetTracks(media.Tracks{{Codec: media.H264}})
	p.Write(media.AccessUnit{Key: true, Data: []byte{1}})
}

func (b *testRelay) put(d relay.Destination, key string) {
	b.t.Helper()
	if err := b.Put(d, key); err != nil {
		b.t.Fatal(err)
	}
}

func (b *testRelay) one() relay.Status { return b.Statuses()[0] }

func (b *testRelay) wantState(state relay.State, reason string) {
	b.t.Helper()
	synctest.Wait()
	if st := b.one(); st.State != state || !strings.Contains(st.Reason, reason) {
		b.t.Fatalf("state %q, reason %q; want %q, %q", st.State, st.Reason, state, reason)
	}
}

func twitch() relay.Destination {
	return relay.Destination{ID: "a", Name: "Twitch", URL: "rtmp://main/app", BackupURL: "rtmp://spare/app"}
}

// acceptsAll is a server that takes everything until it is told to stop.
func acceptsAll(ctx context.Context, _ *url.URL, link *relay.Link) error {
	link.Accepted()
	link.Live()
	<-ctx.Done()
	return nil
}

func TestADestinationWaitsForTheProgramThenGoesLiveAndStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, acceptsAll)
		b.put(twitch(), secret)
		b.wantState(relay.Off, "")
		if err := b.Start("a"); err != nil {
			t.Fatal(err)
		}
		b.wantState(relay.Connecting, "waiting for the program")
		b.onAir()
		b.wantState(relay.Live, "")
		if err := b.Stop("a"); err != nil {
			t.Fatal(err)
		}
		b.wantState(relay.Off, "")
	})
}

func TestADestinationStartedBeforeRunConnectsOnceItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New()
		live := make(chan struct{})
		r := relay.New(h, relay.Protocols{"rtmp": {Push: func(ctx context.Context, _ *url.URL, _ *hub.Subscriber, l *relay.Link) error {
			close(live)
			<-ctx.Done()
			return nil
		}}}, slog.New(slog.DiscardHandler))
		b := &testRelay{t: t, hub: h, Relay: r}
		b.onAir()
		b.put(relay.Destination{ID: "a", URL: "rtmp://h/app"}, "")
		if err := r.Start("a"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { _ = r.Run(ctx, func([]relay.Status) {}); close(done) }()
		<-live
		cancel()
		<-done
	})
}

func TestTheKeyReachesTheOutputAsItWasTypedAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan *url.URL, 1)
		b := start(t, func(ctx context.Context, u *url.URL, link *relay.Link) error {
			got <- u
			return fmt.Errorf("dial %s with %s: %w", u, secret, errors.New("something odd: sk_live-123, hunter22, hunter22"))
		})
		b.onAir()
		b.put(relay.Destination{ID: "a", Name: "X", URL: "rtmp://user:passw0rd@main/app?sign=abcdef"}, " "+secret+"\n")
		_ = b.Start("a")
		if u := <-got; u.Fragment != secret {
			t.Fatalf("key %q", u.Fragment)
		}
		b.wantState(relay.Retrying, "X: dial")
		synctest.Wait()
		text := fmt.Sprint(b.Statuses(), b.seen)
		for _, leak := range []string{"sk_live", "hunter22", "passw0rd", "abcdef"} {
			if strings.Contains(text, leak) {
				t.Errorf("%q is in a status: %s", leak, text)
			}
		}
	})
}

func TestARefusedKeyIsNotRetriedUntilTheOperatorAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(context.Context, *url.URL, *relay.Link) error {
			return relay.NewRemoteError(relay.ErrRefused, "no such stream sk_live-123")
		})
		b.onAir()
		b.put(twitch(), secret)
		_ = b.Start("a")
		b.wantState(relay.Refused, "Twitch refused the stream: no such stream ***")
		time.Sleep(time.Hour)
		if n := len(b.hosts()); n != 1 {
			t.Fatalf("%d attempts", n)
		}
		_ = b.Start("a")
		synctest.Wait()
		if n := len(b.hosts()); n != 2 {
			t.Fatalf("%d attempts after start", n)
		}
		b.put(twitch(), "another-key") // a corrected key is tried at once
		synctest.Wait()
		if n := len(b.hosts()); n != 3 {
			t.Fatalf("%d attempts after a new key", n)
		}
	})
}

func TestNetworkFailuresAreRetriedWithPrimaryAndBackupInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(context.Context, *url.URL, *relay.Link) error { return io.EOF })
		b.onAir()
		b.put(twitch(), secret)
		_ = b.Start("a")
		b.wantState(relay.Retrying, "Twitch closed the connection")
		if st := b.one(); st.NextTry == nil || time.Until(*st.NextTry) > time.Second {
			t.Fatalf("the first retry is at %v", st.NextTry)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		hosts := b.hosts()
		if len(hosts) < 15 || len(hosts) > 60 {
			t.Fatalf("%d attempts in ten minutes", len(hosts))
		}
		if want := "main main spare spare main main"; strings.Join(hosts[:6], " ") != want {
			t.Fatalf("connected to %v", hosts[:6])
		}
		before := len(hosts)
		_ = b.Start("a") // retry now
		synctest.Wait()
		if len(b.hosts()) != before+1 {
			t.Fatal("start did not retry at once")
		}
	})
}

func TestARefusalAfterBeingLiveIsRetriedWhileTheOldSessionMayStillBeOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := start(t, func(ctx context.Context, _ *url.URL, link *relay.Link) error {
			if n++; n > 1 {
				return relay.NewRemoteError(relay.ErrRefused, "try later")
			}
			link.Accepted()
			link.Live()
			time.Sleep(time.Minute)
			return io.ErrUnexpectedEOF
		})
		b.onAir()
		b.put(twitch(), secret)
		_ = b.Start("a")
		time.Sleep(61 * time.Second)
		b.wantState(relay.Retrying, "refused the stream")
		time.Sleep(3 * time.Minute)
		b.wantState(relay.Refused, "refused the stream: try later")
		if n < 4 {
			t.Fatalf("only %d attempts", n)
		}
	})
}

func TestAServerThatAcceptsAndClosesThreeTimesHasRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(_ context.Context, _ *url.URL, link *relay.Link) error {
			link.Accepted()
			return io.EOF
		})
		b.onAir()
		b.put(twitch(), secret)
		_ = b.Start("a")
		time.Sleep(time.Hour)
		b.wantState(relay.Refused, "the stream key may be wrong")
		if n := len(b.hosts()); n != 3 {
			t.Fatalf("%d attempts", n)
		}
	})
}

func TestAnUnsupportedProgramIsRetriedWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := true
		b := start(t, func(ctx context.Context, u *url.URL, link *relay.Link) error {
			if refuse {
				return relay.NewRemoteError(relay.ErrUnsupported, "AV1 can't be carried")
			}
			return acceptsAll(ctx, u, link)
		})
		b.onAir()
		b.put(twitch(), secret)
		_ = b.Start("a")
		b.wantState(relay.Refused, "AV1 can't be carried")
		time.Sleep(time.Hour)
		refuse = false
		b.program.SetTracks(media.Tracks{{Codec: media.H265}})
		b.program.Write(media.AccessUnit{Key: true, Data: []byte{1}})
		b.wantState(relay.Live, "")
	})
}

func TestADestinationIsNoLongerLiveTwoSecondsAfterTheLastConfirmation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var link *relay.Link
		b := start(t, func(ctx context.Context, u *url.URL, l *relay.Link) error { link = l; return acceptsAll(ctx, u, l) })
		b.onAir()
		b.put(twitch(), secret)
		_ = b.Start("a")
		b.wantState(relay.Live, "")
		for range 10 { // 800 kbit/s, always with some of it in flight
			link.Sent.Add(50_000)
			link.Unsent.Store(20_000)
			time.Sleep(500 * time.Millisecond)
		}
		b.wantState(relay.Live, "")
		if kbps := b.one().Kbps; kbps < 600 || kbps > 900 {
			t.Errorf("%d kbit/s", kbps)
		}
		link.Sent.Add(50_000)
		link.Latency.Store(int64(2100 * time.Millisecond))
		time.Sleep(500 * time.Millisecond)
		b.wantState(relay.Live, "Twitch is 2.1 s behind: 0.")
		link.Latency.Store(0)
		link.Unsent.Add(50_000)
		link.Sent.Add(50_000)
		time.Sleep(2*time.Second + time.Millisecond)
		b.wantState(relay.Retrying, "Twitch stopped receiving data 2 s ago")
		link.Unsent.Store(0)
		time.Sleep(501 * time.Millisecond)
		b.wantState(relay.Retrying, "Twitch is receiving data again, but not yet stable")
		time.Sleep(2 * time.Second)
		b.wantState(relay.Live, "")
		link.OverdueAcks.Store(1) // a server that acknowledges, and stops
		time.Sleep(2*time.Second + time.Millisecond)
		b.wantState(relay.Retrying, "stopped receiving data")
		link.OverdueAcks.Store(0)
		link.Unsent.Store(0)
		time.Sleep(2501 * time.Millisecond)
		b.wantState(relay.Live, "")
		link.SilentFor.Store(int64(1600 * time.Millisecond)) // one that was pinged, and does not answer
		time.Sleep(251 * time.Millisecond)
		b.wantState(relay.Retrying, "Twitch stopped responding 1 s ago")
	})
}

func TestARenameKeepsTheConnectionAndANewKeyDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, acceptsAll)
		b.onAir()
		d := twitch()
		b.put(d, secret)
		_ = b.Start("a")
		b.wantState(relay.Live, "")
		d.Name = "Second channel"
		b.put(d, secret)
		b.wantState(relay.Live, "")
		if len(b.hosts()) != 1 || b.one().Name != "Second channel" {
			t.Fatal("a rename reconnected")
		}
		b.put(d, "other")
		b.wantState(relay.Live, "")
		if len(b.hosts()) != 2 {
			t.Fatal("a new key did not reconnect")
		}
	})
}

func TestADestinationStoppedAndStartedAgainWaitsForTheOldSessionToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := 0
		b := start(t, func(ctx context.Context, u *url.URL, link *relay.Link) error {
			if open++; open > 1 {
				t.Error("two sessions at once")
			}
			_ = acceptsAll(ctx, u, link)
			time.Sleep(time.Second) // unpublishing
			open--
			return nil
		})
		b.onAir()
		b.put(twitch(), secret)
		for range 3 {
			_ = b.Start("a")
			time.Sleep(10 * time.Millisecond)
			_ = b.Stop("a")
		}
		_ = b.Start("a")
		time.Sleep(4 * time.Second)
		b.wantState(relay.Live, "")
	})
}
