package rtmp_test

import (
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
	"obvan/relay/sink"
)

// A far end that takes a quarter of the program: what is said is what it is behind, and
// that has a bound.
func TestASlowFarEndIsAsFarBehindAsIsSaidAndNoFurtherThanItMayBe(t *testing.T) {
	t.Parallel()
	const size = 8000                        // 1.6 Mbit/s
	const ofItsOwn = 1500 * time.Millisecond // what the far end's kernel took before its buffer was made small
	far := farEnd(t, nil)
	far.Behave(func(string) sink.Behaviour {
		return sink.Behaviour{Rate: size * relaytest.FrameRate / 4, Buffer: 16 << 10}
	})
	state, written := liveWith(t, far, size)
	type look struct {
		at   time.Time
		said time.Duration
	}
	var looks []look
	began := time.Now()
	testkit.Eventually(t, 40*time.Second, func() bool {
		looks = append(looks, look{time.Now(), time.Duration(state().BacklogMs) * time.Millisecond})
		return time.Since(began) > 12*time.Second
	}, "it has been slow for a while")
	worst := time.Duration(0)
	for _, u := range far.Last("key").Units() {
		if !u.Video {
			continue
		}
		behind := u.Arrived.Sub(written(relaytest.Number(u.Data)))
		worst = max(worst, behind)
		for i := 1; i < len(looks); i++ {
			if l := looks[i]; looks[i-1].at.Before(u.Arrived) && !l.at.Before(u.Arrived) && (l.said-behind).Abs() > ofItsOwn+time.Second {
				t.Errorf("after %.1f s it was %v behind, and %v were said", u.Arrived.Sub(began).Seconds(), behind, l.said)
			}
		}
	}
	t.Logf("%v behind at most", worst)
	if worst > rtmp.DefaultBacklog+ofItsOwn {
		t.Errorf("%v behind", worst)
	}
}
