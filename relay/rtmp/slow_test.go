package rtmp_test

import (
	"testing"
	"time"

	"obvan/internal/testkit"
	"obvan/relay/relaytest"
	"obvan/relay/rtmp"
	"obvan/relay/testserver"
)

// A server that receives a quarter of the program: its viewers' latency has a bound,
// however much its machine buffers, and where that is little the reported latency is
// right.
func TestASlowServersLatencyIsReportedAndBounded(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]testserver.Behaviour{
		"a small buffer":      {Buffer: 16 << 10},
		"a buffer of seconds": {},
		"no acknowledgements": {NoAcks: true},
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); slow(t, how) })
	}
}

func slow(t *testing.T, how testserver.Behaviour) {
	const size = 8000                      // 1.6 Mbit/s
	const unseen = 1500 * time.Millisecond // its machine receives in steps, and a ping shows that afterwards
	how.Rate = size * relaytest.FrameRate / 4
	server := startServer(t, nil)
	server.LimitSegmentSize(1448)
	server.Behave(func(string) testserver.Behaviour { return how })
	s := startLiveWith(t, server, size, rtmp.New(nil))
	type sample struct {
		at     time.Time
		remote time.Duration
	}
	var samples []sample
	began := time.Now()
	testkit.Eventually(t, 40*time.Second, func() bool {
		samples = append(samples, sample{time.Now(), time.Duration(s.status().LatencyMs) * time.Millisecond})
		return time.Since(began) > 16*time.Second
	}, "it has been slow for a while")
	worst := time.Duration(0)
	for _, u := range server.Last("key").Units() {
		if !u.Video {
			continue
		}
		// In frames: a busy machine writes later as well.
		behind := time.Duration(s.written(u.Arrived)-relaytest.FrameNumber(u.Data)) * time.Second / relaytest.FrameRate
		worst = max(worst, behind)
		for i := 1; i < len(samples); i++ {
			if l := samples[i]; how.Buffer > 0 && samples[i-1].at.Before(u.Arrived) && !l.at.Before(u.Arrived) && (l.remote-behind).Abs() > unseen+time.Second {
				t.Errorf("after %.1f s it was %v behind, and %v were reported", u.Arrived.Sub(began).Seconds(), behind, l.remote)
			}
		}
	}
	t.Logf("%v behind at most", worst)
	if worst > rtmp.DefaultBacklog+unseen {
		t.Errorf("%v behind", worst)
	}
}
