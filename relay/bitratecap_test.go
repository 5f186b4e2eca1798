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

// receiver counts what a destination gets.
type receiver struct{ bytes, frames, audioFrames, undecodable atomic.Int64 }

// push is an output whose server takes everything. A frame's presentation time is its
// number, so that frames which refer to a dropped one are found.
func (a *receiver) push(ctx context.Context, _ *url.URL, sub *hub.Subscriber, link *relay.Link) error {
	link.Live()
	for last := -1; ; {
		au, err := sub.Next(ctx)
		if err != nil {
			return nil
		}
		a.bytes.Add(int64(len(au.Data)))
		if !au.Video() {
			a.audioFrames.Add(1)
			continue
		}
		a.frames.Add(1)
		n := int(au.PTS)
		if !au.Key && last != n-1 {
			a.undecodable.Add(1)
		}
		last = n
	}
}

func TestADestinationWithABitrateLimitGetsLessAndCanDecodeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got receiver
		b := startOn(t, got.push)
		d := relay.Destination{ID: "a", Name: "Twitch", URL: "rtmp://h/app", MaxKbps: 1000}
		b.put(d, "")
		b.onAir()
		b.program.SetTracks(media.Tracks{{Codec: media.H264}, {Codec: media.AAC}})
		number := 0
		play := func(seconds int) (kbps int) {
			got.bytes.Store(0)
			got.frames.Store(0)
			got.audioFrames.Store(0)
			for range seconds * 25 { // 2.2 Mbit/s
				at := time.Duration(number) * time.Second / 25
				b.program.Write(media.AccessUnit{Key: number%50 == 0, DTS: at, PTS: time.Duration(number), Data: make([]byte, 10_000)})
				b.program.Write(media.AccessUnit{Track: 1, Key: true, DTS: at, Data: make([]byte, 1000)})
				number++
				time.Sleep(time.Second / 25)
			}
			synctest.Wait()
			return int(got.bytes.Load()) * 8 / 1000 / seconds
		}
		_ = b.Start("a")
		if kbps := play(60); kbps > 1050 || kbps < 600 || got.undecodable.Load() > 0 || got.audioFrames.Load() < 59*25 {
			t.Errorf("%d kbit/s, %d frames refer to dropped ones, %d audio frames", kbps, got.undecodable.Load(), got.audioFrames.Load())
		}
		b.wantState(relay.Live, "Twitch is limited to 1.0 of the program's 2.2 Mbit/s: frames are dropped")
		if n := b.one().FramesDropped; n < 500 {
			t.Errorf("%d dropped frames counted", n)
		}
		d.MaxKbps = 0 // it does not reconnect for that
		b.put(d, "")
		play(4)
		if play(10); got.frames.Load() != 250 || got.undecodable.Load() > 0 || b.one().Attempt != 1 || b.one().Reason != "" {
			t.Errorf("%d frames without a limit, %d undecodable, attempt %d, %q", got.frames.Load(), got.undecodable.Load(), b.one().Attempt, b.one().Reason)
		}
	})
}

func TestADestinationWithoutABitrateLimitSharesTheBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inStep atomic.Bool
		b := startOn(t, func(ctx context.Context, _ *url.URL, sub *hub.Subscriber, link *relay.Link) error {
			link.Live()
			for {
				if _, err := sub.Next(ctx); err != nil {
					return nil
				}
				inStep.Store(sub.IsAt(sub.Position()))
			}
		})
		d := relay.Destination{ID: "a", Name: "Twitch", URL: "rtmp://h/app"}
		b.put(d, "")
		b.onAir()
		_ = b.Start("a")
		synctest.Wait()
		for _, limit := range []int{0, 1000, 0} {
			d.MaxKbps = limit
			b.put(d, "")
			b.program.Write(media.AccessUnit{Key: true, Data: []byte{1}})
			if synctest.Wait(); inStep.Load() != (limit == 0) {
				t.Errorf("with a limit of %d kbit/s it shares the batches: %v", limit, inStep.Load())
			}
		}
	})
}
