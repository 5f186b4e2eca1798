package rtmp

import (
	"testing"
	"time"

	"obvan/media/amf0"
	chunks "obvan/media/rtmp"
)

func TestWhatLiesInTheSocketIsBehind(t *testing.T) {
	var q queue
	at := time.Unix(1000, 0)
	for n := range 40 { // more than it remembers apart
		q.add(uint64(n+1)*1000, at.Add(time.Duration(n)*time.Second))
	}
	now := at.Add(time.Minute)
	for _, c := range []struct {
		drained uint64
		want    time.Duration
	}{{999, 60 * time.Second}, {1000, 59 * time.Second}, {5500, 55 * time.Second}, {39_999, 29 * time.Second}, {40_000, 0}} {
		if got := q.lag(c.drained, now); got != c.want {
			t.Errorf("%d taken: %v behind, not %v", c.drained, got, c.want)
		}
	}
	if q.add(41_000, at); q.lag(40_000, at.Add(time.Second)) != time.Second {
		t.Error("it forgot what came after")
	}
}

func TestAcknowledgementsAreFollowedPastTheirWrap(t *testing.T) {
	var a acks
	a.sent.Store(1<<32 - 1000)
	a.mark.Store(500)
	a.take(uint32(1<<32 - 5000))
	if !a.proven() || a.acked.Load() != 1<<32-5000 {
		t.Fatalf("acked %d", a.acked.Load())
	}
	a.sent.Store(1<<32 + 9000)
	a.take(2000)
	if got := a.acked.Load(); got != 1<<32+2000 {
		t.Fatalf("acked %d after the wrap", got)
	}
	a.take(20_000) // more than was ever sent
	if got := a.acked.Load(); got != 1<<32+9000 {
		t.Fatalf("acked %d, more than was sent", got)
	}
}

func TestOwedAcknowledgementsAreJudgedByTheServersHabit(t *testing.T) {
	var a acks
	a.mark.Store(1)
	for n := range uint64(6) {
		a.sent.Store((n + 1) * 100_000)
		a.take(uint32((n + 1) * 100_000))
	}
	a.sent.Add(100_000)
	if owed := a.owed(a.sent.Load()); owed != 0 {
		t.Errorf("%d owed, within its habit", owed)
	}
	a.sent.Add(150_000)
	if owed := a.owed(a.sent.Load()); owed != 100_000 {
		t.Errorf("%d owed", owed)
	}
	a.sent.Add(64 << 20) // it reads all that and does not say so
	if owed := a.owed(a.sent.Load()); owed != 0 {
		t.Errorf("%d owed by a server that gave acknowledging up", owed)
	}
	if a.sent.Add(1); a.owed(0) != 0 {
		t.Error("its habit counts again")
	}
}

func TestAcknowledgementsAreAskedForByTime(t *testing.T) {
	var a acks
	a.asked = firstWindow
	now := time.Unix(1000, 0)
	if _, changed := a.window(now); changed {
		t.Fatal("asked before anything was sent")
	}
	a.sent.Add(3_000_000) // 6 Mbit/s
	if size, changed := a.window(now.Add(4 * time.Second)); !changed || size != 525_000 {
		t.Fatalf("asked for %d, %v", size, changed)
	}
	a.sent.Add(2_700_000) // nearly the same
	if size, changed := a.window(now.Add(8 * time.Second)); changed {
		t.Fatalf("asked again, for %d", size)
	}
	a.sent.Add(25_000) // a held picture
	if size, changed := a.window(now.Add(12 * time.Second)); !changed || size != 64<<10 {
		t.Fatalf("asked for %d, %v", size, changed)
	}
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
