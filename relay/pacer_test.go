package relay_test

import (
	"testing"
	"time"

	"obvan/relay"
)

func TestTheKeyframesOfAStillSlideAreNotDelayed(t *testing.T) {
	const frame, packet = 40 * time.Millisecond, 1300
	for _, shift := range []int{0, 7, 49} { // of the first frame in its GOP
		var p relay.Pacer
		began := time.Unix(1000, 0)
		now := began
		for n := range 20 * 25 {
			dts := time.Duration(n) * frame
			if due := began.Add(dts); now.Before(due) {
				now = due
			}
			size := 400
			if (n+shift)%50 == 0 {
				size = 150_000
			}
			p.CountUnit(size, dts)
			for p.Refill(now); size > 0; size -= packet {
				for p.Wait() > 0 {
					now = now.Add(p.Wait())
					p.Refill(now)
				}
				p.Take(min(size, packet))
			}
			if late := now.Sub(began.Add(dts)); late > 250*time.Millisecond {
				t.Fatalf("frame %d, %d after a keyframe, leaves %v late", n, (n+shift)%50, late)
			}
		}
	}
}
