package relay_test

import (
	"context"
	"io"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
	"obvan/media"
	"obvan/relay"
)

func TestARefusalIsRetriedWhileASessionThatWasNeverLiveMayStillBeOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := start(t, func(ctx context.Context, u *url.URL, link *relay.Link) error {
			switch n++; {
			case n == 1: // then the uplink is bad for minutes
				link.Accepted()
				link.Live()
				time.Sleep(time.Minute)
				return io.ErrUnexpectedEOF
			case n < 9:
				time.Sleep(20 * time.Second)
				return os.ErrDeadlineExceeded
			case n == 9:
				link.Accepted()
				time.Sleep(10 * time.Second)
				return relay.ErrStalled
			case n < 12:
				return relay.NewRemoteError(relay.ErrRefused, "already publishing")
			}
			return acceptsAll(ctx, u, link)
		})
		b.onAir()
		b.put(twitch(), secret)
		_ = b.Start("a")
		time.Sleep(20 * time.Minute)
		b.wantState(relay.Live, "")
	})
}

func TestAProgramWhoseCodecIsSupportedAgainIsRetriedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var delayed atomic.Bool
		var connects atomic.Int64
		b := startOn(t, func(ctx context.Context, _ *url.URL, sub *hub.Subscriber, link *relay.Link) error {
			connects.Add(1)
			link.Live()
			for {
				au, err := sub.Next(ctx)
				if err != nil {
					return nil
				}
				if au.Info().Codec == media.AV1 {
					if !delayed.Load() {
						time.Sleep(time.Second) // unpublishing takes a moment
					}
					return relay.NewRemoteError(relay.ErrUnsupported, "AV1 can't be carried")
				}
			}
		})
		b.onAir()
		d := relay.Destination{ID: "a", Name: "Twitch", URL: "rtmp://h/app"}
		for _, d.DelayMs = range []int64{0, 20_000} {
			delayed.Store(d.DelayMs > 0)
			b.put(d, "")
			_ = b.Start("a")
			for at := range 90 { // a camera with another codec is on air for a moment
				switch at {
				case 40:
					b.program.SetTracks(media.Tracks{{Codec: media.AV1}})
				case 41:
					b.program.SetTracks(media.Tracks{{Codec: media.H264}})
				}
				b.program.Write(media.AccessUnit{Key: true, Data: []byte{1}})
				time.Sleep(500 * time.Millisecond)
			}
			b.wantState(relay.Live, "")
		}
		if n := connects.Load(); n > 8 {
			t.Errorf("%d connections", n)
		}
	})
}
