package rtmp

import (
	"testing"
	"testing/synctest"
	"time"

	"obvan/hub"
	"obvan/media"
)

// playBatches plays 25 frames a second and returns, for each batch that is written to a
// destination, how long after the newest frame that was, and how many frames were waiting.
func playBatches(t *testing.T, every time.Duration, frames int) (after []time.Duration, waiting []int) {
	h := hub.New()
	pub, err := h.Publish("cam", hub.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	pub.SetTracks(media.Tracks{{Codec: media.H264}})
	sub, err := h.Subscribe("cam")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	b := newBatchTimer(every, sub.Watch())
	go func() {
		for n := range frames {
			pub.Write(media.AccessUnit{Key: true, DTS: time.Duration(n), PTS: time.Duration(time.Now().UnixNano())})
			time.Sleep(40 * time.Millisecond)
		}
		time.Sleep(time.Second)
		pub.Close()
	}()
	for {
		b.await(nil)
		n, newest := 0, time.Duration(0)
		for {
			au, err := sub.TryNext()
			if err == hub.ErrNotYet {
				break
			} else if err != nil {
				return after, waiting
			}
			n, newest = n+1, time.Duration(time.Now().UnixNano())-au.PTS
		}
		after, waiting = append(after, newest), append(waiting, n)
	}
}

func TestFramesThatFitIntoABatchAreWrittenAsSoonAsTheLastOneArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		after, waiting := playBatches(t, 50*time.Millisecond, 40)
		for i := 3; i < len(after)-2; i++ { // it has learned by then
			if after[i] != 0 || waiting[i] != 2 {
				t.Errorf("batch %d: %d frames, the last %v ago", i, waiting[i], after[i])
			}
		}
	})
}

func TestAFrameNeverWaitsLongerForOthersThanItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		after, waiting := playBatches(t, 100*time.Millisecond, 4) // then there is none
		if last := len(after) - 1; after[last] > 100*time.Millisecond || waiting[last] == 0 {
			t.Errorf("%d frames after %v", waiting[last], after[last])
		}
	})
}

func TestWithoutMergingEachFrameIsWrittenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		after, waiting := playBatches(t, 0, 10)
		for i := range after {
			if after[i] != 0 || waiting[i] != 1 {
				t.Errorf("batch %d: %d frames after %v", i, waiting[i], after[i])
			}
		}
	})
}
