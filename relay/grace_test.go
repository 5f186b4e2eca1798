package relay_test

import (
	"context"
	"io"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"obvan/relay"
)

// breaks is a far end that takes the stream for a minute, and then nobody is there.
func breaks() func(context.Context, *url.URL, *relay.Link) error {
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

func TestItIsSaidHowLongThePlatformWillWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, breaks())
		b.onAir()
		d := twitch()
		d.Name, d.Patience = "Our channel", relay.Patience{Name: "Twitch", Grace: 90 * time.Second}
		b.put(d, secret)
		_ = b.Start("a")
		b.is(relay.Live, "")
		time.Sleep(time.Minute + 30*time.Second + time.Millisecond)
		synctest.Wait()
		if st := b.one(); st.Reason != "Our channel closed the connection. Twitch ends the broadcast in about 60 s" {
			t.Errorf("%s: %q", st.State, st.Reason)
		}
		time.Sleep(time.Minute)
		b.is(relay.Retrying, "Twitch may have ended the broadcast")
		_ = b.Stop("a")
		b.is(relay.Off, "")
		if why := b.one().Reason; why != "" {
			t.Errorf("off: %q", why)
		}
	})
}

func TestThreeAttemptsFallIntoAShortGrace(t *testing.T) {
	for range 20 { // the waits have chance in them
		synctest.Test(t, func(t *testing.T) {
			b := start(t, breaks())
			b.onAir()
			d := twitch()
			d.Patience = relay.Patience{Name: "Twitch", Grace: 4 * time.Second}
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

func TestASilentFarEndSaysHowLongThePlatformWillWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var link *relay.Link
		b := start(t, func(ctx context.Context, u *url.URL, l *relay.Link) error { link = l; return holds(ctx, u, l) })
		b.onAir()
		d := twitch()
		d.Patience = relay.Patience{Name: "Twitch", Grace: 90 * time.Second}
		b.put(d, secret)
		_ = b.Start("a")
		b.is(relay.Live, "")
		link.Mute.Store(int64(2 * time.Second))
		time.Sleep(251 * time.Millisecond)
		b.is(relay.Retrying, "Twitch stopped answering 2 s ago. Twitch ends the broadcast in about 88 s")
		link.Mute.Store(0)
		time.Sleep(251 * time.Millisecond)
		b.is(relay.Live, "")
		if why := b.one().Reason; why != "" {
			t.Errorf("live: %q", why)
		}
	})
}
