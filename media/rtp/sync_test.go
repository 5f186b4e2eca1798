package rtp_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// report is a sender's report about its clock: at is its time of day.
func report(at time.Duration, ts uint32, nanoseconds bool) *rtcp.SenderReport {
	sec, ns := uint64(at/time.Second)+3976214400, uint64(at%time.Second)
	if !nanoseconds {
		ns = ns << 32 / uint64(time.Second)
	}
	return &rtcp.SenderReport{NTPTime: sec<<32 | ns, RTPTime: ts}
}

// reporting is a sender of audio and video. Its audio arrives late, which only its
// reports show.
type reporting struct {
	nanoseconds bool
	first       time.Duration // its time of day when it starts
	gap         time.Duration // how much later the audio's report comes than the video's
	every       time.Duration
	stepped     time.Duration // how far its clock is set forward after half the time
}

// worst plays a minute of it through a network that delays reports by up to 20 ms. It
// returns the largest offset between audio and video after settled.
func (c reporting) worst(t *testing.T, settled time.Duration) (worst time.Duration) {
	t.Helper()
	const frame, late = 40 * time.Millisecond, 200 * time.Millisecond
	f, a := h264Format(), aacFormat()
	r, s := reader(t, session(f, a))
	dice := rand.New(rand.NewPCG(1, 2))
	var seq, seqA uint16
	next := [2]time.Duration{0, c.gap}
	for i := range 1500 {
		at := time.Duration(i) * frame
		feed(t, r, 0, at, packets(t, f, 5000+uint32(i)*3600, &seq, nalu(0x65, 50))...)
		feed(t, r, 1, at+late, packets(t, a, 9000+uint32(i)*1920, &seqA, nalu(1, 50))...)
		for k := range next {
			for next[k] <= at {
				wall := c.first + next[k]
				if next[k] > 30*time.Second {
					wall += c.stepped
				}
				ticks := [2]uint32{5000 + uint32(next[k]*90000/time.Second), 9000 + uint32(next[k]*48000/time.Second)}
				delay := time.Duration(dice.Int64N(int64(20 * time.Millisecond)))
				r.SenderReport(k, report(wall, ticks[k], c.nanoseconds), epoch.Add(next[k]+delay))
				next[k] += c.every
			}
		}
		if n := len(s.units); n >= 2 && at > settled {
			worst = max(worst, (s.units[n-1].PTS - s.units[n-2].PTS).Abs())
		}
	}
	return worst
}

func TestSenderReportsSynchronizeAudioAndVideo(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]reporting{
		"once in a while":                            {first: 700 * ms, gap: 0, every: 400 * ms},
		"of one moment, early in a second":           {first: 10 * ms, gap: 0, every: 5 * time.Second},
		"a frame apart, early in a second":           {first: 50 * ms, gap: 33 * ms, every: 5033 * ms},
		"far apart, early in a second":               {first: 20 * ms, gap: 150 * ms, every: 5 * time.Second},
		"far apart, over a second's end":             {first: 900 * ms, gap: 300 * ms, every: 5 * time.Second},
		"often, by a clock that is set":              {first: 10 * ms, gap: 33 * ms, every: time.Second, stepped: 700 * ms},
		"nanoseconds, of one moment":                 {nanoseconds: true, first: 700 * ms, gap: 0, every: 400 * ms},
		"nanoseconds, a frame apart":                 {nanoseconds: true, first: 50 * ms, gap: 33 * ms, every: 5033 * ms},
		"nanoseconds, far apart":                     {nanoseconds: true, first: 300 * ms, gap: 400 * ms, every: 10 * time.Second},
		"nanoseconds, far apart over a second's end": {nanoseconds: true, first: 900 * ms, gap: 300 * ms, every: 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			// Settled: after the first report of each, and the units queued before it.
			if worst := c.worst(t, c.gap+100*ms); worst > 30*ms {
				t.Errorf("audio is up to %v off", worst)
			}
		})
	}
}

func TestRTPInfoSynchronizesAudioAndVideoBeforeTheFirstReport(t *testing.T) {
	f, a := h264Format(), aacFormat()
	r, s := reader(t, session(f, a))
	var seq, seqA uint16
	r.RTPInfo(0, 5000)
	r.RTPInfo(1, 9000)
	for i := range 3 {
		at := time.Duration(i) * 40 * time.Millisecond
		feed(t, r, 0, at, packets(t, f, 5000+uint32(i)*3600, &seq, nalu(0x65, 50))...)
		feed(t, r, 1, at+200*time.Millisecond, packets(t, a, 9000+uint32(i)*1920, &seqA, nalu(1, 50))...)
	}
	n := len(s.units)
	if off := s.units[n-1].PTS - s.units[n-2].PTS; off.Abs() > 10*time.Millisecond {
		t.Fatalf("audio is %v off", off)
	}
	// The first real report, of one track only, must not be compared with RTP-Info.
	r.SenderReport(0, report(time.Second, 5000+3*3600, false), epoch.Add(300*time.Millisecond))
	feed(t, r, 1, 400*time.Millisecond, packets(t, a, 9000+3*1920, &seqA, nalu(1, 50))...)
	if n := len(s.units); (s.units[n-1].PTS - s.units[n-2].PTS - 40*time.Millisecond).Abs() > 10*time.Millisecond {
		t.Fatalf("audio jumped to %v", s.units[n-1].PTS)
	}
}
