package rtmp

import (
	"testing"
	"time"

	"obvan/media/amf0"
	chunks "obvan/media/rtmp"
)

func TestDataInTheSocketCountsAsLatency(t *testing.T) {
	var q sendQueue
	at := time.Unix(1000, 0)
	for n := range 40 { // more than it stores separately
		q.add(uint64(n+1)*1000, at.Add(time.Duration(n)*time.Second))
	}
	now := at.Add(time.Minute)
	for _, c := range []struct {
		drained uint64
		want    time.Duration
	}{{999, 60 * time.Second}, {1000, 59 * time.Second}, {5500, 55 * time.Second}, {39_999, 29 * time.Second}, {40_000, 0}} {
		if got := q.latency(c.drained, now); got != c.want {
			t.Errorf("%d taken: latency %v, not %v", c.drained, got, c.want)
		}
	}
	if q.add(41_000, at); q.latency(40_000, at.Add(time.Second)) != time.Second {
		t.Error("the batches after it were lost")
	}
}

func TestAcknowledgementsAreFollowedPastTheWrapOfSequenceNumbers(t *testing.T) {
	var a acks
	a.sent.Store(1<<32 - 1000)
	a.sentAtPublish.Store(500)
	a.record(uint32(1<<32 - 5000))
	if !a.proven() || a.acked.Load() != 1<<32-5000 {
		t.Fatalf("acked %d", a.acked.Load())
	}
	a.sent.Store(1<<32 + 9000)
	a.record(2000)
	if got := a.acked.Load(); got != 1<<32+2000 {
		t.Fatalf("acked %d after the wrap", got)
	}
	a.record(20_000) // more than was ever sent
	if got := a.acked.Load(); got != 1<<32+9000 {
		t.Fatalf("acked %d, more than was sent", got)
	}
}

func TestOverdueAcknowledgementsAreJudgedByTheServersPattern(t *testing.T) {
	var a acks
	a.sentAtPublish.Store(1)
	for n := range uint64(6) {
		a.sent.Store((n + 1) * 100_000)
		a.record(uint32((n + 1) * 100_000))
	}
	a.sent.Add(100_000)
	if owed := a.overdue(a.sent.Load()); owed != 0 {
		t.Errorf("%d overdue, within its pattern", owed)
	}
	a.sent.Add(150_000)
	if owed := a.overdue(a.sent.Load()); owed != 100_000 {
		t.Errorf("%d overdue", owed)
	}
	a.sent.Add(64 << 20) // it reads all that without acknowledging it
	if owed := a.overdue(a.sent.Load()); owed != 0 {
		t.Errorf("%d overdue from a server that stopped acknowledging", owed)
	}
	if a.sent.Add(1); a.overdue(0) != 0 {
		t.Error("its pattern counts again")
	}
}

func TestAcknowledgementsAreRequestedByTime(t *testing.T) {
	var a acks
	a.windowSize = firstWindow
	now := time.Unix(1000, 0)
	if _, changed := a.nextWindow(now); changed {
		t.Fatal("requested before anything was sent")
	}
	a.sent.Add(3_000_000) // 6 Mbit/s
	if size, changed := a.nextWindow(now.Add(4 * time.Second)); !changed || size != 525_000 {
		t.Fatalf("requested %d, %v", size, changed)
	}
	a.sent.Add(2_700_000) // nearly the same
	if size, changed := a.nextWindow(now.Add(8 * time.Second)); changed {
		t.Fatalf("requested again, %d", size)
	}
	a.sent.Add(25_000) // a freeze frame
	if size, changed := a.nextWindow(now.Add(12 * time.Second)); !changed || size != 64<<10 {
		t.Fatalf("requested %d, %v", size, changed)
	}
}

func TestTheRemoteBufferIsMeasuredByAcknowledgements(t *testing.T) {
	var s remoteBuffer
	at := time.Unix(1000, 0)
	const rtt = 20 * time.Millisecond
	is := func(now time.Time, want, pattern time.Duration) {
		t.Helper()
		if buffered, always, ok := s.duration(now, rtt); !ok || buffered != want || always != pattern {
			t.Errorf("%v, %v, %v; want %v, %v", buffered, always, ok, want, pattern)
		}
	}
	for n := range 100 { // 100 kB a second leave this machine, more than it stores
		s.sent(uint64(n+1)*25_000, at.Add(time.Duration(n)*250*time.Millisecond))
	}
	now := at.Add(25 * time.Second)
	for _, read := range []uint64{2_200_000, 2_220_000} {
		s.acked(read, now, rtt)
		if _, _, ok := s.duration(now, rtt); ok {
			t.Fatal("two are no pattern")
		}
	}
	s.acked(2_250_000, now, rtt)
	is(now, 2730*time.Millisecond, 2730*time.Millisecond)
	is(now.Add(time.Second), 3230*time.Millisecond, 2730*time.Millisecond) // the next, at 2,295,000 or so, is late
	s.acked(2_500_000, now.Add(time.Second), rtt)                          // all of it
	is(now.Add(time.Second), 1230*time.Millisecond, 1230*time.Millisecond)
	s.acked(2_400_000, now.Add(2*time.Second), rtt) // less than before
	is(now.Add(2*time.Second), 1230*time.Millisecond, 1230*time.Millisecond)
}

func TestTheRemoteBufferIsMeasuredByPingAnswers(t *testing.T) {
	now := time.Unix(1000, 0)
	p := pings{zero: now}
	const rtt = 20 * time.Millisecond
	is := func(want time.Duration) {
		t.Helper()
		if buffered, ok := p.remoteBuffer(now, rtt); !ok || buffered != want {
			t.Errorf("%v, %v; want %v", buffered, ok, want)
		}
	}
	if p.overdue(now) || p.due(now) || p.overdue(now.Add(pingEvery)) {
		t.Error("pinged at once")
	}
	if soon := now.Add(pingEvery + 2*overdueAfter); !p.overdue(soon) || !p.due(soon) || p.overdue(soon) {
		t.Error("no ping was sent, and none is overdue")
	}
	p.sent(now, 1000)
	p.answered(now)
	is(0)
	p.sent(now, 2000)
	now = now.Add(time.Second)
	if p.silentFor(now, 1500, rtt) != 0 {
		t.Error("silent, and the ping has not left")
	}
	is(0) // the ping is still here
	p.silentFor(now, 2000, rtt)
	now = now.Add(3 * time.Second)
	is(3*time.Second - rtt)
	p.answered(now)
	is(3*time.Second - rtt)
	p.answered(now.Add(time.Second)) // no ping was open
	is(3*time.Second - rtt)
	p.sent(now, 3000)
	p.answered(now)
	is(0)
}

func TestTheDrainRateIsMeasuredWhileDataIsWaiting(t *testing.T) {
	var f drainRate
	now, left := time.Unix(1000, 0), uint64(0)
	is := func(moved, unsent uint64, times int, want int64) {
		t.Helper()
		for range times {
			now, left = now.Add(250*time.Millisecond), left+moved
			f.measure(left, unsent, now)
		}
		if got := f.rate.Load(); got != want {
			t.Errorf("%d bytes a second, not %d", got, want)
		}
	}
	is(1<<20, 0, 8, 0) // everything leaves at once
	is(25_000, 100_000, 3, 0)
	is(25_000, 100_000, 20, 100_000)
	is(0, 100_000, 20, 26_666/4) // a hiccup, of which only the beginning is known
	is(50_000, 100_000, 20, 200_000)
	is(50_000, 0, 1, 0)
}

func FuzzCommand(f *testing.F) {
	about := amf0.Object{{Name: "level", Value: "error"}, {Name: "code", Value: "NetStream.Publish.BadName"}, {Name: "description", Value: "no"}}
	f.Add(amf0.Append(nil, "onStatus", 0, nil, about))
	f.Add(amf0.Append(nil, "_error", 1, nil, about))
	f.Add(amf0.Append(nil, "_result", 4, nil, 1.0))
	f.Add([]byte{2, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, body []byte) {
		name, _, args, err := command(&chunks.Message{Type: chunks.TypeCommand, Payload: body})
		if err != nil {
			return
		}
		_, err = status(at(args, 1))
		if err == nil && name == "_error" {
			err = refusal(at(args, 1))
		}
		if err != nil && len(err.Error()) > 1200 {
			t.Fatalf("%d bytes of error", len(err.Error()))
		}
	})
}
