package relay_test

import (
	"context"
	"io"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"obvan/relay"
)

// failsAfterAMinute is a server that takes the stream for a minute, and is not reachable
// afterwards.
func failsAfterAMinute() func(context.Context, *url.URL, *relay.Link) error {
	n := 0
	return func(ctx context.Context, _ *url.URL, link *relay.Link) error {
		if n++; n > 1 {
			return io.EOF
		}
		link.Accepted()
		link.Live()
		time.Sleep(time.Minute)
		return io.ErrUnexpectedEOF
	}
}

func TestTheReasonSaysHowLongThePlatformWillWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, failsAfterAMinute())
		b.onAir()
		d := twitch()
		d.Name, d.ReconnectWindow = "Our channel", relay.ReconnectWindow{Name: "Twitch", Grace: 90 * time.Second}
		b.put(d, secret)
		_ = b.Start("a")
		b.wantState(relay.Live, "")
		time.Sleep(time.Minute + 30*time.Second + time.Millisecond)
		synctest.Wait()
		if st := b.one(); st.Reason != "Our channel closed the connection. Twitch ends the broadcast in about 60 s" {
			t.Errorf("%s: %q", st.State, st.Reason)
		}
		if e := b.one().GraceDeadline; e == nil || e.Platform != "Twitch" || e.GraceMs != 90_000 || time.Until(e.At).Round(time.Second) != time.Minute {
			t.Errorf("grace deadline: %+v", e)
		}
		time.Sleep(time.Minute)
		b.wantState(relay.Retrying, "Twitch may have ended the broadcast")
		_ = b.Stop("a")
		b.wantState(relay.Off, "")
		if st := b.one(); st.Reason != "" || st.GraceDeadline != nil {
			t.Errorf("off: %q, %+v", st.Reason, st.GraceDeadline)
		}
	})
}

func TestAShortGracePeriodHasTimeForThreeAttempts(t *testing.T) {
	for range 20 { // the waits are random
		synctest.Test(t, func(t *testing.T) {
			b := start(t, failsAfterAMinute())
			b.onAir()
			d := twitch()
			d.ReconnectWindow = relay.ReconnectWindow{Name: "Twitch", Grace: 4 * time.Second}
			b.put(d, secret)
			_ = b.Start("a")
			time.Sleep(time.Minute + 4*time.Second)
			synctest.Wait()
			if n := len(b.hosts()) - 1; n < 3 {
				t.Errorf("%d attempts", n)
			}
		})
	}
}

func TestASilentServersReasonSaysHowLongThePlatformWillWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var link *relay.Link
		b := start(t, func(ctx context.Context, u *url.URL, l *relay.Link) error { link = l; return acceptsAll(ctx, u, l) })
		b.onAir()
		d := twitch()
		d.ReconnectWindow = relay.ReconnectWindow{Name: "Twitch", Grace: 90 * time.Second}
		b.put(d, secret)
		_ = b.Start("a")
		b.wantState(relay.Live, "")
		link.SilentFor.Store(int64(2 * time.Second))
		time.Sleep(251 * time.Millisecond)
		b.wantState(relay.Retrying, "Twitch stopped responding 2 s ago. Twitch ends the broadcast in about 88 s")
		link.SilentFor.Store(0)
		time.Sleep(2251 * time.Millisecond)
		b.wantState(relay.Live, "")
		if reason := b.one().Reason; reason != "" {
			t.Errorf("live: %q", reason)
		}
	})
}

func TestASilentServerIsGivenUpBeforeItsPlatformEndsTheBroadcast(t *testing.T) {
	for name, c := range map[string]struct {
		grace   time.Duration
		soonest time.Duration // how long it may be silent
		latest  time.Duration // by when a new connection is made
	}{
		"Facebook": {4 * time.Second, 2 * time.Second, 4 * time.Second},
		"YouTube":  {60 * time.Second, 15 * time.Second, 20 * time.Second},
		"Twitch":   {90 * time.Second, 20 * time.Second, 30 * time.Second},
		"other":    {0, 10 * time.Second, 15 * time.Second},
	} {
		for cause, stop := range map[string]func(l *relay.Link, silent time.Duration){
			"receives nothing":     func(l *relay.Link, _ time.Duration) { l.Unsent.Store(1) },
			"acknowledges nothing": func(l *relay.Link, _ time.Duration) { l.OverdueAcks.Store(1) },
			"answers no ping":      func(l *relay.Link, silent time.Duration) { l.SilentFor.Store(int64(silent)) },
		} {
			t.Run(name+" "+cause, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var abandoned atomic.Int32
					stops := time.Now().Add(time.Minute)
					b := start(t, func(ctx context.Context, u *url.URL, link *relay.Link) error {
						if time.Now().After(stops) {
							return acceptsAll(ctx, u, link)
						}
						link.OnMeasure(func() {
							if silent := time.Since(stops); silent > 0 {
								stop(link, silent)
							}
						})
						err := acceptsAll(ctx, u, link)
						if relay.Abandoned(ctx) {
							abandoned.Add(1)
						}
						return err
					})
					b.onAir()
					d := twitch()
					d.ReconnectWindow = relay.ReconnectWindow{Name: name, Grace: c.grace}
					b.put(d, secret)
					_ = b.Start("a")
					time.Sleep(time.Minute + c.soonest - 1100*time.Millisecond)
					synctest.Wait()
					if len(b.hosts()) != 1 || abandoned.Load() > 0 {
						t.Fatal("given up too early")
					}
					time.Sleep(c.latest - c.soonest + 1100*time.Millisecond)
					b.wantState(relay.Live, "")
					if len(b.hosts()) != 2 || abandoned.Load() != 1 {
						t.Fatalf("connected %d times, abandoned %d times", len(b.hosts()), abandoned.Load())
					}
				})
			})
		}
	}
}

func TestAServerThatReceivesAnythingAtAllIsNotGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, func(ctx context.Context, u *url.URL, link *relay.Link) error {
			link.OnMeasure(func() { link.Sent.Add(10); link.Unsent.Store(5) }) // some of it is always on its way
			return acceptsAll(ctx, u, link)
		})
		b.onAir()
		d := twitch()
		d.ReconnectWindow = relay.ReconnectWindow{Name: "Facebook", Grace: 4 * time.Second}
		b.put(d, secret)
		_ = b.Start("a")
		time.Sleep(time.Hour)
		b.wantState(relay.Live, "")
		if len(b.hosts()) != 1 {
			t.Fatalf("connected %d times", len(b.hosts()))
		}
	})
}
