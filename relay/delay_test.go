package relay_test

import (
	"context"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/relay"
)

func TestADelayedDestinationStaysBehindTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var read, early, late atomic.Int64
		connects := 0
		push := func(ctx context.Context, _ *url.URL, sub *hub.Subscriber, link *relay.Link) error {
			connects++
			delay := 30 * time.Second
			if connects > 1 {
				delay = 10 * time.Second
			}
			link.Live()
			for {
				au, err := sub.Next(ctx)
				if err != nil {
					return nil
				}
				switch age := time.Since(au.Arrived); { // it begins with a keyframe that may be 2 s older
				case age < delay:
					early.Add(1)
				case age > delay+2100*time.Millisecond:
					late.Add(1)
				}
				read.Add(1)
			}
		}
		b := startOn(t, push)
		d := relay.Destination{ID: "a", Name: "Twitch", URL: "rtmp://h/app", DelayMs: 30_000}
		b.put(d, "")
		b.onAir()
		play := func(seconds int) {
			for n := range seconds * 25 {
				b.program.Write(media.AccessUnit{Key: n%50 == 0, Data: []byte{1}})
				time.Sleep(time.Second / 25)
			}
		}
		_ = b.Start("a")
		play(10)
		b.wantState(relay.Connecting, "filling the delay buffer: 20 s left")
		play(40)
		b.wantState(relay.Live, "")
		if n := read.Load(); n < 20*25 || n > 23*25 || b.one().LatencyMs != 0 {
			t.Errorf("%d units after 20 s, %d ms behind", n, b.one().LatencyMs)
		}
		d.DelayMs = 10_000 // it reconnects at once: enough is buffered
		b.put(d, "")
		b.wantState(relay.Live, "")
		play(10)
		if early.Load()+late.Load() > 0 || connects != 2 {
			t.Errorf("%d units too early, %d too late, %d connections", early.Load(), late.Load(), connects)
		}
	})
}
