package relay_test

import (
	"context"
	"log/slog"
	"net/url"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/relay"
)

func TestALimitedDestinationGetsLessAndWhatItGetsCanBeDecoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bytes, pictures, sounds, garbage atomic.Int64
		push := func(ctx context.Context, _ *url.URL, sub *hub.Subscriber, link *relay.Link) error {
			link.Live()
			for last := -1; ; {
				au, err := sub.Next(ctx)
				if err != nil {
					return nil
				}
				bytes.Add(int64(len(au.Data)))
				if !au.Video() {
					sounds.Add(1)
					continue
				}
				pictures.Add(1)
				n := int(au.PTS) // its number
				if !au.Key && last != n-1 {
					garbage.Add(1)
				}
				last = n
			}
		}
		b := &bench{t: t, hub: hub.New()}
		b.Relay = relay.New(b.hub, relay.Protocols{"rtmp": push}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { _ = b.Run(ctx, func([]relay.Status) {}); close(done) }()
		defer func() { cancel(); <-done }()
		d := relay.Destination{ID: "a", Name: "Twitch", URL: "rtmp://h/app", MaxKbps: 1000}
		b.put(d, "")
		b.onAir()
		b.program.SetTracks(media.Tracks{{Codec: media.H264}, {Codec: media.AAC}})
		number := 0
		play := func(seconds int) (kbps int) {
			bytes.Store(0)
			pictures.Store(0)
			sounds.Store(0)
			for range seconds * 25 { // 2.2 Mbit/s
				at := time.Duration(number) * time.Second / 25
				b.program.Write(media.AccessUnit{Key: number%50 == 0, DTS: at, PTS: time.Duration(number), Data: make([]byte, 10_000)})
				b.program.Write(media.AccessUnit{Track: 1, Key: true, DTS: at, Data: make([]byte, 1000)})
				number++
				time.Sleep(time.Second / 25)
			}
			synctest.Wait()
			return int(bytes.Load()) * 8 / 1000 / seconds
		}
		_ = b.Start("a")
		if kbps := play(60); kbps > 1050 || kbps < 600 || garbage.Load() > 0 || sounds.Load() < 59*25 {
			t.Errorf("%d kbit/s, %d pictures refer to what was left out, %d sounds", kbps, garbage.Load(), sounds.Load())
		}
		b.is(relay.Live, "Twitch may have 1.0 of the program's 2.2 Mbit/s: pictures are left out")
		if got := b.one().Dropped; got < 500 {
			t.Errorf("%d pictures counted", got)
		}
		d.MaxKbps = 0 // it does not reconnect for that
		b.put(d, "")
		play(4)
		if play(10); pictures.Load() != 250 || garbage.Load() > 0 || b.one().Attempt != 1 || b.one().Reason != "" {
			t.Errorf("%d pictures without a limit, %d broken, attempt %d, %q", pictures.Load(), garbage.Load(), b.one().Attempt, b.one().Reason)
		}
	})
}
